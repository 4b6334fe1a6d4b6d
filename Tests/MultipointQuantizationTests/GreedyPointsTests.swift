import MultipointQuantization
import SeededNumbers
import XCTest

final class GreedyPointsTests: XCTestCase {
    private func residual(_ w: [Float], _ points: [GreedyPoints.Point], _ codebook: Codebook) -> [Double] {
        w.indices.map { i in
            points.reduce(Double(w[i])) { $0 - Double($1.scale) * Double(codebook.values[Int($1.codes[i])]) }
        }
    }

    private func square(_ r: [Double]) -> Double { r.reduce(0) { $0 + $1 * $1 } }

    /// The least ‖w − a q‖² over every q of the codebook and every a.
    private func bruteForce(_ w: [Float], _ codebook: Codebook) -> Double {
        let power = square(w.map(Double.init))
        var best = power
        var q = [Int](repeating: 0, count: w.count)
        let entries = Array(Set(codebook.values))
        for number in 0..<Int(pow(Double(entries.count), Double(w.count))) {
            var rest = number
            for i in q.indices {
                q[i] = Int(entries[rest % entries.count])
                rest /= entries.count
            }
            let norm = q.reduce(0) { $0 + $1 * $1 }
            let dot = zip(w, q).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
            if norm > 0 { best = min(best, power - dot * dot / Double(norm)) }
        }
        return best
    }

    /// The grid may miss the narrowest of the optimal steps; what it loses is a small part of the vector.
    func testFirstPointAgainstBruteForce() throws {
        var generator = SeededGenerator(seed: 2)
        let cases: [(Codebook.Family, Int, Int)] = [
            (.odd, 1, 6), (.odd, 2, 3), (.odd, 2, 6), (.odd, 3, 4), (.odd, 4, 3), (.uniform, 2, 3), (.uniform, 2, 8),
            (.uniform, 3, 4), (.uniform, 4, 3), (.subset, 2, 6), (.subset, 3, 4), (.subset, 4, 3),
        ]
        for (family, bits, length) in cases {
            let codebook = try Codebook.example(family, bits: bits)
            for _ in 0..<60 {
                let w = generator.normals(length)
                let points = try GreedyPoints(codebook: codebook).points(of: w, count: 1)
                let power = square(w.map(Double.init))
                let found = square(residual(w, points, codebook))
                let best = bruteForce(w, codebook)
                XCTAssertGreaterThanOrEqual(found, best - 1e-6 * power)
                XCTAssertLessThanOrEqual(found, best + 1e-4 * power, "\(family) \(bits) bits, \(w)")
            }
        }
    }

    func testScaleIsTheClosedForm() throws {
        var generator = SeededGenerator(seed: 3)
        for (bits, length) in [(1, 1), (2, 9), (4, 27), (6, 64), (7, 131), (8, 576)] {
            let codebook = try Codebook(bits: bits)
            let w = generator.normals(length, scale: 0.05)
            let point = try XCTUnwrap(GreedyPoints(codebook: codebook).points(of: w, count: 1).first)
            let q = point.codes.map { Double(codebook.values[Int($0)]) }
            let expected = zip(w, q).reduce(0) { $0 + Double($1.0) * $1.1 } / square(q)
            XCTAssertEqual(Double(point.scale), expected, accuracy: 1e-6 * expected)
            XCTAssertGreaterThan(point.scale, 0)
        }
    }

    /// A vector that one point can hold takes one point; of another there is nothing left but rounding.
    func testExactVectors() throws {
        var generator = SeededGenerator(seed: 4)
        for family in Codebook.Family.allCases {
            for bits in family.bits {
                let codebook = try Codebook.example(family, bits: bits)
                var q = (0..<100).map { _ in Float(codebook.values.randomElement(using: &generator) ?? 0) }
                q[17] = Float(codebook.largest)
                let w = q.map { $0 * 0.0375 }
                let points = try GreedyPoints(codebook: codebook).points(of: w, count: 1)
                XCTAssertEqual(try XCTUnwrap(points.first).scale, 0.0375, accuracy: 1e-7)
                XCTAssertLessThan(square(residual(w, points, codebook)), 1e-12 * square(w.map(Double.init)))
            }
        }
    }

    /// n points leave ‖r‖ ≤ ρⁿ ‖w‖ with ρ depending on the width. And each point does at least as well as the vector of signs,
    /// which every codebook holds: ‖r‖² falls by ‖r‖₁² / K.
    func testResidualFallsGeometrically() throws {
        var generator = SeededGenerator(seed: 5)
        for (bits, ratio) in [(1, 0.75), (2, 0.55), (3, 0.4), (4, 0.3), (6, 0.12), (8, 0.05)] {
            let codebook = try Codebook(bits: bits)
            for length in [9, 64, 500] {
                let w = generator.normals(length, scale: 0.1)
                let points = try GreedyPoints(codebook: codebook).points(of: w, count: 4)
                XCTAssertEqual(points.count, 4)
                let norm = square(w.map(Double.init)).squareRoot()
                for count in 1...4 {
                    let before = residual(w, Array(points.prefix(count - 1)), codebook)
                    let after = square(residual(w, Array(points.prefix(count)), codebook))
                    let place = "\(bits) bits, \(length) weights, point \(count)"
                    XCTAssertLessThan(after.squareRoot(), pow(ratio, Double(count)) * norm, place)
                    let sum = before.reduce(0) { $0 + abs($1) }
                    XCTAssertLessThanOrEqual(after, square(before) - sum * sum / Double(length) + 1e-7 * square(before), place)
                }
            }
        }
    }

    /// The least distortion of a normal distribution under 4, 16 and 64 evenly spaced levels, found by numerical integration over
    /// all steps (4 and 16: also Max, "Quantizing for minimum distortion", 1960): the search comes to the same.
    func testNormalVectorsReachTheKnownDistortion() throws {
        var generator = SeededGenerator(seed: 6)
        for (bits, distortion) in [(2, 0.1188), (4, 0.01154), (6, 0.001041)] {
            let codebook = try Codebook(.odd, bits: bits)
            let w = (0..<8000).map { _ in
                // Box and Muller, because the sum of uniform numbers has too short tails for this.
                let u = Double.random(in: .leastNonzeroMagnitude..<1, using: &generator)
                let v = Double.random(in: 0..<1, using: &generator)
                return Float((-2 * log(u)).squareRoot() * cos(2 * .pi * v))
            }
            let points = try GreedyPoints(codebook: codebook).points(of: w, count: 1)
            let relative = square(residual(w, points, codebook)) / square(w.map(Double.init))
            XCTAssertEqual(relative, distortion, accuracy: 0.06 * distortion)
        }
    }

    func testVectorsWithNothingToRepresent() throws {
        for family in Codebook.Family.allCases {
            let greedy = GreedyPoints(codebook: try Codebook.example(family, bits: 3))
            XCTAssertEqual(try greedy.points(of: [0, -0.0, 0], count: 3), [])
            XCTAssertEqual(try greedy.points(of: [], count: 3), [])
            XCTAssertEqual(try greedy.points(of: [1, 2], count: 0), [])
        }
    }

    /// Scales stay finite and positive at the ends of Float.
    func testExtremeMagnitudes() throws {
        let vectors: [[Float]] = [
            [.greatestFiniteMagnitude, -.greatestFiniteMagnitude, 1], [.leastNonzeroMagnitude],
            [.leastNonzeroMagnitude * 1000, -.leastNonzeroMagnitude * 300, 0],
            [1, 1e-30, -1e30], [.leastNormalMagnitude, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0, -4],
        ]
        for family in Codebook.Family.allCases {
            for bits in family.bits {
                let codebook = try Codebook.example(family, bits: bits)
                for w in vectors {
                    for point in try GreedyPoints(codebook: codebook).points(of: w, count: 5) {
                        XCTAssertTrue(point.scale.isFinite && point.scale > 0, "\(family) \(bits) bits, \(w)")
                    }
                }
            }
        }
    }

    func testNumbersThatAreNotFinite() throws {
        let greedy = GreedyPoints(codebook: try Codebook(bits: 4))
        for strange in [Float.nan, .infinity] {
            XCTAssertThrowsError(try greedy.points(of: [1, strange], count: 1)) {
                XCTAssertTrue("\($0)".contains("weight 1 is \(strange)"), "\($0)")
            }
        }
    }
}
