import MultipointGraph
import SeededNumbers
import Testing

@Suite struct CanonicalDefinitionTests {
    private func expectRoundTrip(_ network: Network, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let layers = network.layerOrder.compactMap { network.layers[$0] }
        let again = try Network(definition: network.definition(), layers: layers)
        #expect(again == network, sourceLocation: sourceLocation)
    }

    /// Every function of one element.
    private static let functions: [Elementwise] = [
        .abs, .ceil, .cos, .elu(alpha: 1), .elu(alpha: 0.5), .erf, .exp, .floor, .gelu, .geluTanh, .hardSigmoid(alpha: 0.2, beta: 0.5),
        .hardSigmoid(alpha: 1 / 6, beta: 0.25), .hardSwish, .leakyRelu(alpha: 0.01), .log, .mish, .neg, .pow(exponent: -1.5), .reciprocal,
        .round, .selu(alpha: 1.67326319, gamma: 1.05070102), .selu(alpha: 1, gamma: 2), .sign, .sin, .softplus, .softsign, .sqrt,
        .swish(alpha: 1), .swish(alpha: 1.5), .tanh, .thresholdedRelu(alpha: 1), .thresholdedRelu(alpha: -2), .truncate,
    ]

    /// Every kind of Resize of height and width: by quotients of sizes, by scales, by one scale that keeps the aspect ratio.
    private static let resizes: [Resize] = {
        let modes: [Resize.Mode] = [
            .nearest(.roundPreferFloor), .nearest(.roundPreferCeil), .nearest(.floor), .nearest(.ceil), .linear, .cubic(a: -0.75),
            .cubic(a: -0.5),
        ]
        let all: [Resize.Coordinates] = [.halfPixel, .halfPixelSymmetric, .pytorchHalfPixel, .alignCorners, .asymmetric]
        var resizes: [Resize] = []
        for coordinates in all {
            for mode in modes {
                resizes.append(Resize(axes: [2, 3], sizes: [16, 12], scales: [2, 1.5], mode: mode, coordinates: coordinates))
                // Corners of a size that is no whole number are refused.
                if coordinates != .alignCorners {
                    resizes.append(Resize(axes: [3], sizes: [10], scales: [1.3], mode: mode, coordinates: coordinates))
                }
                resizes.append(Resize(axes: [2, 3], sizes: [3, 3], scales: [0.375, 0.375], mode: mode, coordinates: coordinates))
            }
        }
        var antialiased = Resize(axes: [2, 3], sizes: [4, 4], scales: [0.5, 0.5], mode: .linear, coordinates: .halfPixel, antialiases: true)
        resizes.append(antialiased)
        antialiased.mode = .cubic(a: -0.75)
        antialiased.excludesOutside = true
        return resizes + [antialiased]
    }()

    /// Every other operation, over [N, 4, 8, 8].
    private static let operations: [Operation] = others + functions.map { Operation.elementwise($0) } + resizes.map { Operation.resize($0) }

    private static let others: [Operation] = [
        .reduce(.mean, axes: [1], keepsDimensions: true), .reduce(.sum, axes: [1, 2], keepsDimensions: false),
        .reduce(.maximum, axes: [3], keepsDimensions: false), .reduce(.minimum, axes: [1, 2, 3], keepsDimensions: true),
        .reduce(.product, axes: [2], keepsDimensions: true), .reduce(.l1, axes: [2], keepsDimensions: true),
        .reduce(.l2, axes: [1], keepsDimensions: true), .reduce(.sumOfSquares, axes: [2, 3], keepsDimensions: true),
        .argument(.maximum, axis: 1, keepsDimension: true, selectsLast: false),
        .argument(.minimum, axis: 3, keepsDimension: false, selectsLast: true), .logSoftmax(axis: 2),
        .layerNormalization(axis: 1, epsilon: 1e-5), .layerNormalization(axis: 3, epsilon: 0.5),
        .localResponseNormalization(size: 5, alpha: 1e-4, beta: 0.75, bias: 1),
        .localResponseNormalization(size: 2, alpha: 1, beta: 0.5, bias: 2), .gather(indices: [3, 0], shape: [2], axis: 1),
        .gather(indices: [2], shape: [], axis: 2), .gather(indices: [1, 0, 3, 2], shape: [2, 2], axis: 3), .expand([2, 1, 1, 1, 1]),
        .pad(pads: [0, 0, 1, 2, 0, 0, 3, 4], .reflect), .pad(pads: [0, 0, 1, 2, 0, 0, 3, 4], .edge),
        .pad(pads: [0, 0, 1, 2, 0, 0, 3, 4], .wrap), .depthToSpace(blockSize: 2, .depthColumnRow),
        .depthToSpace(blockSize: 2, .columnRowDepth), .spaceToDepth(blockSize: 4),
        .relu, .clip(minimum: -1, maximum: 6), .clip(minimum: -.greatestFiniteMagnitude, maximum: 6),
        .clip(minimum: 1, maximum: .greatestFiniteMagnitude),
        .clip(minimum: -.greatestFiniteMagnitude, maximum: .greatestFiniteMagnitude),
        .leakyRelu(alpha: 0.2), .sigmoid, .maxPool(Pooling(kernel: [2, 3])),
        .maxPool(Pooling(kernel: [2, 3], strides: [2, 1], pads: [1, 0, 0, 2], dilations: [2, 2], ceilMode: true)),
        .averagePool(Pooling(kernel: [3, 3], pads: [1, 1, 1, 1], dilations: [1, 2]), countsPadding: true),
        .averagePool(Pooling(kernel: [3, 3]), countsPadding: false), .globalAveragePool, .flatten(axis: 1), .flatten(axis: 2),
        .reshape([0, -1, 16], allowZero: false), .reshape([-1, 256], allowZero: true), .squeeze(axes: [2]),
        .unsqueeze(axes: [1, 5]),
        .transpose(permutation: [0, 2, 3, 1]), .slice(starts: [1, -1], ends: [Int.max, -5], axes: [1, 3], steps: [2, -1]),
        .pad(pads: [0, 0, 1, 2, 0, 0, 3, 4], .constant(0)), .pad(pads: [0, 0, 1, 2, 0, 0, 3, 4], .constant(-1.5)), .softmax(axis: 1),
    ]

    @Test(arguments: operations) func everyOperationSurvives(operation: Operation) throws {
        // Squeeze needs a dimension of size 1; the next operation keeps a lone Clip or Reshape from being an identity to remove.
        let height = operation == .squeeze(axes: [2]) ? 1 : 8
        // A Flatten from axis 2 leaves no batch dimension, nor does another one in front.
        let first: ValueInfo.Dimension = [.flatten(axis: 2), .expand([2, 1, 1, 1, 1])].contains(operation) ? 2 : .batch
        var network = Network(
            name: "n", inputs: [ValueInfo(name: "x", shape: [first, 4, .fixed(height), 8])],
            outputs: [ValueInfo(name: "y", shape: [])],
            nodes: [
                Node(name: "first", operation: operation, inputs: ["x"], output: "v"),
                Node(name: "second", operation: .elementwise(.sin), inputs: ["v"], output: "y"),
            ], layers: [:], layerOrder: [],
            quantization: ["v": AffineQuantization(scale: 0.25, zeroPoint: 3)])
        let shapes = try network.shapes(batch: 1)
        let shape = try #require(shapes["y"])
        network.outputs[0].shape = shape.map { .fixed($0) }
        if first == .batch { network.outputs[0].shape[0] = .batch }
        try expectRoundTrip(network)
        #expect(network.definition().operatorSet == Network.canonicalOperatorSet)
    }

    @Test(arguments: [Binary.add, .subtract, .multiply, .divide, .minimum, .maximum, .power])
    func everyFunctionOfTwoElementsSurvives(function: Binary) throws {
        let perChannel = Tensor(shape: [1, 4, 1, 1], [Float(1), 2, -3, 0.5])
        for inputs in [["x", "v"], ["c", "v"], ["v", "c"]] {
            // What is subtracted or divided by is a summand or factor already.
            if inputs == ["v", "c"], function == .subtract || function == .divide { continue }
            try expectRoundTrip(
                Network(
                    name: "n", inputs: [ValueInfo(name: "x", shape: [.batch, 4, 8, 8])],
                    outputs: [ValueInfo(name: "y", shape: [.batch, 4, 8, 8])],
                    nodes: [
                        Node(name: "first", operation: .elementwise(.sin), inputs: ["x"], output: "v"),
                        Node(name: "second", operation: .binary(function), inputs: inputs, output: "y"),
                    ], layers: [:], layerOrder: [], constants: inputs.contains("c") ? ["c": perChannel] : [:]))
        }
    }

    @Test func slopesAndProductsSurvive() throws {
        let network = try Network(
            definition: definition(
                [
                    node("PRelu", ["x", "s"], "p"), node("Transpose", ["p"], "t", ["perm": [0, 1, 3, 2]]),
                    node("MatMul", ["p", "t"], "m"), node("MatMul", ["w", "m"], "y"),
                ], ["s": Tensor(shape: [4, 1, 1], [Float(0.5), 0, 2, -1]), "w": Tensor(shape: [3, 8], [Float](repeating: 2, count: 24))]))
        #expect(network.nodes.map(\.operation) == [.prelu, .transpose(permutation: [0, 1, 3, 2]), .matrixProduct, .matrixProduct])
        try expectRoundTrip(network)
    }

    @Test func filesOfOperatorSet19AreRead() throws {
        var written = try Network(
            definition: definition(
                [node("Clip", ["x", "", "m"], "c"), node("AveragePool", ["c"], "y", ["kernel_shape": [2, 2]])], ["m": scalar(6)])
        ).definition()
        let network = try Network(definition: written)
        written.operatorSet = 19
        #expect(try Network(definition: written) == network)
    }

    @Test func operandsLayersAndConcatenationSurvive() throws {
        var generator = SeededGenerator(seed: 9)
        let nodes = [
            node("Conv", ["x", "w"], "c", ["pads": [1, 1, 1, 1], "group": 2]), node("Relu", ["c"], "r"),
            node("Concat", ["r", "x", "r"], "k", ["axis": 1]), node("BatchNormalization", ["k", "g", "g", "g", "g"], "b"),
            node("GlobalAveragePool", ["b"], "p"), node("Flatten", ["p"], "f"), node("MatMul", ["f", "v"], "y"),
        ]
        let constants = [
            "w": generator.tensor([4, 2, 3, 3]), "g": generator.tensor([12], 1...2), "v": generator.tensor([12, 5]),
        ]
        try expectRoundTrip(try Network(definition: definition(nodes, constants)))
    }

    @Test func layerNodesHaveNothingButTheirInput() throws {
        let network = try Network(
            definition: definition(
                [
                    node("Conv", ["x", "w"], "c", ["strides": [2, 2]]), node("Flatten", ["c"], "f"),
                    node("Gemm", ["f", "v"], "y"),
                ],
                ["w": zeros(1, 4, 2, 2), "v": zeros(16, 2)]))
        let written = network.definition()
        #expect(
            written.nodes == [
                node("Conv", ["x"], "c", layer: "c"), node("Flatten", ["c"], "f", ["axis": 1]),
                node("Gemm", ["f"], "y", layer: "y"),
            ])
        #expect(written.initializers.isEmpty)
    }

    /// What a packed file makes of initializers.
    @Test func initializersMayComeBackAsConstantNodes() throws {
        var generator = SeededGenerator(seed: 10)
        let network = try Network(
            definition: definition(
                [node("BatchNormalization", ["x", "g", "g", "g", "g"], "b"), node("Clip", ["b", "", "m"], "y")],
                ["g": generator.tensor([4], 1...2), "m": scalar(6)]))
        var written = network.definition()
        written.nodes += written.initializers.map { node("Constant", [], $0, ["value": .tensor($1)], name: $0) }
        written.initializers = [:]
        #expect(try Network(definition: written) == network)
    }
}
