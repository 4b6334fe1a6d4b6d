@testable import MultipointQuantization
import SeededNumbers
import XCTest

final class SubsetQuantizationTests: XCTestCase {
    /// Weights of a kind, about as networks have them.
    private func weights(_ kind: String, _ count: Int, _ generator: inout SeededGenerator) -> [Float] {
        var w = (0..<count).map { _ -> Float in
            let u = Double.random(in: .leastNonzeroMagnitude..<1, using: &generator)
            let v = Double.random(in: 0..<1, using: &generator)
            if kind == "Laplacian" { return Float(0.02 * log(u)) * (v < 0.5 ? -1 : 1) }
            return Float(0.02 * (-2 * log(u)).squareRoot() * cos(2 * .pi * v))
        }
        switch kind {
        case "pruned": for i in w.indices where abs(w[i]) < 0.025 { w[i] = 0 }
        case "with outliers": for i in 0..<3 { w[i * count / 3] = 1 - 0.1 * Float(i) }
        default: break
        }
        return w
    }

    private func square(_ w: [Float]) -> Double { w.reduce(0) { $0 + Double($1) * Double($1) } }

    /// ‖w − a q‖² as the codes and the scale of a point say.
    private func error(_ w: [Float], _ point: LayerPoint) -> Double {
        zip(w, point.codes).reduce(0.0) { sum, pair in
            let d = Double(pair.0) - Double(point.scale) * Double(point.codebook.values[Int(pair.1)])
            return sum + d * d
        }
    }

    /// The published search for one subset, weight by weight: nearest, least squares, until the error no longer falls.
    private func alternated(_ w: [Float], _ subset: [Int]) -> Double {
        let (largest, magnitude) = (Double(subset[subset.count - 1]), Double(w.map(abs).max() ?? 0))
        let m = subset.map { Double($0) / largest * magnitude }
        var (a, best) = (1.0, Double.infinity)
        while true {
            let q = w.map { w in m.min { abs(a * $0 - abs(Double(w))) < abs(a * $1 - abs(Double(w))) } ?? 0 }
            let dot = zip(w, q).reduce(0) { $0 + abs(Double($1.0)) * $1.1 }
            let norm = q.reduce(0) { $0 + $1 * $1 }
            guard norm > 0, square(w) - dot * dot / norm < best else { return best }
            (a, best) = (dot / norm, square(w) - dot * dot / norm)
        }
    }

    /// The same over sorted magnitudes, where a cell is a difference of running sums: no bins, and fast enough for many weights.
    private struct SortedMagnitudes {
        let x: [Double]
        let sums: [Double]
        let square: Double

        init(_ w: [Float]) {
            x = w.map { abs(Double($0)) }.sorted()
            var sums = [0.0]
            for value in x { sums.append(sums[sums.count - 1] + value) }
            self.sums = sums
            square = x.reduce(0) { $0 + $1 * $1 }
        }

        func index(above threshold: Double) -> Int {
            var (low, high) = (0, x.count)
            while low < high {
                let middle = (low + high) / 2
                if x[middle] > threshold { high = middle } else { low = middle + 1 }
            }
            return low
        }

        /// The least-squares scale for the cells of a scale, and the error that it leaves.
        func step(_ m: [Double], _ a: Double) -> (scale: Double, error: Double) {
            let cuts = [0] + zip(m, m.dropFirst()).map { index(above: a * ($0 + $1) / 2) } + [x.count]
            var (dot, norm) = (0.0, 0.0)
            for (i, m) in m.enumerated() {
                dot += m * (sums[cuts[i + 1]] - sums[cuts[i]])
                norm += m * m * Double(cuts[i + 1] - cuts[i])
            }
            return norm > 0 ? (dot / norm, square - dot * dot / norm) : (a, square)
        }

        func alternated(_ subset: [Int]) -> Double {
            let m = subset.map { Double($0) }
            var best = step(m, x[x.count - 1] / m[m.count - 1])
            while true {
                let next = step(m, best.scale)
                guard next.error < best.error else { return best.error }
                best = next
            }
        }
    }

    /// Weights that are ±1/2 and ±2 have an error of 0 with {1, 4} and scale 1/2, and with no other ratio.
    func testSearchWorkedByHand() throws {
        let point = try SubsetQuantization(bits: 2).point(of: [0.5, -2, 2, -0.5, 0.5, 0.5, -2])
        XCTAssertEqual(point.codebook.values, [-4, -1, 1, 4])
        XCTAssertEqual(point.codes, [2, 0, 3, 1, 2, 2, 0])
        XCTAssertEqual(point.scale, 0.5)
        XCTAssertEqual(point.squaredError, 0)
        let second = try SubsetQuantization(bits: 3).point(of: [0, 0.75, 0.25, -1.5, 0, 0.25])
        XCTAssertEqual(second.codebook.values, [-6, -3, -1, 0, 0, 1, 3, 6])
        XCTAssertEqual(second.scale, 0.25)
        XCTAssertEqual(second.squaredError, 0)
    }

    /// Against every subset, weight by weight.
    func testAgainstPlainLoops() throws {
        var generator = SeededGenerator(seed: 40)
        for (bits, rounds) in [(2, 12), (3, 2)] {
            for round in 0..<rounds {
                let w = weights(round % 2 == 0 ? "normal" : "Laplacian", 5 + 3 * round, &generator)
                let best = UniversalSet.subsets(size: 1 << (bits - 1)).map { alternated(w, $0) }.min() ?? 0
                let found = try SubsetQuantization(bits: bits).point(of: w)
                XCTAssertLessThanOrEqual(error(w, found), 1.001 * best + 1e-6 * square(w), "\(w)")
                XCTAssertEqual(found.squaredError, error(w, found), accuracy: 1e-12 * square(w))
            }
        }
    }

    /// The histogram finds the subset of the exact search, or one whose error, weight by weight, is within 0.1 % of it.
    func testAgainstTheExactSearch() throws {
        var generator = SeededGenerator(seed: 41)
        for kind in ["normal", "Laplacian", "pruned", "with outliers"] {
            for (bits, count) in [(2, 20_000), (2, 300), (3, 20_000), (3, 300), (4, 20_000), (4, 300)] {
                let w = weights(kind, count, &generator)
                let sorted = SortedMagnitudes(w)
                let best = UniversalSet.subsets(size: 1 << (bits - 1)).map(sorted.alternated).min() ?? 0
                let found = try SubsetQuantization(bits: bits).point(of: w)
                XCTAssertLessThanOrEqual(error(w, found), 1.001 * best + 1e-7 * sorted.square, "\(kind), \(count) weights, \(bits) bits")
            }
        }
    }

    /// The best uniform grid with one scale is found (here by a finer grid of scales, cell by cell), and the subset beats it.
    func testAgainstTheBestUniformGrid() throws {
        var generator = SeededGenerator(seed: 42)
        for kind in ["normal", "Laplacian", "pruned"] {
            let w = weights(kind, 10_000, &generator)
            let sorted = SortedMagnitudes(w)
            for bits in 2...4 {
                let uniform = try Codebook(.uniform, bits: bits)
                let magnitudes = (0...uniform.largest).map { Double($0) }
                let top = (sorted.x.last ?? 0) / Double(uniform.largest)
                let best = (1...3000).map { sorted.step(magnitudes, top * 1.1 * Double($0) / 3000).error }.min() ?? 0
                let grid = try LayerPoint(of: w, codebook: uniform, search: .grid)
                XCTAssertEqual(error(w, grid), best, accuracy: 2e-3 * best)
                let ratio = try SubsetQuantization(bits: bits).point(of: w).squaredError / grid.squaredError
                // Where half of the weights are 0, two magnitudes have to be 0 and another one: the uniform grid itself.
                XCTAssertLessThanOrEqual(ratio, kind == "pruned" && bits == 2 ? 1 + 1e-6 : 0.85, "\(kind), \(bits) bits")
                XCTAssertGreaterThan(ratio, 0.2)
            }
        }
    }

    /// Every code is a nearest entry, and the scale is the closed form for the codes.
    func testCodesAndScaleOfAPoint() throws {
        var generator = SeededGenerator(seed: 43)
        for family in Codebook.Family.allCases {
            for bits in family.bits where bits > 1 {
                let codebook = try Codebook.example(family, bits: bits)
                let w = generator.normals(1003, scale: 0.1)
                let point = try LayerPoint(of: w, codebook: codebook)
                let q = point.codes.map { Double(codebook.values[Int($0)]) }
                let norm = q.reduce(0) { $0 + $1 * $1 }
                let closed = zip(w, q).reduce(0) { $0 + Double($1.0) * $1.1 } / norm
                XCTAssertEqual(Double(point.scale), closed, accuracy: 1e-6 * closed)
                XCTAssertEqual(point.squaredError, error(w, point), accuracy: 1e-9 * square(w))
                let nearest = w.reduce(0.0) { sum, w in
                    let distances = codebook.values.map { abs(Double(w) - Double(point.scale) * Double($0)) }
                    return sum + pow(distances.min() ?? 0, 2)
                }
                XCTAssertEqual(nearest, point.squaredError, accuracy: 1e-6 * point.squaredError, "\(family), \(bits) bits")
            }
        }
    }

    func testPackedPointOfALayer() throws {
        var generator = SeededGenerator(seed: 44)
        let w = generator.normals(6 * 10)
        let point = try SubsetQuantization(bits: 3).point(of: w)
        let packed = try point.packed(rowLength: 10)
        XCTAssertEqual(packed.points, [1, 1, 1, 1, 1, 1])
        XCTAssertEqual(packed.scales, [Float](repeating: point.scale, count: 6))
        XCTAssertEqual(packed.levels.map(\.codebook), [point.codebook.values])
        XCTAssertEqual(packed.levels.first?.codes, point.codes)
        for length in [0, -1, 7, 61] { XCTAssertThrowsError(try point.packed(rowLength: length)) }
        let empty = try SubsetQuantization(bits: 3).point(of: [0, 0, -0.0, 0]).packed(rowLength: 2)
        XCTAssertEqual(empty.points, [0, 0])
        XCTAssertEqual(empty.scales, [])
        XCTAssertThrowsError(try SubsetQuantization(bits: 3).point(of: []).packed(rowLength: 1))
    }

    /// The same row of ±1 and ±4 at five scales: a scale for each makes it exact, and a row of zeros does not matter.
    func testRowsWithScalesOfTheirOwn() throws {
        let row: [Float] = [1, -4, 4, 1, 1, -1, 4, 1]
        let w = [1, 3, 0, 10, 0.2].flatMap { scale in row.map { $0 * scale } }
        let codebook = try SubsetQuantization(bits: 2).codebook(for: w, rowLength: 8)
        XCTAssertEqual(codebook.values, [-4, -1, 1, 4])
        XCTAssertThrowsError(try SubsetQuantization(bits: 2).codebook(for: w, rowLength: 0))
    }

    func testThreadsDoNotMatter() throws {
        var generator = SeededGenerator(seed: 45)
        let w = weights("Laplacian", 3000, &generator)
        let one = try SubsetQuantization(bits: 3).point(of: w)
        for threads in [2, 5, 64] { XCTAssertEqual(try SubsetQuantization(bits: 3, threads: threads).point(of: w), one) }
    }

    func testExtremeMagnitudes() throws {
        let vectors: [[Float]] = [
            [.greatestFiniteMagnitude, -.greatestFiniteMagnitude, 1], [.leastNonzeroMagnitude], [1, 1e-30, -1e30], [0, 0, -4],
            [.leastNonzeroMagnitude * 1000, -.leastNonzeroMagnitude * 300, 0],
        ]
        for w in vectors {
            for rowLength in [nil, 1, 2] { _ = try SubsetQuantization(bits: 2).codebook(for: w, rowLength: rowLength) }
            let point = try SubsetQuantization(bits: 2).point(of: w)
            XCTAssertTrue(point.scale.isFinite && point.scale >= 0, "\(w)")
            XCTAssertTrue(point.squaredError.isFinite)
            XCTAssertNoThrow(try point.packed(rowLength: w.count))
        }
    }

    func testWhatIsRefused() {
        for bits in [-1, 0, 1, 5, 8, 9, Int.max] { XCTAssertThrowsError(try SubsetQuantization(bits: bits)) }
        for threads in [0, -1, 1025] { XCTAssertThrowsError(try SubsetQuantization(bits: 3, threads: threads)) }
        for strange in [Float.nan, .infinity] {
            XCTAssertThrowsError(try SubsetQuantization(bits: 3).point(of: [1, strange])) {
                XCTAssertTrue("\($0)".contains("weight 1 is \(strange)"), "\($0)")
            }
        }
    }
}
