import MultipointGraph
import Testing

@Suite struct CanonicalDefinitionTests {
    private func expectRoundTrip(_ network: Network, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let layers = network.layerOrder.compactMap { network.layers[$0] }
        let again = try Network(definition: network.definition(), layers: layers)
        #expect(again == network, sourceLocation: sourceLocation)
    }

    /// Every operation, over [N, 4, 8, 8].
    private static let operations: [Operation] = [
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
        // A Flatten from axis 2 leaves no batch dimension.
        let first: ValueInfo.Dimension = operation == .flatten(axis: 2) ? 2 : .batch
        var network = Network(
            name: "n", inputs: [ValueInfo(name: "x", shape: [first, 4, .fixed(height), 8])],
            outputs: [ValueInfo(name: "y", shape: [])],
            nodes: [
                Node(name: "first", operation: operation, inputs: ["x"], output: "v"),
                Node(name: "second", operation: .sigmoid, inputs: ["v"], output: "y"),
            ], layers: [:], layerOrder: [],
            quantization: ["v": AffineQuantization(scale: 0.25, zeroPoint: 3)])
        let shapes = try network.shapes(batch: 1)
        let shape = try #require(shapes["y"])
        network.outputs[0].shape = shape.map { .fixed($0) }
        if first == .batch { network.outputs[0].shape[0] = .batch }
        try expectRoundTrip(network)
        #expect(network.definition().operatorSet == Network.canonicalOperatorSet)
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
