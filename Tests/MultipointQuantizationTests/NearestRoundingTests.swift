import MultipointGraph
import MultipointQuantization
import SeededNumbers
import XCTest

final class NearestRoundingTests: XCTestCase {
    /// Worked by hand: Q = 3 at 3 bits, so the steps are 0.5 and 2.
    func testLargestWeightKept() throws {
        let matrix: [Float] = [1.5, -0.6, 0.2, 0, /**/ 0, 0, 0, 0, /**/ 3, -6, 0.9, 1.1]
        let packing = try NearestRounding(bits: 3, scale: .maximum).pack(matrix: matrix, channels: 3, rowLength: 4)
        XCTAssertEqual(packing.weights.points, [1, 0, 1])
        XCTAssertEqual(packing.weights.scales, [0.5, 2])
        XCTAssertEqual(packing.weights.levels.count, 1)
        let level = packing.weights.levels[0]
        let entries = level.codes.map { level.codebook[Int($0)] }
        // 3 / 2 = 1.5 goes to the even neighbour or away from zero: both are as near.
        XCTAssertEqual(Array(entries[..<4]), [3, -1, 0, 0])
        XCTAssertTrue([1, 2].contains(entries[4]))
        XCTAssertEqual(Array(entries[5...]), [-3, 0, 1])
        // Without a second moment the error is ‖w − ŵ‖²: 0.1² + 0.2²; 0; 1² + 0.9² + 0.9².
        for (found, expected) in zip(packing.errors, [0.05, 0, 2.62]) { XCTAssertEqual(found, expected, accuracy: 1e-6) }
        for (found, expected) in zip(packing.powers, [2.65, 0, 47.02]) { XCTAssertEqual(found, expected, accuracy: 1e-5) }
    }

    /// The best scale is at least as good as the largest weight's, but for the grid that it is searched on, and gets better with
    /// every bit.
    func testBestScaleIsNoWorse() throws {
        var generator = SeededGenerator(seed: 4)
        for length in [1, 2, 9, 64, 300] {
            let matrix = generator.normals(8 * length)
            var last = [Double](repeating: .infinity, count: 8)
            for bits in 2...8 {
                let packings = try NearestRounding.Scale.allCases.map { scale in
                    try NearestRounding(bits: bits, scale: scale).pack(matrix: matrix, channels: 8, rowLength: length)
                }
                let (errors, powers) = (packings.map(\.errors), packings[0].powers)
                for channel in 0..<8 {
                    XCTAssertLessThanOrEqual(errors[1][channel], errors[0][channel] * 1.002 + 1e-6 * powers[channel])
                    XCTAssertLessThanOrEqual(errors[1][channel], last[channel] * 1.002 + 1e-6 * powers[channel])
                }
                last = errors[1]
            }
        }
    }

    func testExtremes() throws {
        let tiny = Float.leastNonzeroMagnitude
        let packing = try NearestRounding(bits: 4, scale: .maximum).pack(
            matrix: [tiny, -tiny, .greatestFiniteMagnitude, 1], channels: 2, rowLength: 2)
        XCTAssertEqual(packing.weights.points, [0, 1], "no scale is a normal float for the first")
        XCTAssertThrowsError(try NearestRounding(bits: 4, scale: .maximum).pack(matrix: [.nan], channels: 1, rowLength: 1))
        XCTAssertThrowsError(try NearestRounding(bits: 4, scale: .maximum).pack(matrix: [1, 2], channels: 1, rowLength: 1))
        for bits in [1, 9, 0, -1] { XCTAssertThrowsError(try NearestRounding(bits: bits, scale: .maximum)) }
        let zeros = try packSubset(matrix: [0, 0], channels: 1, rowLength: 2, bits: 3)
        XCTAssertEqual(zeros.weights.points, [0])
    }

    /// What the packing says about its errors, against ŵ put together here.
    func testSubsetErrors() throws {
        var generator = SeededGenerator(seed: 9)
        let matrix = generator.normals(6 * 20)
        let packing = try packSubset(matrix: matrix, channels: 6, rowLength: 20, bits: 3)
        let level = packing.weights.levels[0]
        XCTAssertEqual(Set(packing.weights.scales).count, 1)
        for channel in 0..<6 {
            var error = 0.0
            for k in 0..<20 {
                let q = Double(level.codebook[Int(level.codes[channel * 20 + k])])
                let d = Double(matrix[channel * 20 + k]) - Double(packing.weights.scales[channel]) * q
                error += d * d
            }
            XCTAssertEqual(packing.errors[channel], error, accuracy: 1e-5 * error)
        }
    }
}
