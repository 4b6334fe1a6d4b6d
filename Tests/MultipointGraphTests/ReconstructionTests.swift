import MultipointGraph
import XCTest

final class ReconstructionTests: XCTestCase {
    /// Channels with 2, 0 and 1 points; free scales in channel order.
    func testFreeScales() throws {
        let packed = try PackedWeights(
            rowLength: 2, points: [2, 0, 1],
            levels: [
                .init(codebook: [-3, -1, 1, 3], codes: [3, 0, 2, 1]), .init(codebook: [-1, 1], codes: [0, 1]),
            ],
            scales: [1, 0.25, 10])
        XCTAssertEqual(packed.reconstruction(), [3 - 0.25, -3 + 0.25, 0, 0, 10, -10])
        XCTAssertEqual(packed.reconstruction(points: 1), [3, -3, 0, 0, 10, -10])
        XCTAssertEqual(packed.reconstruction(points: 0), [0, 0, 0, 0, 0, 0])
    }

    /// A ladder's scale is that of the channel's own last point: 3·2·5 for the base of the channel with three.
    func testLadder() throws {
        let packed = try PackedWeights(
            rowLength: 1, points: [3, 1, 2],
            levels: [
                .init(codebook: [-1, 1], codes: [1, 0, 1]), .init(codebook: [-1, 1], codes: [0, 1]),
                .init(codebook: [-1, 1], codes: [1]),
            ],
            ladder: [3, 2], scales: [0.5, 4, 10])
        // Channel 0: 0.5 (6 − 2 + 1); channel 1: −4; channel 2: 10 (3 + 1).
        XCTAssertEqual(packed.reconstruction(), [2.5, -4, 40])
        XCTAssertEqual(packed.reconstruction(points: 1), [3, -4, 30])
        XCTAssertEqual(packed.reconstruction(points: 2), [2, -4, 40])
    }
}
