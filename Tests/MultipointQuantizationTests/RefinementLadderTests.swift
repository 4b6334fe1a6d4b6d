import MultipointGraph
import SeededNumbers
import XCTest

@testable import MultipointQuantization

final class RefinementLadderTests: XCTestCase {
    /// Rows by the file's definition: Horner's rule over the stored codebooks and ratios.
    private func folded(_ packed: PackedWeights) throws -> [[Int]] {
        let ladder = try XCTUnwrap(packed.ladder)
        var used = [Int](repeating: 0, count: packed.levels.count)
        return packed.points.map { points in
            var row = [Int](repeating: 0, count: packed.rowLength)
            for level in 0..<Int(points) {
                let first = used[level] * packed.rowLength
                used[level] += 1
                for k in row.indices {
                    let entry = Int(packed.levels[level].codebook[Int(packed.levels[level].codes[first + k])])
                    row[k] = (level == 0 ? 0 : ladder[level - 1] * row[k]) + entry
                }
            }
            return row
        }
    }

    /// A layer whose channels have the given widths, with every entry of each width.
    private func everyEntry(_ ladder: RefinementLadder, _ widths: [Int], length: Int = 128) -> RoundedWeights {
        var rounded = RoundedWeights(
            ladder: ladder, rowLength: length, rows: widths.enumerated().map { RoundedRow(channel: $0.offset, bits: $0.element) })
        for (row, bits) in widths.enumerated() where bits > 0 {
            rounded.scales[row] = 0.5
            let values = ladder.values(bits: bits)
            for k in 0..<length { rounded.entries[row * length + k] = Int8(values[k % values.count]) }
        }
        return rounded
    }

    /// For every combination of widths, splitting into levels and folding are inverse to each other, there is a level for each width
    /// and a point for each level up to the channel's.
    func testSplittingAndFoldingAreInverse() throws {
        let subset = RefinementLadder(
            family: .subset, base: [-8, -4, -3, 0, 0, 3, 4, 8],
            refinements: [.init(ratio: 3, low: -2, high: 2), .init(ratio: 1, low: -1, high: 1), .init(ratio: 1, low: -5, high: 5)])
        for ladder in [.odd, .zero, subset] {
            let widths = Array(ladder.widths)
            for choice in 1..<(1 << widths.count) {
                let used = widths.indices.filter { choice >> $0 & 1 == 1 }.map { widths[$0] }
                let rounded = everyEntry(ladder, used.reversed() + [0] + used)
                let packed = try rounded.packed(Array(rounded.rows.indices))
                XCTAssertEqual(packed.levels.count, used.count)
                XCTAssertEqual(packed.levels.map(\.bits).reduce(0, +), used.last)
                XCTAssertEqual(packed.points.map { Int($0) }, used.indices.reversed().map { $0 + 1 } + [0] + used.indices.map { $0 + 1 })
                for (row, found) in try folded(packed).enumerated() {
                    XCTAssertEqual(
                        found, rounded.entries[row * rounded.rowLength..<(row + 1) * rounded.rowLength].map { Int($0) },
                        "\(ladder.family), widths \(used), row \(row)")
                }
            }
        }
    }

    /// A channel of n bits is the n-bit quantizer: all odd integers of the width, or all integers of two's complement.
    func testIntegersOfEveryWidth() {
        for bits in 1...6 {
            let half = 1 << (bits - 1)
            XCTAssertEqual(RefinementLadder.odd.values(bits: bits), (-half..<half).map { 2 * $0 + 1 })
        }
        for bits in 1...7 {
            let half = 1 << (bits - 1)
            XCTAssertEqual(RefinementLadder.zero.values(bits: bits), Array(-half..<half))
        }
    }

    /// Bytes as the file has them: 10 weights of 3, 4 and 6 bits, and none.
    func testByteCounts() throws {
        let rounded = everyEntry(.odd, [3, 4, 6, 0], length: 10)
        // 30, 10 and 20 bits on whole bytes; a number of points and a scale.
        XCTAssertEqual(RefinementLadder.byteCount(bits: 6, widths: [3, 4, 6], rowLength: 10), 4 + 2 + 3 + 5)
        XCTAssertEqual(rounded.byteCount(ofRow: 2), 8 + 5)
        XCTAssertEqual(rounded.byteCount(ofRow: 3), 5)
        let layer = Layer(
            name: "fc", operation: .gemm, shape: [4, 10], weights: .packed(try rounded.packed([0, 1, 2, 3])), bias: nil)
        let stored = (4 + 5) + (4 + 2 + 5) + (4 + 2 + 3 + 5) + 5 + (8 + 2 + 4)
        XCTAssertEqual(rounded.byteCount(ofLayer: [0, 1, 2, 3]), stored)
        guard case .packed(let packed) = layer.weights else { return XCTFail() }
        XCTAssertEqual(packed.levels.map(\.codebook.count), [8, 2, 4])
    }

    func testAWidthThatTheLadderDoesNotHaveIsRefused() {
        var rounded = RoundedWeights(ladder: .odd, rowLength: 1, rows: [RoundedRow(channel: 0, bits: 7)])
        rounded.scales[0] = 1
        XCTAssertThrowsError(try rounded.packed([0])) { XCTAssertTrue("\($0)".contains("channel 0: 7 bits"), "\($0)") }
    }

    /// The base is what subset quantization finds; every refinement lowers the best error of a channel that has it, rows stay within
    /// ±64, and the first refinement is the best of all that fit, by trying every one with every scale of a fine grid.
    func testSubsetLadder() throws {
        var generator = SeededGenerator(seed: 5)
        let (rows, length) = (8, 96)
        let weights = (0..<rows).flatMap { row in generator.normals(length, scale: Float(row + 1)) }
        for bits in 2...4 {
            let ladder = try RefinementLadder.subset(for: weights, rowLength: length, bits: bits)
            XCTAssertEqual(
                ladder.base, try SubsetQuantization(bits: bits).codebook(for: weights, rowLength: length).values.map { Int($0) })
            XCTAssertEqual(ladder.widths.lowerBound, bits)
            var last = Double.infinity
            for width in ladder.widths {
                let values = ladder.values(bits: width)
                XCTAssertEqual(values.count, 1 << width)
                XCTAssertLessThanOrEqual(values.map(abs).max() ?? 0, 64)
                let error = leastError(weights, length, values)
                XCTAssertLessThan(error, last, "\(bits) bits, width \(width)")
                last = error
            }
            guard bits == 2, let first = ladder.refinements.first else { continue }
            let largest = ladder.base.map(abs).max() ?? 1
            var best = Double.infinity
            for ratio in 1...(64 / largest) {
                for u in 1..<64 where ratio * largest + u <= 64 {
                    best = min(best, leastError(weights, length, ladder.base.flatMap { [ratio * $0 - u, ratio * $0 + u] }))
                }
            }
            let found = leastError(weights, length, ladder.base.flatMap { [first.ratio * $0 - first.high, first.ratio * $0 + first.high] })
            XCTAssertLessThan(found, 1.01 * best)
        }
    }

    /// Of all scales in proportion to the rows' root mean squares.
    private func leastError(_ weights: [Float], _ length: Int, _ values: [Int]) -> Double {
        let sorted = Set(values).sorted()
        let largest = Double(sorted.last ?? 1)
        let rows = weights.count / length
        let norms = (0..<rows).map { row in
            (weights[row * length..<(row + 1) * length].reduce(0) { $0 + Double($1) * Double($1) } / Double(length)).squareRoot()
        }
        return (1...160).map { step in
            let peak = 4 * Double(step) / 160
            var sum = 0.0
            for (i, w) in weights.enumerated() {
                let x = Double(w) / norms[i / length]
                // The nearest of the values at this scale.
                let target = x / peak * largest
                var nearest = sorted[0]
                for value in sorted where abs(Double(value) - target) < abs(Double(nearest) - target) { nearest = value }
                let d = norms[i / length] * (x - Double(nearest) * peak / largest)
                sum += d * d
            }
            return sum
        }.min() ?? .infinity
    }
}
