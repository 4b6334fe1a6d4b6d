import MultipointGraph
import MultipointRuntime
import SeededNumbers
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

    /// Whatever the codebooks, widths and lengths: a channel's rows add up to its points, in float64, and are the same from codes as the
    /// file packs them, and decoded by two threads.
    func testRowsAddUpToPoints() throws {
        var generator = SeededGenerator(seed: 5)
        for round in 0..<120 {
            let isLarge = round % 12 == 0
            let channels = Int.random(in: 1...(isLarge ? 150 : 12), using: &generator)
            let length = isLarge ? Int.random(in: 900...1100, using: &generator) : Int.random(in: 1...70, using: &generator)
            let weights = RandomLayer.weights(channels: channels, length: length, &generator)
            let rows = LayerRows(weights)
            let values = rows.values
            XCTAssertEqual(values.count, rows.count * length)
            XCTAssertTrue(values.allSatisfy { abs(Int($0)) <= 64 })
            var sums = [Double](repeating: 0, count: channels * length)
            for row in 0..<rows.count {
                for k in 0..<length {
                    sums[Int(rows.channels[row]) * length + k] += Double(rows.scales[row]) * Double(values[row * length + k])
                }
            }
            let expected = pointSums(weights)
            for (sum, expected) in zip(sums, expected) { XCTAssertEqual(sum, expected, accuracy: 1e-9 * 256) }
            let packed = packedAsInFile(weights)
            XCTAssertEqual(packed, weights)
            XCTAssertEqual(LayerRows(packed).values, values)
            XCTAssertEqual(LayerRows(packed).values(threads: 2), values)
        }
    }

    /// Σ a q of every channel's points. In a ladder a point's scale is that of its finest times the ratios in between.
    private func pointSums(_ weights: PackedWeights) -> [Double] {
        var sums = [Double](repeating: 0, count: weights.channels * weights.rowLength)
        let codes = weights.levels.map(\.codes)
        var used = [Int](repeating: 0, count: weights.levels.count)
        var nextScale = 0
        for (channel, points) in weights.points.enumerated() {
            for level in 0..<Int(points) {
                var scale = Double(weights.scales[nextScale])
                if let ladder = weights.ladder { for finer in level..<(Int(points) - 1) { scale *= Double(ladder[finer]) } }
                for k in 0..<weights.rowLength {
                    let code = codes[level][used[level] * weights.rowLength + k]
                    sums[channel * weights.rowLength + k] += scale * Double(weights.levels[level].codebook[Int(code)])
                }
                used[level] += 1
                if weights.ladder == nil { nextScale += 1 }
            }
            if weights.ladder != nil { nextScale += 1 }
        }
        return sums
    }

    /// The same with every level's codes packed, bit by bit.
    private func packedAsInFile(_ weights: PackedWeights) -> PackedWeights {
        var result = weights
        let length = weights.rowLength
        for (index, level) in weights.levels.enumerated() {
            let size = (length * level.bits + 7) / 8
            let codes = level.codes
            let vectors = codes.count / length
            var bytes = [UInt8](repeating: 0, count: vectors * size)
            for (position, code) in codes.enumerated() {
                for bit in 0..<level.bits where (code >> bit) & 1 == 1 {
                    let place = position % length * level.bits + bit
                    bytes[position / length * size + place / 8] |= 1 << UInt8(place % 8)
                }
            }
            result.levels[index] = .init(codebook: level.codebook, packedCodes: bytes, vectors: vectors, vectorLength: length)
        }
        return result
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
