@testable import MultipointQuantization
import MultipointGraph
import SeededNumbers
import XCTest

/// Points whose codes index a subset.
final class SubsetPackingTests: XCTestCase {
    private func options(bits: Int, points: Int, relativeEpsilon: Double = 0, threads: Int = 1) -> PackingOptions {
        PackingOptions(
            bits: bits, codebook: .subset, maximumPoints: points, relativeEpsilon: relativeEpsilon, threads: threads)
    }

    /// ‖w − ŵ‖² by the definition of `PackedWeights`.
    private func squaredError(_ w: [Float], _ packed: PackedWeights) -> Double {
        var (scale, row, sum) = (0, [Int](repeating: 0, count: packed.levels.count), 0.0)
        for channel in 0..<packed.channels {
            var d = w[channel * packed.rowLength..<(channel + 1) * packed.rowLength].map(Double.init)
            for level in 0..<Int(packed.points[channel]) {
                for k in d.indices {
                    let code = packed.levels[level].codes[row[level] * packed.rowLength + k]
                    d[k] -= Double(packed.scales[scale]) * Double(packed.levels[level].codebook[Int(code)])
                }
                (scale, row[level]) = (scale + 1, row[level] + 1)
            }
            sum += d.reduce(0) { $0 + $1 * $1 }
        }
        return sum
    }

    /// ‖w − ŵ‖² of a codebook in every level.
    private func greedyError(_ w: [Float], _ length: Int, _ codebook: Codebook, points: Int) throws -> Double {
        try stride(from: 0, to: w.count, by: length).reduce(0) { sum, start in
            let row = Array(w[start..<start + length])
            let found = try GreedyPoints(codebook: codebook).points(of: row, count: points)
            return sum + row.indices.reduce(0) { sum, k in
                let d = found.reduce(Double(row[k])) { $0 - Double($1.scale) * Double(codebook.values[Int($1.codes[k])]) }
                return sum + d * d
            }
        }
    }

    /// Channels of very different scales, as folded batch normalizations leave them.
    private func weights(_ channels: Int, _ length: Int, _ generator: inout SeededGenerator) -> [Float] {
        (0..<channels).flatMap { _ in
            let scale = exp2(Float.random(in: -3...0, using: &generator))
            return generator.normals(length, scale: scale)
        }
    }

    /// The first level has the better of the two searches; further ones do at least as well as its codebook once more.
    func testCodebooksOfLevels() throws {
        var generator = SeededGenerator(seed: 50)
        for (bits, channels, length) in [(2, 8, 40), (3, 6, 60), (2, 1, 9), (3, 30, 4)] {
            let w = weights(channels, length, &generator)
            let search = try SubsetQuantization(bits: bits)
            let searched = [try search.codebook(for: w), try search.codebook(for: w, rowLength: length)]
            let errors = try searched.map { try greedyError(w, length, $0, points: 1) }
            let one = try packWeights(matrix: w, channels: channels, rowLength: length, options: options(bits: bits, points: 1))
            XCTAssertEqual(one.codebooks, [searched[errors[0] <= errors[1] ? 0 : 1]])
            XCTAssertEqual(squaredError(w, one.weights), errors.min() ?? 0, accuracy: 1e-6 * (errors.min() ?? 0))
            let two = try packWeights(matrix: w, channels: channels, rowLength: length, options: options(bits: bits, points: 2))
            XCTAssertEqual(two.codebooks.first, one.codebooks.first)
            XCTAssertEqual(two.weights.levels.map(\.codebook), two.codebooks.map(\.values))
            XCTAssertEqual(two.weights.levels.first, one.weights.levels.first)
            let again = try greedyError(w, length, one.codebooks[0], points: 2)
            XCTAssertLessThanOrEqual(squaredError(w, two.weights), again * (1 + 1e-6))
            XCTAssertEqual(two.errors.reduce(0, +), squaredError(w, two.weights), accuracy: 1e-5 * again)
        }
    }

    /// Some second level takes a codebook of its own, and gains by it.
    func testAnotherCodebookForTheResidual() throws {
        var generator = SeededGenerator(seed: 51)
        let w = generator.normals(20 * 100)
        let packing = try packWeights(matrix: w, channels: 20, rowLength: 100, options: options(bits: 3, points: 2))
        XCTAssertNotEqual(packing.codebooks[0], packing.codebooks[1])
        XCTAssertLessThan(squaredError(w, packing.weights), try greedyError(w, 100, packing.codebooks[0], points: 2))
    }

    func testWidthOfFour() throws {
        var generator = SeededGenerator(seed: 52)
        let w = weights(10, 90, &generator)
        let packing = try packWeights(matrix: w, channels: 10, rowLength: 90, options: options(bits: 4, points: 1))
        XCTAssertEqual(packing.weights.levels.map(\.bits), [4])
        XCTAssertLessThan(squaredError(w, packing.weights), try greedyError(w, 90, Codebook(.uniform, bits: 4), points: 1))
    }

    func testAdaptiveChannelsAndZeros() throws {
        var generator = SeededGenerator(seed: 53)
        let w = generator.normals(3 * 30) + [Float](repeating: 0, count: 30) + (0..<30).map { $0 % 3 == 0 ? 4 : -1 }
        let packing = try packWeights(
            matrix: w, channels: 5, rowLength: 30, options: options(bits: 2, points: 4, relativeEpsilon: 0.02))
        XCTAssertEqual(packing.weights.points[3], 0)
        for channel in 0..<3 {
            XCTAssertGreaterThan(packing.weights.points[channel], 1)
            XCTAssertLessThanOrEqual(packing.errors[channel], 0.02 * packing.powers[channel])
        }
        let empty = try packWeights(matrix: [0, 0, 0, 0], channels: 2, rowLength: 2, options: options(bits: 4, points: 2))
        XCTAssertEqual(empty.weights.points, [0, 0])
        XCTAssertEqual(empty.codebooks.map(\.bits), [4])
    }

    func testThreadsDoNotMatter() throws {
        var generator = SeededGenerator(seed: 54)
        let w = weights(17, 23, &generator)
        let one = try packWeights(matrix: w, channels: 17, rowLength: 23, options: options(bits: 3, points: 3))
        for threads in [2, 7] {
            let other = try packWeights(
                matrix: w, channels: 17, rowLength: 23, options: options(bits: 3, points: 3, threads: threads))
            XCTAssertEqual(other.weights, one.weights)
            XCTAssertEqual(other.codebooks, one.codebooks)
        }
    }

    func testWidthsWithoutSubsets() {
        for bits in [1, 5, 7] {
            XCTAssertThrowsError(try packWeights(matrix: [1, 2], channels: 1, rowLength: 2, options: options(bits: bits, points: 1))) {
                XCTAssertTrue("\($0)".contains("2 to 4 expected for codebook subset, found \(bits)"), "\($0)")
            }
        }
    }
}
