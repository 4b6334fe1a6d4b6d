import MultipointGraph
import SeededNumbers
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

    /// The least damage of any step size with plain rounding to some integers.
    private func nearest(_ w: [Float], _ values: [Int], _ x: [Float]) -> Double {
        let largest = Float(values.map(abs).max() ?? 1)
        let size = w.map(abs).max() ?? 1
        return (1...40).map { step in
            let scale = size / largest * Float(step) / 25
            return damage(
                w.map { value in
                    let entry = values.min { abs(Float($0) * scale - value) < abs(Float($1) * scale - value) } ?? 0
                    return Double(value) - Double(scale * Float(entry))
                }, x)
        }.min() ?? .infinity
    }

    private var subset: RefinementLadder {
        RefinementLadder(
            family: .subset, base: [-8, -3, -2, -1, 1, 2, 3, 8],
            refinements: [.init(ratio: 4, low: -2, high: 2), .init(ratio: 1, low: -1, high: 1)])
    }

    /// What it leaves is less than the best plain rounding's, entries are the ladder's, the reported error is the damage, and more bits
    /// leave less.
    func testRoundingBeatsNearestRounding() throws {
        var generator = SeededGenerator(seed: 11)
        let x = inputs(&generator)
        let w = (0..<(channels * length)).map { _ in Float.random(in: -1...1, using: &generator) }
        let moment = try SecondMoment(rowLength: length, patches: x, count: patches)
        let rounding = try OutputAwareRounding(
            matrix: w, channels: channels, rowLength: length, secondMoment: moment, algebra: .plain)
        for ladder in [.odd, .zero, subset] {
            var before = Double.infinity
            for bits in ladder.widths.clamped(to: 2...6) {
                let rounded = try rounding.round(widths: [bits], ladder: ladder)
                let values = ladder.values(bits: bits)
                var (ours, plain) = (0.0, 0.0)
                for channel in 0..<channels {
                    let row = Array(w[(channel * length)..<((channel + 1) * length)])
                    let entries = rounded.entries[(channel * length)..<((channel + 1) * length)]
                    XCTAssertTrue(entries.allSatisfy { values.contains(Int($0)) })
                    let found = damage(zip(row, rounded.vector(channel)).map { Double($0) - Double($1) }, x)
                    XCTAssertEqual(rounded.errors[channel], found, accuracy: 1e-3 * found + 1e-9)
                    ours += found
                    plain += nearest(row, values, x)
                }
                XCTAssertLessThan(ours, 0.9 * plain, "\(ladder.family), \(bits) bits")
                XCTAssertLessThan(ours, before)
                before = ours
            }
        }
    }

    /// No bits: the error is all of the output's variance, and its mean goes into the bias.
    func testNoBits() throws {
        var generator = SeededGenerator(seed: 13)
        let x = inputs(&generator).map { $0 + 0.5 }
        let w = (0..<(channels * length)).map { _ in Float.random(in: -1...1, using: &generator) }
        let rounded = try OutputAwareRounding(
            matrix: w, channels: channels, rowLength: length,
            secondMoment: SecondMoment(rowLength: length, patches: x, count: patches), algebra: .plain
        ).round((0..<channels).map { RoundedRow(channel: $0, bits: $0 % 2 == 0 ? 0 : 3) })
        for channel in stride(from: 0, to: channels, by: 2) {
            let row = w[(channel * length)..<((channel + 1) * length)].map { Double($0) }
            XCTAssertTrue(rounded.isEmpty(channel))
            XCTAssertEqual(rounded.vector(channel), [Float](repeating: 0, count: length))
            XCTAssertEqual(rounded.errors[channel], damage(row, x), accuracy: 1e-3 * damage(row, x))
            let mean = (0..<patches).reduce(0.0) { sum, patch in
                sum + (0..<length).reduce(0.0) { $0 + row[$1] * Double(x[patch * length + $1]) }
            } / Double(patches)
            XCTAssertEqual(Double(rounded.shifts[channel]), mean, accuracy: 1e-3)
        }
        XCTAssertEqual(try rounded.packed(Array(0..<channels)).points, [0, 1, 0, 1, 0, 1])
    }

    /// Nothing that one coordinate alone could do is left undone: no move of it by any step lowers the dampened error.
    func testNoCoordinateCanBeImproved() throws {
        var generator = SeededGenerator(seed: 14)
        let n = 12
        let x = (0..<40 * n).map { _ in generator.normal() }
        var h = [Float](repeating: 0, count: n * n)
        for i in 0..<n {
            for j in 0..<n { h[i * n + j] = (0..<40).reduce(0) { $0 + x[$1 * n + i] * x[$1 * n + j] } / 40 }
        }
        let (w, damping, scale) = (generator.normals(n), Float(0.05), Float(0.4))
        let values = RefinementLadder.odd.values(bits: 3)
        func error(_ q: [Float]) -> Double {
            let d = (0..<n).map { Double(w[$0]) - Double(scale) * Double(q[$0]) }
            var sum = 0.0
            for i in 0..<n {
                for j in 0..<n { sum += d[i] * d[j] * (Double(h[i * n + j]) + (i == j ? Double(damping) : 0)) }
            }
            return sum
        }
        var q = w.map { _ in Float(values.randomElement(using: &generator) ?? 1) }
        let before = error(q)
        var y = (0..<n).map { i in (0..<n).reduce(0) { $0 + h[i * n + $1] * q[$1] } }
        let z = (0..<n).map { i in (0..<n).reduce(0) { $0 + h[i * n + $1] * w[$1] } }
        for _ in 0..<10 {
            let a = CoordinateDescent(h: h, damping: damping, n: n, grid: ScalarGrid(TableGrid.table(values)), fitsScale: false)
                .improve(w, z, &q, &y, scale: scale)
            XCTAssertEqual(a, scale)
        }
        XCTAssertLessThan(error(q), 0.5 * before)
        for (i, sum) in y.enumerated() { XCTAssertEqual(sum, (0..<n).reduce(0) { $0 + h[i * n + $1] * q[$1] }, accuracy: 1e-3) }
        for k in 0..<n {
            for value in values {
                var other = q
                other[k] = Float(value)
                XCTAssertGreaterThan(error(other), error(q) - 1e-6)
            }
        }
    }

    /// Free points: the scales are the least-squares ones for their points, found here by solving the normal equations in double
    /// arithmetic; a further point never hurts; errors and packed weights agree with the vectors.
    func testFreePoints() throws {
        var generator = SeededGenerator(seed: 15)
        let x = inputs(&generator)
        let w = (0..<(channels * length)).map { _ in Float.random(in: -1...1, using: &generator) }
        let moment = try SecondMoment(rowLength: length, patches: x, count: patches)
        let rounding = try OutputAwareRounding(
            matrix: w, channels: channels, rowLength: length, secondMoment: moment, algebra: .plain)
        let rows = (0..<channels).flatMap { channel in ([0] + Array(2...6)).map { RoundedRow(channel: channel, bits: $0) } }
        let free = try rounding.freePoints(rows)
        for channel in 0..<channels {
            var last = Double.infinity
            for index in rows.indices where rows[index].channel == channel {
                let row = Array(w[(channel * length)..<((channel + 1) * length)])
                let found = damage(zip(row, free.vector(index)).map { Double($0) - Double($1) }, x)
                XCTAssertEqual(free.errors[index], found, accuracy: 1e-3 * found + 1e-8)
                XCTAssertLessThan(found, last * 1.0001)
                last = found
                // No scale can be changed for the better.
                let packed = try free.packed([index])
                XCTAssertEqual(packed.points, [UInt8(rows[index].bits == 0 ? 0 : rows[index].bits - 1)])
                XCTAssertNil(packed.ladder)
                for point in packed.scales.indices {
                    for factor in [0.98, 1.02] {
                        var vector = decoded(packed)
                        for k in vector.indices { vector[k] += (factor - 1) * Double(packed.scales[point]) * entry(packed, point, k) }
                        XCTAssertGreaterThan(damage(zip(row, vector).map { Double($0) - $1 }, x), found * 0.9999)
                    }
                }
                for (a, b) in zip(decoded(packed), free.vector(index)) { XCTAssertEqual(a, Double(b), accuracy: 1e-5) }
            }
            XCTAssertLessThan(last, 0.2 * (rows.indices.first { rows[$0].channel == channel && rows[$0].bits == 2 }.map { free.errors[$0] } ?? 0))
        }
    }

    private func entry(_ packed: PackedWeights, _ level: Int, _ k: Int) -> Double {
        Double(packed.levels[level].codebook[Int(packed.levels[level].codes[k])])
    }

    /// ŵ of the only channel.
    private func decoded(_ packed: PackedWeights) -> [Double] {
        (0..<packed.rowLength).map { k in packed.scales.indices.reduce(0.0) { $0 + Double(packed.scales[$1]) * entry(packed, $1, k) } }
    }

    /// The result does not depend on the number of threads.
    func testThreadsDoNotMatter() throws {
        var generator = SeededGenerator(seed: 12)
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
