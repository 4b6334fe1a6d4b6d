import MultipointGraph
@testable import MultipointQuantization
import SeededNumbers
import XCTest

final class ActivationHistogramTests: XCTestCase {
    private func histogram(_ values: [Float], batch: Int? = nil, energies: [Double] = [], run: Int = 1) throws -> ActivationHistogram {
        var histogram = ActivationHistogram(energies: energies, run: run)
        for start in stride(from: 0, to: values.count, by: batch ?? max(1, values.count)) {
            let part = Array(values[start..<min(values.count, start + (batch ?? values.count))])
            try part.withUnsafeBufferPointer { try histogram.include($0) }
        }
        return histogram
    }

    /// Σ m (x − x̂)² of the values themselves, by the definition of `AffineQuantization`.
    private func error(_ values: [Float], _ masses: [Double]? = nil, _ low: Float, _ high: Float) -> Double {
        let q = ActivationRange(minimum: low, maximum: high).quantization
        let (scale, zero) = (Double(q.scale), Double(q.zeroPoint))
        return values.enumerated().reduce(0) { sum, element in
            let stored = min(255, max(0, (Double(element.1) / scale).rounded(.toNearestOrEven) + zero))
            let difference = Double(element.1) - scale * (stored - zero)
            return sum + (masses?[element.0] ?? 1) * difference * difference
        }
    }

    /// Normal, with a few values far out; negative ones only if wanted.
    private func activations(_ generator: inout SeededGenerator, _ count: Int, signed: Bool) -> [Float] {
        let spread = Float.random(in: 0.01...100, using: &generator), outliers = Float.random(in: 1...30, using: &generator)
        return (0..<count).map { index in
            let x = generator.normal() * spread * (index % 500 == 0 ? outliers : 1)
            return signed ? x + 0.3 * spread : max(0, x)
        }
    }

    func testBatchesAndOrderDoNotMatter() throws {
        var generator = SeededGenerator(seed: 31)
        for round in 0..<6 {
            let energies: [Double] = round % 2 == 0 ? [] : [1, 0.3, 2]
            // Growing values, so that bins merge time and again.
            let values = generator.normals(600).enumerated().map { $1 * Float($0 / 3) * Float($0 / 3) }
            let whole = try histogram(values, energies: energies)
            for batch in [3, 33, 300] { XCTAssertEqual(try histogram(values, batch: batch, energies: energies), whole) }
            let reversed = stride(from: 597, through: 0, by: -3).flatMap { values[$0..<$0 + 3] }
            XCTAssertEqual(try histogram(reversed, batch: 3, energies: energies), whole)
        }
    }

    /// Masses are those of the values, at most half a bin away from them; a bin is at most 1/4096 of the largest magnitude.
    func testMasses() throws {
        var generator = SeededGenerator(seed: 32)
        for signed in [false, true] {
            let values = activations(&generator, 3000, signed: signed)
            let energies = [0.5, 0, 2.0]
            let found = try histogram(values, batch: 900, energies: energies, run: 100)
            let largest = try XCTUnwrap(values.map(abs).max())
            XCTAssertEqual(found.range, ActivationRange(minimum: try XCTUnwrap(values.min()), maximum: try XCTUnwrap(values.max())))
            XCTAssertEqual(found.count, 3000)
            for weighted in [false, true] {
                let masses = found.masses(weighted: weighted)
                XCTAssertEqual(masses.values, masses.values.sorted())
                for threshold in generator.normals(50, scale: largest) {
                    let expected = values.indices.reduce(0.0) { sum, i in
                        guard values[i] != 0, values[i] < threshold else { return sum }
                        return sum + (weighted ? [0.25, 0, 1.0][i / 100 % 3] * 1_048_576 : 1)
                    }
                    let slack = Double(largest) / 4096
                    func below(_ limit: Double) -> Double {
                        zip(masses.values, masses.masses).reduce(0) { $0 + ($1.0 < limit ? $1.1 : 0) }
                    }
                    XCTAssertLessThanOrEqual(below(Double(threshold) - slack), expected)
                    XCTAssertGreaterThanOrEqual(below(Double(threshold) + slack), expected)
                }
            }
        }
    }

    func testErrorOfMasses() {
        // Steps of 0.01 from −1 to 1.55.
        let q = AffineQuantization(scale: 0.01, zeroPoint: 100)
        let masses = ActivationHistogram.Masses(values: [-1.5, -0.104, 0.104, 1.5, 1.65], masses: [1, 2, 3, 4, 5])
        XCTAssertEqual(masses.error(q), 0.25 + 2 * 0.000016 + 3 * 0.000016 + 0 + 5 * 0.01, accuracy: 1e-6)
    }

    func testPercentiles() throws {
        var generator = SeededGenerator(seed: 33)
        for signed in [false, true] {
            let values = activations(&generator, 20_000, signed: signed).shuffled(using: &generator)
            let (found, sorted) = (try histogram(values, batch: 1000), values.sorted())
            let slack = 2 * (try XCTUnwrap(values.map(abs).max())) / 8192
            for percentile in [99.0, 99.9, 99.99] {
                let range = found.percentileRange(percentile)
                let cut = Int((1 - percentile / 100) * 20_000)
                XCTAssertEqual(range.maximum, sorted[20_000 - 1 - cut], accuracy: slack, "\(percentile)")
                XCTAssertEqual(range.minimum, signed ? sorted[cut] : 0, accuracy: slack, "\(percentile)")
            }
            XCTAssertEqual(found.percentileRange(100), found.range)
        }
        // All but one value in 10,000 is 0: there is nothing to leave out.
        let sparse = try histogram([Float](repeating: 0, count: 10_000) + [3])
        XCTAssertEqual(sparse.percentileRange(99), ActivationRange(minimum: 0, maximum: 3))
    }

    /// No range of a fine grid over both ends is noticeably better, by the values themselves.
    func testLeastSquaresAgainstAllRanges() throws {
        var generator = SeededGenerator(seed: 34)
        for round in 0..<8 {
            let (signed, weighted) = (round % 2 == 1, round % 4 > 1)
            let values = activations(&generator, 2000, signed: signed)
            let energies = weighted ? [1, 0.1, 3, 0.01] : []
            let masses = values.indices.map { weighted ? energies[$0 / 5 % 4] : 1 }
            let found = try histogram(values, batch: 400, energies: energies, run: 5)
            let range = found.leastSquaresRange(weighted: weighted)
            let (low, high) = (try XCTUnwrap(values.min()), try XCTUnwrap(values.max()))
            var best = error(values, masses, low, high)
            XCTAssertLessThanOrEqual(error(values, masses, range.minimum, range.maximum), 1.01 * best)
            for i in 1...(signed ? 25 : 1) {
                for j in 1...(signed ? 25 : 100) {
                    let (a, b) = (signed ? low * Float(i) / 25 : 0, high * Float(j) / (signed ? 25 : 100))
                    best = min(best, error(values, masses, a, b))
                }
            }
            XCTAssertLessThanOrEqual(error(values, masses, range.minimum, range.maximum), 1.03 * best, "round \(round)")
            XCTAssertEqual(range.quantization.zeroPoint == 0, !signed || range.minimum > -0.5 * range.quantization.scale)
        }
    }

    /// Outliers in a channel that nobody reads do not widen the range; without the energies they do.
    func testEnergiesDecide() throws {
        var generator = SeededGenerator(seed: 35)
        let values = (0..<4000).map { abs(generator.normal()) * ($0 % 2 == 0 ? 1 : 50) }
        let range = try histogram(values, energies: [1, 0]).leastSquaresRange(weighted: true)
        let quiet = stride(from: 0, to: 4000, by: 2).map { values[$0] }
        XCTAssertLessThanOrEqual(range.maximum, 1.02 * (try XCTUnwrap(quiet.max())))
        XCTAssertGreaterThan(try histogram(values).leastSquaresRange(weighted: false).maximum, 30)
        // Equal energies, or none above 0, are no energies.
        for energies in [[2.0, 2], [0, 0], [.nan, 1], [.infinity, 1]] {
            XCTAssertEqual(
                try histogram(values, energies: energies).leastSquaresRange(weighted: true),
                try histogram(values).leastSquaresRange(weighted: false))
        }
    }

    func testStrangeActivations() throws {
        let cases: [[Float]] = [
            [], [0, 0, 0], [.leastNonzeroMagnitude], [-.leastNonzeroMagnitude, .leastNonzeroMagnitude], [.greatestFiniteMagnitude],
            [-.greatestFiniteMagnitude, .greatestFiniteMagnitude, 1e-30], [5, 5, 5], [-3, -2], [1e-38, 3e38], [-0.0, 2],
        ]
        for values in cases {
            let found = try histogram(values, batch: 1)
            let ranges = [
                found.range, found.percentileRange(99.9), found.leastSquaresRange(weighted: false),
                found.leastSquaresRange(weighted: true),
            ]
            for range in ranges {
                XCTAssertTrue(range.quantization.scale.isFinite && range.quantization.scale > 0, "\(values): \(range)")
                if values.allSatisfy({ $0 >= 0 }) { XCTAssertEqual(range.quantization.zeroPoint, 0, "\(values)") }
            }
        }
        for strange in [Float.nan, .infinity] {
            var found = try histogram([1, 2, 3])
            let before = found
            try [0, strange].withUnsafeBufferPointer { values in
                XCTAssertThrowsError(try found.include(values)) { XCTAssertTrue("\($0)".contains("element 1 is \(strange)"), "\($0)") }
            }
            XCTAssertEqual(found, before)
        }
    }
}
