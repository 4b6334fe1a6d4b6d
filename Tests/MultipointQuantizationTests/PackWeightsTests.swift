import MultipointGraph
import MultipointQuantization
import SeededNumbers
import XCTest

final class PackWeightsTests: XCTestCase {
    /// ŵ by the definition of `PackedWeights`, [channels, rowLength].
    private func decoded(_ packed: PackedWeights, levels: Int = 255) -> [Double] {
        var result = [Double](repeating: 0, count: packed.channels * packed.rowLength)
        var (scale, row) = (0, [Int](repeating: 0, count: packed.levels.count))
        for channel in 0..<packed.channels {
            for level in 0..<Int(packed.points[channel]) {
                for k in 0..<packed.rowLength where level < levels {
                    let code = packed.levels[level].codes[row[level] * packed.rowLength + k]
                    result[channel * packed.rowLength + k] +=
                        Double(packed.scales[scale]) * Double(packed.levels[level].codebook[Int(code)])
                }
                scale += 1
                row[level] += 1
            }
        }
        return result
    }

    /// Mean of (d · x)² over patches, [groups, count, length], for every channel.
    private func outputErrors(_ d: [Double], _ patches: [Float], channels: Int, groups: Int, count: Int) -> [Double] {
        let length = d.count / channels
        return (0..<channels).map { channel in
            let group = channel / (channels / groups)
            var sum = 0.0
            for patch in 0..<count {
                let start = (group * count + patch) * length
                let dot = (0..<length).reduce(0.0) { $0 + d[channel * length + $1] * Double(patches[start + $1]) }
                sum += dot * dot
            }
            return sum / Double(count)
        }
    }

    private func difference(_ w: [Float], _ packed: PackedWeights, levels: Int = 255) -> [Double] {
        zip(w, decoded(packed, levels: levels)).map { Double($0) - $1 }
    }

    func testHoldsTheGreedyPoints() throws {
        var generator = SeededGenerator(seed: 14)
        for (bits, channels, length) in [(1, 3, 5), (2, 7, 9), (4, 5, 64), (8, 4, 33)] {
            let w = generator.normals(channels * length, scale: 0.1)
            let packing = try packWeights(
                matrix: w, channels: channels, rowLength: length, options: PackingOptions(bits: bits, maximumPoints: 3))
            XCTAssertEqual(packing.weights.points, [UInt8](repeating: 3, count: channels))
            let codebook = try Codebook(bits: bits)
            let greedy = GreedyPoints(codebook: codebook)
            var expected: [Double] = []
            for channel in 0..<channels {
                let points = try greedy.points(of: Array(w[channel * length..<(channel + 1) * length]), count: 3)
                for k in 0..<length {
                    expected.append(points.reduce(0) { $0 + Double($1.scale) * Double(codebook.values[Int($1.codes[k])]) })
                }
            }
            XCTAssertEqual(decoded(packing.weights), expected)
        }
    }

    /// Without a second moment the error is ‖w − ŵ‖², the power ‖w‖².
    func testErrorsOfTheIdentity() throws {
        var generator = SeededGenerator(seed: 15)
        let w = generator.normals(12 * 50, scale: 0.1)
        let packing = try packWeights(matrix: w, channels: 12, rowLength: 50, options: PackingOptions(bits: 3, maximumPoints: 2))
        let d = difference(w, packing.weights)
        for channel in 0..<12 {
            let row = channel * 50..<(channel + 1) * 50
            let (error, power) = (d[row].reduce(0) { $0 + $1 * $1 }, w[row].reduce(0.0) { $0 + Double($1) * Double($1) })
            XCTAssertEqual(packing.errors[channel], error, accuracy: 1e-6 * error)
            XCTAssertEqual(packing.powers[channel], power, accuracy: 1e-6 * power)
        }
    }

    /// dᵀ H d, from H and from the patches, is the mean of (d · x)² over explicit patches.
    func testErrorsAgainstExplicitPatches() throws {
        var generator = SeededGenerator(seed: 16)
        for (channels, groups, length, count) in [(6, 1, 20, 50), (300, 1, 8, 30), (6, 3, 9, 40), (8, 8, 4, 100)] {
            let w = generator.normals(channels * length, scale: 0.1)
            // Correlated and not centred, as activations are.
            let patches = (0..<groups * count).flatMap { _ in
                let common = generator.normal()
                return (0..<length).map { _ in max(0, common + generator.normal() + 0.5) }
            }
            let kept = try SecondMoment(groups: groups, rowLength: length, patches: patches, count: count)
            let matrices = try (0..<groups).flatMap { try kept.matrix(group: $0, multiply: multiplyMatrices) }
            for moment in [kept, try SecondMoment(groups: groups, rowLength: length, matrices: matrices)] {
                let packing = try packWeights(
                    matrix: w, channels: channels, rowLength: length, options: PackingOptions(bits: 2, maximumPoints: 1),
                    secondMoment: moment)
                let errors = outputErrors(difference(w, packing.weights), patches, channels: channels, groups: groups, count: count)
                let powers = outputErrors(w.map(Double.init), patches, channels: channels, groups: groups, count: count)
                for channel in 0..<channels {
                    XCTAssertEqual(packing.errors[channel], errors[channel], accuracy: 1e-4 * errors[channel] + 1e-6 * powers[channel])
                    XCTAssertEqual(packing.powers[channel], powers[channel], accuracy: 1e-4 * powers[channel])
                }
            }
        }
    }

    /// Every channel ends within the threshold or with all its points, and had been above it with one point less.
    private func assertRule(
        _ w: [Float], _ packing: Packing, _ patches: [Float], channels: Int, count: Int, maximum: Int, _ threshold: (Int) -> Double
    ) {
        let all = (0...maximum).map {
            outputErrors(difference(w, packing.weights, levels: $0), patches, channels: channels, groups: 1, count: count)
        }
        for channel in 0..<channels {
            let points = Int(packing.weights.points[channel])
            XCTAssertGreaterThanOrEqual(points, 1)
            if points < maximum { XCTAssertLessThanOrEqual(all[maximum][channel], threshold(channel) * 1.001) }
            if points > 1 { XCTAssertGreaterThan(all[points - 1][channel], threshold(channel) * 0.999) }
        }
    }

    func testAdaptiveRules() throws {
        var generator = SeededGenerator(seed: 17)
        let (channels, length, count) = (40, 18, 60)
        // Channels of very different magnitude.
        let w = (0..<channels).flatMap { generator.normals(length, scale: 0.01 * Float($0 + 1)) }
        let patches = generator.normals(count * length).map { max(0, $0) }
        let moment = try SecondMoment(rowLength: length, patches: patches, count: count)
        func pack(_ epsilon: Double, _ relative: Double) throws -> Packing {
            try packWeights(
                matrix: w, channels: channels, rowLength: length,
                options: PackingOptions(bits: 3, maximumPoints: 4, epsilon: epsilon, relativeEpsilon: relative),
                secondMoment: moment)
        }
        let absolute = try pack(0.002, 0)
        assertRule(w, absolute, patches, channels: channels, count: count, maximum: 4) { _ in 0.002 }
        let relative = try pack(0, 0.01)
        assertRule(w, relative, patches, channels: channels, count: count, maximum: 4) { 0.01 * relative.powers[$0] }
        let both = try pack(0.002, 0.01)
        assertRule(w, both, patches, channels: channels, count: count, maximum: 4) { max(0.002, 0.01 * both.powers[$0]) }
        // The channels do differ in what they get.
        for packing in [absolute, relative] { XCTAssertGreaterThan(Set(packing.weights.points).count, 1) }
        XCTAssertEqual(try pack(0, 0).weights.points, [UInt8](repeating: 4, count: channels))
        XCTAssertEqual(try pack(1e9, 0).weights.points, [UInt8](repeating: 1, count: channels))
    }

    /// Channels of zeros have no points, in any place among others; a layer of nothing else is still a layer.
    func testChannelsOfZeros() throws {
        var generator = SeededGenerator(seed: 18)
        var w = generator.normals(5 * 10)
        for k in 0..<10 { (w[k], w[30 + k]) = (0, 0) }
        let packing = try packWeights(matrix: w, channels: 5, rowLength: 10, options: PackingOptions(bits: 4, maximumPoints: 2))
        XCTAssertEqual(packing.weights.points, [0, 2, 2, 0, 2])
        XCTAssertEqual(packing.errors[0], 0)
        XCTAssertEqual(packing.powers[3], 0)
        let empty = try packWeights(matrix: [0, 0, 0, 0], channels: 2, rowLength: 2)
        XCTAssertEqual(empty.weights.points, [0, 0])
        XCTAssertEqual(empty.weights.scales, [])
    }

    /// A channel that nothing is left of stops early; the others go on.
    func testExactChannelsStopEarly() throws {
        var generator = SeededGenerator(seed: 19)
        let exact: [Float] = [3, -1, 1, 3].map { $0 * 0.25 }
        let packing = try packWeights(
            matrix: exact + generator.normals(4) + exact, channels: 3, rowLength: 4,
            options: PackingOptions(bits: 2, maximumPoints: 3))
        XCTAssertEqual(packing.weights.points, [1, 3, 1])
        XCTAssertEqual(packing.errors[0], 0)
    }

    func testThreadsDoNotMatter() throws {
        var generator = SeededGenerator(seed: 20)
        let w = generator.normals(37 * 19)
        func pack(_ threads: Int) throws -> Packing {
            try packWeights(
                matrix: w, channels: 37, rowLength: 19,
                options: PackingOptions(bits: 3, maximumPoints: 5, relativeEpsilon: 0.001, threads: threads))
        }
        let one = try pack(1)
        for threads in [2, 3, 64] {
            let other = try pack(threads)
            XCTAssertEqual(other.weights, one.weights)
            XCTAssertEqual(other.errors, one.errors)
        }
    }

    func testWhatIsRefused() throws {
        func assertRefused(_ message: String, _ body: () throws -> Packing) {
            XCTAssertThrowsError(try body()) { XCTAssertTrue("\($0)".contains(message), "\($0)") }
        }
        let w: [Float] = [1, 2, 3, 4, 5, 6]
        func options(_ change: (inout PackingOptions) -> Void) -> PackingOptions {
            var options = PackingOptions()
            change(&options)
            return options
        }
        let refused: [(PackingOptions, String)] = [
            (options { $0.bits = 0 }, "bits"), (options { $0.bits = 9 }, "bits"),
            (options { ($0.bits, $0.codebook) = (7, .odd) }, "1 to 6"), (options { $0.maximumPoints = 0 }, "maximum points"),
            (options { $0.maximumPoints = 256 }, "maximum points"), (options { $0.epsilon = -1 }, "epsilon"),
            (options { $0.epsilon = .nan }, "epsilon"), (options { $0.relativeEpsilon = .infinity }, "relative epsilon"),
            (options { $0.threads = 0 }, "threads"),
        ]
        for (options, message) in refused {
            assertRefused(message) { try packWeights(matrix: w, channels: 2, rowLength: 3, options: options) }
        }
        for strange in [Float.nan, .infinity, -.infinity] {
            assertRefused("channel 1, weight 2 is \(strange)") {
                try packWeights(matrix: [1, 2, 3, 4, 5, strange], channels: 2, rowLength: 3)
            }
        }
        for (channels, length) in [(2, 2), (0, 3), (2, 0), (-2, -3), (Int.max, 2)] {
            assertRefused("expected") { try packWeights(matrix: w, channels: channels, rowLength: length) }
        }
        let identity = try SecondMoment(rowLength: 2, matrices: [1, 0, 0, 1])
        assertRefused("3 inputs expected, found 2") {
            try packWeights(matrix: w, channels: 2, rowLength: 3, secondMoment: identity)
        }
        let groups = try SecondMoment(groups: 2, rowLength: 2, matrices: [1, 0, 0, 1, 1, 0, 0, 1])
        assertRefused("2 groups do not divide 3 channels") {
            try packWeights(matrix: w, channels: 3, rowLength: 2, secondMoment: groups)
        }
    }

    func testFailureOfTheMatrixProduct() throws {
        struct Broken: Error {}
        let identity = try SecondMoment(rowLength: 2, matrices: [1, 0, 0, 1])
        XCTAssertThrowsError(
            try packWeights(matrix: [1, 2], channels: 1, rowLength: 2, secondMoment: identity, matrixMultiply: { _ in throw Broken() })
        ) { XCTAssertEqual(($0 as? QuantizationError)?.kind, .computation) }
    }
}
