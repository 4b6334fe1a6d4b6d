import MultipointFormat
import MultipointGraph
import XCTest

@testable import multipoint_cli

final class ReportTests: XCTestCase {
    func testWhatIsInterpolatedIsEscaped() {
        let name = "<b a='1' b=\"2\">&amp;\u{0}\u{1B}\n"
        let html: HTML = "<i>\(name)</i>\("<u>" as HTML)\(3)\(1.005)"
        XCTAssertEqual(html.text, "<i>&lt;b a=&#39;1&#39; b=&quot;2&quot;&gt;&amp;amp;\u{FFFD}\u{FFFD} </i><u>31.00")
    }

    func testNumbers() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567"), (-4321, "−4,321")] {
            XCTAssertEqual(grouped(number), text)
        }
        for (fraction, text) in [(0.0, "0 %"), (1.0, "100 %"), (0.123, "12.3 %"), (0.000_123, "0.0123 %"), (.nan, "–")] {
            XCTAssertEqual(percentText(fraction), text)
        }
        for (number, text) in [(0.0, "0"), (-0.5, "−0.5"), (0.018_66, "0.01866"), (12, "12"), (100, "100")] {
            XCTAssertEqual(shortText(number), text)
        }
    }

    func testHistogram() {
        let histogram = WeightHistogram([-1, -1, 0, 1], limit: 1)
        XCTAssertEqual(histogram.parts[0], 0.5)
        XCTAssertEqual(histogram.parts[50], 0.25)
        XCTAssertEqual(histogram.parts[100], 0.25)
        XCTAssertEqual(histogram.parts.reduce(0, +), 1, accuracy: 1e-12)
        // Mean −1/4, mean square 3/4.
        XCTAssertEqual(histogram.standardDeviation, (0.75 - 0.0625 as Double).squareRoot(), accuracy: 1e-12)
    }

    /// Bits of a truncated file are those of a file with so many points.
    func testTruncation() throws {
        let packed = try PackedWeights(
            rowLength: 8, points: [2, 1],
            levels: [
                .init(codebook: [-3, -1, 1, 3], codes: [UInt8](repeating: 3, count: 16)),
                .init(codebook: [-1, 1], codes: [UInt8](repeating: 0, count: 8)),
            ],
            scales: [1, 0.5, 2])
        let found = Truncation.all(packed, original: nil)
        XCTAssertEqual(found.map(\.points), [1, 2])
        // Points 2, codes 2·2, codebook 4, scales 8 of 16 weights; then one byte of codes, a codebook of 2 and a scale more.
        XCTAssertEqual(found.map(\.bitsPerWeight), [18 * 8 / 16.0, 25 * 8 / 16.0])
        let layer = Layer(name: "l", operation: .gemm, shape: [2, 8], weights: .packed(packed))
        XCTAssertEqual(found[1].bitsPerWeight, layer.bitsPerWeight)
        // ŵ is 2.5 and 6; without the second point 3 and 6.
        XCTAssertEqual(found[0].relativeError, 0.25 / (6.25 + 36), accuracy: 1e-12)
        XCTAssertEqual(found[1].relativeError, 0)
        XCTAssertEqual(packed.codeBitsPerWeight, (2 * 2 + 1) / 2.0)
    }

    func testTimeLeft() {
        var left = TimeLeft()
        let start = ContinuousClock.now
        XCTAssertNil(left.left("a", 0, at: start))
        XCTAssertNil(left.left("a", 0.1, at: start + .milliseconds(500)), "too early to tell")
        XCTAssertEqual(left.left("a", 0.25, at: start + .seconds(2)), .seconds(6))
        XCTAssertNil(left.left("b", 0.5, at: start + .seconds(3)), "another stage")
        XCTAssertEqual(left.left("b", 0.75, at: start + .seconds(5)), .seconds(2), "counted from where it began")
        XCTAssertNil(left.left("b", 1, at: start + .seconds(6)))
        XCTAssertNil(left.left("b", 0.1, at: start + .seconds(7)), "begun anew")
        for (seconds, text) in [(0.1, "1 s"), (59, "59 s"), (59.2, "1 min 0 s"), (3725, "1 h 2 min")] as [(Double, String)] {
            XCTAssertEqual(durationText(.seconds(seconds)), text)
        }
    }

    func testDifferencesOfOutputs() {
        var difference = OutputDifference(output: "y")
        difference.add([3, 4.5] as [Float], [3, 4])
        // Signal 25, noise 0.25.
        XCTAssertEqual(difference.signalToNoise ?? 0, 20, accuracy: 1e-9)
        XCTAssertEqual(difference.cosine ?? 0, 27 / (25 * 29.25 as Double).squareRoot(), accuracy: 1e-12)
        XCTAssertFalse(difference.isEqual)
        var equal = OutputDifference(output: "y")
        equal.add([1] as [Float], [1])
        XCTAssertTrue(equal.isEqual)
        XCTAssertNil(equal.signalToNoise)
        XCTAssertEqual(equal.decibelText, "equal")
        var silent = OutputDifference(output: "y")
        silent.add([1] as [Float], [0])
        XCTAssertNil(silent.signalToNoise)
        XCTAssertNil(silent.cosine)
    }
}
