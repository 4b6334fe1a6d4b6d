import XCTest

@testable import MultipointQuantization

final class OutputAwareRoundingTests: XCTestCase {
    private let (channels, length, patches) = (6, 24, 400)

    /// Correlated inputs: neighbours share most of their value.
    private func inputs(_ generator: inout SeededGenerator) -> [Float] {
        var values: [Float] = []
        for _ in 0..<patches {
            var common: Float = 0
            for _ in 0..<length {
                common = 0.8 * common + Float.random(in: -1...1, using: &generator)
                values.append(common)
            }
        }
        return values
    }

    /// The variance over the patches of what a change of the weights does to the output, in double arithmetic: a layer's bias takes up
    /// the mean.
    private func damage(_ change: [Double], _ x: [Float]) -> Double {
        let outputs = (0..<patches).map { patch in
            (0..<length).reduce(0.0) { $0 + change[$1] * Double(x[patch * length + $1]) }
        }
        let mean = outputs.reduce(0, +) / Double(patches)
        return outputs.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(patches)
    }

    /// The least damage of any step size with plain rounding to odd integers of the width.
    private func nearest(_ w: [Float], bits: Int, _ x: [Float]) -> Double {
        let largest = Float((1 << bits) - 1)
        let size = w.map(abs).max() ?? 1
        return (1...100).map { step in
            let scale = size / largest * Float(step) / 50
            return damage(
                w.map { value in
                    let odd = max(-largest, min(largest, 2 * ((value / scale - 1) / 2).rounded() + 1))
                    return Double(value) - Double(scale * odd)
                }, x)
        }.min() ?? .infinity
    }

    /// What it leaves is less than the best plain rounding's, entries are odd and of their width, and more bits leave less.
    func testRoundingBeatsNearestRounding() throws {
        var generator = SeededGenerator(11)
        let x = inputs(&generator)
        let w = (0..<(channels * length)).map { _ in Float.random(in: -1...1, using: &generator) }
        let moment = try SecondMoment(rowLength: length, patches: x, count: patches)
        let rounding = try OutputAwareRounding(
            matrix: w, channels: channels, rowLength: length, secondMoment: moment, algebra: .plain)
        var before = Double.infinity
        for bits in 2...6 {
            let rounded = try rounding.round(widths: [bits])
            var (ours, plain) = (0.0, 0.0)
            for channel in 0..<channels {
                let row = Array(w[(channel * length)..<((channel + 1) * length)])
                let entries = rounded.entries[(channel * length)..<((channel + 1) * length)]
                XCTAssertTrue(entries.allSatisfy { abs(Int($0)) <= (1 << bits) - 1 && $0 & 1 != 0 })
                ours += damage(zip(row, rounded.vector(channel)).map { Double($0) - Double($1) }, x)
                plain += nearest(row, bits: bits, x)
            }
            XCTAssertLessThan(ours, 0.8 * plain, "\(bits) bits")
            XCTAssertLessThan(ours, before)
            before = ours
        }
    }

    /// The result does not depend on the number of threads.
    func testThreadsDoNotMatter() throws {
        var generator = SeededGenerator(12)
        let x = inputs(&generator)
        let w = (0..<(channels * length)).map { _ in Float.random(in: -1...1, using: &generator) }
        let results = try [1, 2].map { threads in
            try OutputAwareRounding(
                matrix: w, channels: channels, rowLength: length,
                secondMoment: SecondMoment(rowLength: length, patches: x, count: patches), algebra: .plain, threads: threads
            ).round(widths: [2, 3, 4])
        }
        XCTAssertEqual(results[0].entries, results[1].entries)
        XCTAssertEqual(results[0].scales, results[1].scales)
    }
}
