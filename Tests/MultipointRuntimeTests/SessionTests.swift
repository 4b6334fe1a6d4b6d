import MultipointGraph
import MultipointRuntime
import SeededNumbers
import XCTest

/// A small network with everything that sessions treat specially: fused residuals and activations, 8-bit values between packed layers,
/// extra rows, grouped layers, pooling, a matrix layer.
final class SessionTests: XCTestCase {
    private func network(_ generator: inout SeededGenerator) throws -> Network {
        func layer(_ name: String, _ shape: [Int], _ attributes: ConvolutionAttributes?, points: Int) throws -> Layer {
            let length = shape.dropFirst().reduce(1, *)
            let counts = (0..<shape[0]).map { _ in UInt8.random(in: 1...UInt8(points), using: &generator) }
            let levels = (0..<points).map { level in
                PackedWeights.Level(
                    codebook: (0..<16).map { Int8(2 * $0 - 15) },
                    codes: (0..<(counts.count { Int($0) > level } * length)).map { _ in UInt8.random(in: 0...15, using: &generator) })
            }
            // Keeps activations near 1: entries are some 9 in size, and variances add up over a vector.
            let scale = (2 / Float(length)).squareRoot() / 9
            let total = counts.reduce(0) { $0 + Int($1) }
            return Layer(
                name: name, operation: attributes.map { .convolution($0) } ?? .gemm, shape: shape,
                weights: .packed(
                    try PackedWeights(
                        rowLength: length, points: counts, levels: levels,
                        scales: (0..<total).map { _ in scale * Float.random(in: 0.3...0.7, using: &generator) })),
                bias: (0..<shape[0]).map { _ in Float.random(in: -0.1...0.1, using: &generator) },
                inputQuantization: AffineQuantization(scale: 0.02, zeroPoint: name == "stem" ? 128 : 0))
        }
        let same = ConvolutionAttributes(pads: [1, 1, 1, 1])
        let layers = [
            try layer("stem", [16, 3, 3, 3], same, points: 2), try layer("a", [16, 16, 3, 3], same, points: 1),
            try layer("b", [16, 16, 3, 3], same, points: 3),
            try layer("depthwise", [16, 1, 3, 3], ConvolutionAttributes(strides: [2, 2], pads: [1, 1, 1, 1], group: 16), points: 2),
            try layer("point", [24, 16, 1, 1], ConvolutionAttributes(), points: 1), try layer("head", [5, 24], nil, points: 2),
        ]
        let nodes = [
            Node(name: "stem", operation: .layer("stem"), inputs: ["x"], output: "s"),
            Node(name: "relu0", operation: .relu, inputs: ["s"], output: "s1"),
            Node(name: "a", operation: .layer("a"), inputs: ["s1"], output: "a0"),
            Node(name: "relu1", operation: .relu, inputs: ["a0"], output: "a1"),
            Node(name: "b", operation: .layer("b"), inputs: ["a1"], output: "b0"),
            Node(name: "add", operation: .add, inputs: ["b0", "s1"], output: "b1"),
            Node(name: "relu2", operation: .clip(minimum: 0, maximum: 6), inputs: ["b1"], output: "b2"),
            Node(name: "pool", operation: .maxPool(Pooling(kernel: [2, 2], strides: [2, 2])), inputs: ["b2"], output: "p"),
            Node(name: "depthwise", operation: .layer("depthwise"), inputs: ["p"], output: "d"),
            Node(name: "relu3", operation: .relu, inputs: ["d"], output: "d1"),
            Node(name: "point", operation: .layer("point"), inputs: ["d1"], output: "q"),
            Node(name: "relu4", operation: .relu, inputs: ["q"], output: "q1"),
            Node(name: "mean", operation: .globalAveragePool, inputs: ["q1"], output: "m"),
            Node(name: "flatten", operation: .flatten(axis: 1), inputs: ["m"], output: "f"),
            Node(name: "head", operation: .layer("head"), inputs: ["f"], output: "y"),
        ]
        return Network(
            name: "small", inputs: [ValueInfo(name: "x", shape: [.batch, .fixed(3), .fixed(12), .fixed(10)])],
            outputs: [ValueInfo(name: "y", shape: [.batch, .fixed(5)])], nodes: nodes,
            layers: Dictionary(uniqueKeysWithValues: layers.map { ($0.name, $0) }), layerOrder: layers.map(\.name))
    }

    private func images(_ count: Int, _ generator: inout SeededGenerator) -> [Float] {
        (0..<(count * 360)).map { _ in Float.random(in: -2...2, using: &generator) }
    }

    /// The same images give the same bits whatever the batch, the position in it, the threads and the session.
    func testResultsDoNotDependOnBatchThreadsOrSession() throws {
        var generator = SeededGenerator(seed: 5)
        let prepared = PreparedNetwork(try network(&generator))
        let all = images(7, &generator)
        let single = try Session(prepared, maximumBatch: 1, threads: 1)
        let expected = try (0..<7).flatMap { try single.run([Array(all[($0 * 360)..<(($0 + 1) * 360)])], batch: 1)[0] }
        XCTAssertGreaterThan(Set(expected).count, 30, "the network's outputs do not vary")
        for threads in 1...2 {
            let session = try Session(prepared, maximumBatch: 7, threads: threads)
            XCTAssertEqual(try session.run([all], batch: 7)[0], expected)
            XCTAssertEqual(try session.run([Array(all[720..<1800])], batch: 3)[0], Array(expected[10..<25]))
            XCTAssertEqual(try session.run([all], batch: 7)[0], expected)
        }
    }

    /// Values fused away equal those that exist on their own when they are asked for, to one step of 8 bits after them.
    func testFusedNetworkMatchesTheUnfusedOne() throws {
        var generator = SeededGenerator(seed: 6)
        let network = try network(&generator)
        let input = images(2, &generator)
        let fused = try Session(network: network, maximumBatch: 2, threads: 1)
        let unfused = try Session(network: network, maximumBatch: 2, threads: 1, outputs: network.nodes.map(\.output))
        XCTAssertLessThan(fused.steps.count, unfused.steps.count)
        let (short, long) = (try fused.run([input], batch: 2)[0], try unfused.run([input], batch: 2))
        let last = try XCTUnwrap(long.last)
        let largest = last.map(abs).max() ?? 0
        for (a, b) in zip(short, last) { XCTAssertEqual(a, b, accuracy: 0.03 * largest) }
    }

    /// Two sessions of one network and two threads over one plan, at the same time, against one thread's results.
    func testSessionsAndPlansRunConcurrently() async throws {
        var generator = SeededGenerator(seed: 7)
        let prepared = PreparedNetwork(try network(&generator))
        let input = images(1, &generator)
        let expected = try Session(prepared, maximumBatch: 1, threads: 1).run([input], batch: 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let session = try Session(prepared, maximumBatch: 1, threads: 1)
                    for _ in 0..<50 { XCTAssertEqual(try session.run([input], batch: 1), expected) }
                }
            }
            try await group.waitForAll()
        }
    }

    func testChannelsLastInputsGiveTheSameResult() throws {
        var generator = SeededGenerator(seed: 8)
        let session = try Session(network: try network(&generator), maximumBatch: 1, threads: 1)
        let dense = images(1, &generator)
        var pixels = [Float](repeating: 0, count: 360)
        for channel in 0..<3 { for position in 0..<120 { pixels[position * 3 + channel] = dense[channel * 120 + position] } }
        let expected = try session.run([dense], batch: 1)[0]
        var found = [Float](repeating: 0, count: 5)
        try pixels.withUnsafeMutableBytes { input in
            try found.withUnsafeMutableBytes { output in
                let source = [ExternalTensor(data: try XCTUnwrap(input.baseAddress), layout: .channelsLast)]
                let destination = [ExternalTensor(data: try XCTUnwrap(output.baseAddress))]
                try source.withUnsafeBufferPointer { source in
                    try destination.withUnsafeBufferPointer { try session.run(batch: 1, inputs: source, outputs: $0) }
                }
            }
        }
        XCTAssertEqual(found, expected)
    }

    func testNoReferenceImplementations() throws {
        var generator = SeededGenerator(seed: 9)
        let session = try Session(network: try network(&generator), maximumBatch: 1, threads: 2)
        for step in session.steps { XCTAssertFalse(step.implementation.contains("ref"), "\(step)") }
    }

    func testBadRequestsAreRefused() throws {
        var generator = SeededGenerator(seed: 10)
        let network = try network(&generator)
        XCTAssertThrowsError(try Session(network: network, maximumBatch: 0))
        XCTAssertThrowsError(try Session(network: network, maximumBatch: 1, threads: -1))
        let session = try Session(network: network, maximumBatch: 2)
        XCTAssertThrowsError(try session.run([[1, 2, 3]], batch: 1)) { XCTAssertTrue("\($0)".contains("`x`"), "\($0)") }
        XCTAssertThrowsError(try session.run([images(3, &generator)], batch: 3))
    }

    /// A concatenation of operands of different ranges, and padding beyond the operand's range, without a word on the result's
    /// quantization: nothing is cut off.
    func testRangesThatNobodyTells() throws {
        let narrow = AffineQuantization(scale: 0.01, zeroPoint: 0), wide = AffineQuantization(scale: 0.5, zeroPoint: 0)
        func layer(_ name: String, _ scale: Float, _ input: AffineQuantization) throws -> Layer {
            Layer(
                name: name, operation: .convolution(ConvolutionAttributes()), shape: [4, 4, 1, 1],
                weights: .packed(
                    try PackedWeights(
                        rowLength: 4, points: [1, 1, 1, 1],
                        levels: [PackedWeights.Level(codebook: [-1, 1], codes: [1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0])],
                        scales: [scale, scale, scale, scale])),
                bias: nil, inputQuantization: input)
        }
        let image = AffineQuantization(scale: 1 / 255, zeroPoint: 0)
        var network = Network(
            name: "ranges", inputs: [ValueInfo(name: "x", shape: [.batch, .fixed(4), .fixed(3), .fixed(3)])],
            outputs: [ValueInfo(name: "y", shape: [.batch, .fixed(8), .fixed(1), .fixed(1)])],
            nodes: [
                Node(name: "small", operation: .layer("small"), inputs: ["x"], output: "s"),
                Node(name: "large", operation: .layer("large"), inputs: ["x"], output: "l"),
                Node(name: "concat", operation: .concat(axis: 1), inputs: ["s", "l"], output: "c"),
                Node(name: "pad", operation: .pad(pads: [0, 0, 1, 1, 0, 0, 1, 1], .constant(200)), inputs: ["c"], output: "p"),
                Node(name: "mean", operation: .globalAveragePool, inputs: ["p"], output: "y"),
            ], layers: ["small": try layer("small", 0.5, image), "large": try layer("large", 25, image)], layerOrder: ["small", "large"])
        network.quantization = ["x": image, "s": narrow, "l": wide]
        let x = (0..<36).map { Float($0 * 7 % 256) / 255 }
        let found = try Session(network: network, maximumBatch: 1).run([x], batch: 1)[0]
        let signs: [[Double]] = [[1, 1, 1, 1], [1, -1, 1, 1], [1, 1, -1, 1], [1, 1, 1, -1]]
        for channel in 0..<8 {
            let scale = channel < 4 ? 0.5 : 25.0
            var sum = 16.0 * 200
            for place in 0..<9 {
                let value = (0..<4).reduce(0.0) { $0 + scale * signs[channel % 4][$1] * Double(x[$1 * 9 + place]) }
                // What 8 bits of the operand's own range hold.
                sum += min(max(value, 0), channel < 4 ? 2.55 : 127.5)
            }
            XCTAssertEqual(Double(found[channel]), sum / 25, accuracy: channel < 4 ? 0.02 : 0.3, "channel \(channel)")
        }
    }
}
