import MultipointGraph
import SeededNumbers
import Testing

@Suite struct SimplificationTests {
    /// Float32 weights against float64 evaluation of the definition.
    private func expectSameResult(
        _ definition: GraphDefinition, _ generator: inout SeededGenerator, shape: [Int],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Network {
        let network = try Network(definition: definition)
        let input = Values(generator.tensor(shape))
        let expected = try #require(evaluate(definition, input)["y"])
        let values = try evaluate(network, input)
        let found = try #require(values["y"])
        #expect(found.shape == expected.shape, sourceLocation: sourceLocation)
        let scale = expected.elements.map(abs).max() ?? 1
        for (a, b) in zip(found.elements, expected.elements) where abs(a - b) > 1e-5 * scale {
            Issue.record("\(a) computed, \(b) expected", sourceLocation: sourceLocation)
            break
        }
        return network
    }

    private func normalization(_ channels: Int, _ generator: inout SeededGenerator) -> [String: Tensor] {
        [
            "gamma": generator.tensor([channels], -2...2), "beta": generator.tensor([channels]),
            "mean": generator.tensor([channels]),
            "variance": generator.tensor([channels], 0.1...4),
        ]
    }

    private let normalize = ["gamma", "beta", "mean", "variance"]

    /// γ = 3, β = 1, μ = 2, σ² + ε = 4: y = 1.5 x − 2.
    @Test(arguments: [(7, "spatial"), (9, "momentum"), (14, "training_mode"), (15, "training_mode")])
    func batchNormalizationByHand(opset: Int, attribute: String) throws {
        let constants = [
            "w": Tensor(shape: [1, 1, 1, 2], [Float(2), -4]), "b": Tensor(shape: [1], [Float(10)]),
            "gamma": Tensor(shape: [1], [Float(3)]),
            "beta": Tensor(shape: [1], [Float(1)]), "mean": Tensor(shape: [1], [Float(2)]),
            "variance": Tensor(shape: [1], [Float(3.5)]),
        ]
        let attributes: [String: AttributeValue] = ["epsilon": 0.5, attribute: attribute == "spatial" ? 1 : 0]
        let network = try Network(
            definition: definition(
                opset: opset, input: [.batch, 1, 4, 4],
                [node("Conv", ["x", "w", "b"], "c"), node("BatchNormalization", ["c"] + normalize, "y", attributes)], constants))
        #expect(network.nodes == [Node(name: "c", operation: .layer("c"), inputs: ["x"], output: "y")])
        #expect(network.layers["c"]?.weights == .float([3, -6]))
        #expect(network.layers["c"]?.bias == [13])
    }

    @Test(arguments: 0..<20) func batchNormalizationFoldsIntoLayers(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let group = Int.random(in: 1...2, using: &generator), channels = 2 * group
        var constants = normalization(channels, &generator)
        constants["w"] = generator.tensor([channels, 4 / group, 3, 2])
        constants["b"] = generator.tensor([channels])
        let inputs = Bool.random(using: &generator) ? ["x", "w", "b"] : ["x", "w"]
        let convolution = node("Conv", inputs, "c", ["group": .int(Int64(group)), "pads": [1, 0, 1, 1]])
        let network = try expectSameResult(
            definition(input: [.batch, 4, 5, 5], [convolution, node("BatchNormalization", ["c"] + normalize, "y")], constants),
            &generator, shape: [2, 4, 5, 5])
        #expect(network.nodes.map(\.operation) == [.layer("c")])
    }

    @Test func batchNormalizationOfFeaturesFoldsIntoGemmAndMatMul() throws {
        var generator = SeededGenerator(seed: 3)
        var constants = normalization(3, &generator)
        constants["w"] = generator.tensor([4, 3])
        for operatorType in ["Gemm", "MatMul"] {
            let nodes = [node(operatorType, ["x", "w"], "c"), node("BatchNormalization", ["c"] + normalize, "y")]
            let network = try expectSameResult(definition(input: [.batch, 4], nodes, constants), &generator, shape: [3, 4])
            #expect(network.nodes.map(\.operation) == [.layer("c")])
        }
    }

    @Test func batchNormalizationElsewhereIsAMultiplicationAndAnAddition() throws {
        var generator = SeededGenerator(seed: 4)
        var constants = normalization(4, &generator)
        let alone = try expectSameResult(
            definition([node("BatchNormalization", ["x"] + normalize, "y")], constants), &generator, shape: [2, 4, 8, 8])
        #expect(alone.nodes.map(\.operation) == [.multiply, .add])
        #expect(alone.constants.values.allSatisfy { $0.shape == [1, 4, 1, 1] })
        // The layer's result is used twice.
        constants["w"] = generator.tensor([4, 4, 1, 1])
        let shared = [
            node("Conv", ["x", "w"], "c"), node("BatchNormalization", ["c"] + normalize, "n"), node("Add", ["c", "n"], "y"),
        ]
        let network = try expectSameResult(definition(shared, constants), &generator, shape: [1, 4, 8, 8])
        #expect(network.nodes.map(\.operation) == [.layer("c"), .multiply, .add, .add])
        // Its quantization is known: it has to stay.
        let quantized = definition(
            [node("Conv", ["x", "w"], "c"), node("BatchNormalization", ["c"] + normalize, "y")], constants,
            quantization: ["c": AffineQuantization(scale: 0.5, zeroPoint: 3)])
        let kept = try Network(definition: quantized)
        #expect(kept.nodes.map(\.operation) == [.layer("c"), .multiply, .add])
        #expect(kept.quantization == quantized.quantization)
    }

    @Test func batchNormalizationErrors() {
        var constants = [
            "gamma": zeros(4), "beta": zeros(4), "mean": zeros(4), "variance": Tensor(shape: [4], [Float(1), 1, -1, 1]),
        ]
        let normalized: ([String: AttributeValue]) -> GraphDefinition = { [normalize] attributes in
            definition(opset: 15, [node("BatchNormalization", ["x"] + normalize, "y", attributes)], constants)
        }
        expectError(.invalid, normalized([:]), "node `y`", "channel 2", "not positive")
        expectError(.unsupported, normalized(["training_mode": 1]), "training_mode = 1")
        constants["beta"] = zeros(3)
        expectError(.invalid, normalized([:]), "bias `beta` of shape [3]; [4] expected")
    }

    /// Multiplications, additions, subtractions, divisions, identities and pads in random order around a Conv.
    @Test(arguments: 0..<40) func randomChainsKeepTheirMeaning(seed: UInt64) throws {
        var generator = SeededGenerator(seed: 100 + seed)
        var nodes: [NodeDefinition] = [], constants: [String: Tensor] = ["w": generator.tensor([3, 4, 2, 2])], value = "x"
        func append(_ operatorType: String, _ more: [String] = [], _ attributes: [String: AttributeValue] = [:]) {
            nodes.append(node(operatorType, [value] + more, "v\(nodes.count)", attributes))
            value = "v\(nodes.count - 1)"
        }
        for position in 0..<8 {
            let channels = position <= 3 ? 4 : 3
            let shape =
                [[1, channels, 1, 1], [channels, 1, 1], [], [1, 1, 1, 1], [1, 1, 1, 6]].randomElement(using: &generator) ?? []
            constants["k\(position)"] = generator.tensor(shape, 0.5...2)
            constants["p\(position)"] = ints(0, 0, 1, 0, 0, 0, 0, 1)
            switch Int.random(in: 0..<9, using: &generator) {
            case _ where position == 3: append("Conv", ["w"], ["pads": [0, 1, 1, 0], "dilations": [1, 1]])
            case 0: append("Relu")
            case 1: append("Identity")
            case 2: append("Dropout")
            case 3 where shape.last != 6: append("Pad", ["p\(position)"])
            case 4: append("Transpose", [], ["perm": [0, 2, 3, 1]]); append("Transpose", [], ["perm": [0, 3, 1, 2]])
            case 5 where shape.last != 6: append("Add", ["k\(position)"])
            case 6 where shape.last != 6: append("Sub", ["k\(position)"])
            case 7 where shape.last != 6: append("Div", ["k\(position)"])
            default: if shape.last != 6 { append("Mul", ["k\(position)"]) } else { append("Identity") }
            }
        }
        nodes.append(node("Identity", [value], "y"))
        let chain = definition(input: [.batch, 4, 6, 6], nodes, constants)
        let network = try expectSameResult(chain, &generator, shape: [2, 4, 6, 6])
        #expect(!network.nodes.contains { if case .reshape = $0.operation { true } else { false } })
        #expect(!network.nodes.contains { if case .transpose = $0.operation { true } else { false } })
        let again = try Network(definition: network.definition(), layers: network.layerOrder.compactMap { network.layers[$0] })
        #expect(again == network)
    }

    @Test func channelConstantsFoldIntoTheLayerBefore() throws {
        var generator = SeededGenerator(seed: 5)
        let constants = [
            "w": generator.tensor([3, 4, 1, 1]), "m": generator.tensor([1, 3, 1, 1]), "a": generator.tensor([3, 1, 1]),
            "s": scalar(2),
        ]
        let nodes = [
            node("Conv", ["x", "w"], "c"), node("Mul", ["m", "c"], "d"), node("Add", ["d", "a"], "e"),
            node("Mul", ["e", "s"], "y"),
        ]
        let network = try expectSameResult(definition(nodes, constants), &generator, shape: [1, 4, 8, 8])
        #expect(network.nodes == [Node(name: "c", operation: .layer("c"), inputs: ["x"], output: "y")])
        #expect(network.constants.isEmpty)
        // A bias after a MatMul over a sequence.
        let sequence = definition(
            input: [.batch, 5, 4], [node("MatMul", ["x", "w"], "c"), node("Add", ["c", "b"], "y")],
            ["w": generator.tensor([4, 3]), "b": generator.tensor([3])])
        #expect(try expectSameResult(sequence, &generator, shape: [2, 5, 4]).nodes.count == 1)
    }

    @Test(arguments: [[8], [1, 3, 8, 8], [8, 1], [1, 1, 3, 1, 1], [3, 1, 8]]) func otherConstantsStay(shape: [Int]) throws {
        var generator = SeededGenerator(seed: 6)
        let constants = ["w": generator.tensor([3, 4, 1, 1]), "m": generator.tensor(shape)]
        let nodes = [node("Conv", ["x", "w"], "c"), node("Mul", ["c", "m"], "y")]
        let network = try Network(definition: definition(input: [2, 4, 8, 8], nodes, constants))
        #expect(network.nodes.map(\.operation) == [.layer("c"), .multiply])
        #expect(network.layers["c"]?.weights == .float(constants["w"]?.floats ?? []))
    }

    @Test func foldingThatWouldOverflowIsLeftOut() throws {
        let constants = ["w": Tensor(shape: [1, 4, 1, 1], [Float](repeating: 1e30, count: 4)), "m": scalar(1e30)]
        let nodes = [node("Conv", ["x", "w"], "c"), node("Mul", ["c", "m"], "y")]
        #expect(try operations(definition(nodes, constants)) == [.layer("c"), .multiply])
    }

    @Test func padsFoldIntoConvolutions() throws {
        let padded: (Tensor, Float) throws -> [Operation] = { pads, value in
            try operations(
                definition(
                    [node("Pad", ["x", "p", "v"], "q"), node("Conv", ["q", "w"], "y", ["pads": [1, 0, 0, 2]])],
                    ["p": pads, "v": scalar(value), "w": zeros(1, 4, 3, 3)]))
        }
        let network = try Network(
            definition: definition(
                [node("Pad", ["x", "p"], "q"), node("Conv", ["q", "w"], "y", ["pads": [1, 0, 0, 2]])],
                ["p": ints(0, 0, 1, 2, 0, 0, 3, 4), "w": zeros(1, 4, 3, 3)]))
        #expect(network.nodes.map(\.inputs) == [["x"]])
        #expect(network.layers["y"]?.operation == .convolution(ConvolutionAttributes(pads: [2, 2, 3, 6])))
        #expect(try network.shapes(batch: 2)["y"] == [2, 1, 11, 14])
        #expect(try padded(ints(0, 0, 1, 2, 0, 0, 3, 4), 1) == [.pad(pads: [0, 0, 1, 2, 0, 0, 3, 4], .constant(1)), .layer("y")])
        #expect(throws: GraphError.self) { try padded(ints(0, 1, 0, 0, 0, 0, 0, 0), 0) }
    }

    /// Every padded column of a convolution is code that oneDNN writes.
    @Test func padsOfConvolutions() throws {
        func padded(_ pad: Int64) -> GraphDefinition {
            definition([node("Conv", ["x", "w"], "y", ["pads": [0, 0, 0, pad]])], ["w": zeros(1, 4, 1, 1)])
        }
        #expect(try outputShape(padded(16_384)) == [1, 1, 8, 16_392])
        expectError(.invalid, padded(16_385), "pads [0, 0, 0, 16385]", "from 0 to 16384")
        // What Pad may do stays its own.
        let apart = definition(
            [node("Pad", ["x", "p"], "q"), node("Conv", ["q", "w"], "y", ["pads": [0, 0, 0, 1]])],
            ["p": ints(0, 0, 0, 0, 0, 0, 0, 16_384), "w": zeros(1, 4, 1, 1)])
        #expect(try operations(apart) == [.pad(pads: [0, 0, 0, 0, 0, 0, 0, 16_384], .constant(0)), .layer("y")])
    }

    @Test func transposesAreComposed() throws {
        let toChannelsLast = node("Transpose", ["x"], "t", ["perm": [0, 2, 3, 1]])
        #expect(
            try operations(definition([toChannelsLast, node("Transpose", ["t"], "y", ["perm": [0, 3, 2, 1]])])) == [
                .transpose(permutation: [0, 1, 3, 2])
            ])
        // The first result is used elsewhere, too: the second starts from the input all the same.
        let shared = [
            toChannelsLast, node("Transpose", ["t"], "u", ["perm": [0, 3, 1, 2]]), node("Sigmoid", ["t"], "s"),
            node("Transpose", ["s"], "v", ["perm": [0, 3, 1, 2]]), node("Add", ["u", "v"], "y"),
        ]
        let network = try Network(definition: definition(shared))
        #expect(network.nodes.last?.inputs == ["x", "v"])
    }

    @Test func aTransposeThatMovesNothingIsAReshape() throws {
        let nodes = [
            node("GlobalAveragePool", ["x"], "g"), node("Transpose", ["g"], "t", ["perm": [0, 2, 3, 1]]),
            node("Sigmoid", ["t"], "y"),
        ]
        let network = try Network(definition: definition(nodes))
        #expect(network.nodes.map(\.operation) == [.globalAveragePool, .reshape([0, 1, 1, 4], allowZero: false), .sigmoid])
        #expect(try network.shapes(batch: 3)["y"] == [3, 1, 1, 4])
    }

    @Test func reshapesToTheSameShapeVanish() throws {
        let nodes = [
            node("Flatten", ["x"], "f"), node("Reshape", ["f", "s"], "r"), node("Relu", ["r"], "a"), node("Flatten", ["a"], "y"),
        ]
        #expect(try operations(definition(nodes, ["s": ints(-1, 256)])) == [.flatten(axis: 1), .relu])
    }

    @Test func anIdentityBetweenAnInputAndAnOutputStays() throws {
        let network = try Network(definition: definition([node("Identity", ["x"], "y")]))
        #expect(
            network.nodes == [Node(name: "y", operation: .reshape([0, 0, 0, 0], allowZero: false), inputs: ["x"], output: "y")])
        var twice = definition([node("Relu", ["x"], "r"), node("Identity", ["r"], "y"), node("Identity", ["r"], "z")])
        twice.outputs.append(ValueInfo(name: "z", shape: []))
        let two = try Network(definition: twice)
        #expect(two.nodes.map(\.output) == ["y", "z"])
        #expect(two.nodes[1].inputs == ["y"])
    }
}
