import MultipointGraph
import XCTest

@testable import MultipointQuantization

final class RefinementLadderTests: XCTestCase {
    /// For every base and every width from it to 6 bits: all odd integers of that width, split into levels, are what Horner's rule over
    /// the stored codebooks gives back.
    func testSplittingAndFoldingAreInverse() throws {
        for base in 1...6 {
            let widths = Array(base...6)
            let length = 64
            var rounded = RoundedWeights(
                rowLength: length, rows: widths.enumerated().map { RoundedWeights.Row(channel: $0.offset, bits: $0.element) })
            for (row, bits) in widths.enumerated() {
                let largest = (1 << bits) - 1
                rounded.scales[row] = 0.5
                // Every odd integer of the width, again and again.
                for k in 0..<length { rounded.entries[row * length + k] = Int8(2 * (k % (1 << bits)) - largest) }
            }
            let packed = try RefinementLadder(baseBits: base).pack(rounded)
            XCTAssertEqual(packed.points.map { Int($0) }, widths.map { $0 - base + 1 })
            XCTAssertEqual(packed.ladder, [Int](repeating: 2, count: 6 - base))
            var used = [Int](repeating: 0, count: packed.levels.count)
            for (row, points) in packed.points.enumerated() {
                var folded = [Int](repeating: 0, count: length)
                for level in 0..<Int(points) {
                    let codes = packed.levels[level].codes[(used[level] * length)..<((used[level] + 1) * length)]
                    used[level] += 1
                    for (k, code) in codes.enumerated() { folded[k] = 2 * folded[k] + Int(packed.levels[level].codebook[Int(code)]) }
                }
                XCTAssertEqual(folded, rounded.entries[(row * length)..<((row + 1) * length)].map { Int($0) }, "base \(base), row \(row)")
            }
        }
    }

    func testAWidthBelowTheBaseIsRefused() {
        var rounded = RoundedWeights(rowLength: 1, rows: [RoundedWeights.Row(channel: 0, bits: 2)])
        rounded.scales[0] = 1
        XCTAssertThrowsError(try RefinementLadder(baseBits: 3).pack(rounded)) { XCTAssertTrue("\($0)".contains("channel 0"), "\($0)") }
    }
}
