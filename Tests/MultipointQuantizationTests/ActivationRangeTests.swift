import MultipointGraph
import MultipointQuantization
import SeededNumbers
import XCTest

final class ActivationRangeTests: XCTestCase {
    private func range(_ values: [Float]) throws -> ActivationRange {
        var range = ActivationRange()
        try values.withUnsafeBufferPointer { try range.include($0) }
        return range
    }

    func testExtremesOfAnyLength() throws {
        var generator = SeededGenerator(seed: 12)
        for count in 1...40 {
            let values = generator.normals(count)
            let found = try range(values)
            XCTAssertEqual(found.minimum, values.min())
            XCTAssertEqual(found.maximum, values.max())
        }
    }

    func testQuantizationByHand() {
        let cases: [(Float, Float, Float, UInt8)] = [
            // 0 to 2.55: steps of a hundredth.
            (0, 2.55, 0.01, 0),
            // Only positive: 0 is included.
            (1, 2.55, 0.01, 0),
            // −1 to 1.55: 0 is the hundredth step.
            (-1, 1.55, 0.01, 100),
            // Symmetric: 127.5 is rounded up.
            (-1, 1, 2 / 255, 128),
            // Only negative: 0 is the last step.
            (-5.1, -2, 0.02, 255),
            // Nothing but zeros.
            (0, 0, 1, 0), (.leastNonzeroMagnitude, .leastNonzeroMagnitude, 1, 0),
        ]
        for (minimum, maximum, scale, zeroPoint) in cases {
            let found = ActivationRange(minimum: minimum, maximum: maximum).quantization
            XCTAssertEqual(found.scale, scale, accuracy: 1e-6 * scale, "\(minimum) to \(maximum)")
            XCTAssertEqual(found.zeroPoint, zeroPoint, "\(minimum) to \(maximum)")
        }
        XCTAssertEqual(ActivationRange().quantization, AffineQuantization(scale: 1, zeroPoint: 0))
    }

    /// Real zero is exact, the ends lose no more than half a step.
    func testRandomRanges() {
        var generator = SeededGenerator(seed: 13)
        for _ in 0..<500 {
            let ends = generator.normals(2, scale: Float.random(in: 0.001...1000, using: &generator)).sorted()
            let q = ActivationRange(minimum: ends[0], maximum: ends[1]).quantization
            XCTAssertTrue(q.scale.isFinite && q.scale > 0)
            if ends[0] >= 0 { XCTAssertEqual(q.zeroPoint, 0) }
            for end in ends {
                let stored = min(255, max(0, (end / q.scale).rounded() + Float(q.zeroPoint)))
                XCTAssertEqual((stored - Float(q.zeroPoint)) * q.scale, end, accuracy: 0.501 * q.scale)
            }
        }
    }

    func testExtremeRangesStayFinite() {
        for range in [
            ActivationRange(minimum: -.greatestFiniteMagnitude, maximum: .greatestFiniteMagnitude),
            ActivationRange(minimum: -.infinity, maximum: .infinity), ActivationRange(minimum: .nan, maximum: .nan),
            ActivationRange(minimum: -1e-37, maximum: .leastNonzeroMagnitude),
        ] {
            XCTAssertTrue(range.quantization.scale.isFinite && range.quantization.scale > 0, "\(range)")
        }
    }

    func testUnion() {
        var range = ActivationRange(minimum: -1, maximum: 2)
        range.formUnion(ActivationRange(minimum: 0, maximum: 3))
        XCTAssertEqual(range, ActivationRange(minimum: -1, maximum: 3))
        range.formUnion(ActivationRange())
        XCTAssertEqual(range, ActivationRange(minimum: -1, maximum: 3))
    }

    func testNumbersThatAreNotFinite() {
        for strange in [Float.nan, .infinity, -.infinity] {
            for index in [0, 5, 8, 12, 16] {
                var values = [Float](repeating: 1, count: 17)
                values[index] = strange
                XCTAssertThrowsError(try range(values)) { XCTAssertTrue("\($0)".contains("element \(index) is \(strange)"), "\($0)") }
            }
        }
    }
}
