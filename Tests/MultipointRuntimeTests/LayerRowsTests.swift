import MultipointGraph
import MultipointRuntime
import XCTest

final class LayerRowsTests: XCTestCase {
    /// 2-bit base (−3, −1, 1, 3) and two 1-bit refinements (−1, 1), ratios 2 and 2: three points fold to 4·q0 + 2·q1 + q2, two to
    /// 2·q0 + q1, one stays itself.
    func testLaddersFoldByHornersRule() throws {
        let packed = try PackedWeights(
            rowLength: 2, points: [3, 2, 1, 0],
            levels: [
                .init(codebook: [-3, -1, 1, 3], codes: [0, 3, 1, 2, 3, 0]), .init(codebook: [-1, 1], codes: [0, 1, 1, 0]),
                .init(codebook: [-1, 1], codes: [1, 0]),
            ], ladder: [2, 2], scales: [0.5, 0.25, 2, 7])
        let rows = LayerRows(packed)
        // 4 · (−3) + 2 · (−1) + 1, 4 · 3 + 2 · 1 − 1; 2 · (−1) + 1, 2 · 1 − 1; 3, −3; no points.
        XCTAssertEqual(rows.values, [-13, 13, -1, 1, 3, -3, 0, 0])
        XCTAssertEqual(rows.scales, [0.5, 0.25, 2, 1])
        XCTAssertEqual(rows.channels, [0, 1, 2, 3])
        XCTAssertEqual(rows.foldedCount, 2)
        XCTAssertEqual(rows.extraCount, 0)
    }

    /// Free points stay apart: first every channel's first row, then the second rows, then the third.
    func testFreePointsBecomeExtraRows() throws {
        let packed = try PackedWeights(
            rowLength: 1, points: [1, 3, 0, 2],
            levels: [
                .init(codebook: [-1, 1], codes: [0, 1, 1]), .init(codebook: [-2, 2], codes: [0, 1]),
                .init(codebook: [-4, 4], codes: [1]),
            ], scales: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
        let rows = LayerRows(packed)
        XCTAssertEqual(rows.values, [-1, 1, 0, 1, -2, 2, 4])
        XCTAssertEqual(rows.scales, [0.1, 0.2, 1, 0.5, 0.3, 0.6, 0.4])
        XCTAssertEqual(rows.channels, [0, 1, 2, 3, 1, 3, 1])
        XCTAssertEqual(rows.depth, 3)
    }

    /// Entries beyond 64 saturate in 16-bit sums, so such a vector is two rows of one scale.
    func testWideVectorsAreSplit() throws {
        let packed = try PackedWeights(
            rowLength: 3, points: [1, 1], levels: [.init(codebook: [-128, 64, 65, 127], codes: [0, 2, 3, 1, 1, 1])],
            scales: [0.5, 0.25])
        let rows = LayerRows(packed)
        XCTAssertEqual(rows.values, [-64, 64, 64, 64, 64, 64, -64, 1, 63])
        XCTAssertEqual(rows.scales, [0.5, 0.25, 0.5])
        XCTAssertEqual(rows.channels, [0, 1, 0])
    }
}
