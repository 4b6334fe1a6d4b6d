import MultipointGraph
import Testing

/// Functions written out in smaller ones, in the forms of exporters.
@Suite struct ActivationRecognitionTests {
    private func expect(
        _ function: Elementwise, _ nodes: [NodeDefinition], _ constants: [String: Tensor] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let network = try Network(definition: definition([node("Neg", ["x"], "n")] + nodes, constants))
        #expect(network.nodes.map(\.operation) == [.elementwise(.neg), .elementwise(function)], sourceLocation: sourceLocation)
        #expect(network.constants.isEmpty, sourceLocation: sourceLocation)
        #expect(network.outputs[0].name == "y", sourceLocation: sourceLocation)
    }

    @Test func swish() throws {
        try expect(.swish(alpha: 1), [node("Sigmoid", ["n"], "s"), node("Mul", ["n", "s"], "y")])
        try expect(.swish(alpha: 1), [node("Sigmoid", ["n"], "s"), node("Mul", ["s", "n"], "y")])
        let scaled = [node("Mul", ["a", "n"], "m"), node("Sigmoid", ["m"], "s"), node("Mul", ["n", "s"], "y")]
        try expect(.swish(alpha: 1.702), scaled, ["a": scalar(1.702)])
        // A gate of something else is none, nor is one that another node reads, too.
        let gate = [node("Neg", ["x"], "n"), node("Sigmoid", ["n"], "s"), node("Mul", ["x", "s"], "y")]
        #expect(try operations(definition(gate)) == [.elementwise(.neg), .sigmoid, .multiply])
        let shared = [node("Sigmoid", ["x"], "s"), node("Mul", ["x", "s"], "m"), node("Add", ["m", "s"], "y")]
        #expect(try operations(definition(shared)) == [.sigmoid, .multiply, .add])
    }

    @Test func hardSwish() throws {
        let constants = ["three": scalar(3), "zero": scalar(0), "six": scalar(6), "sixth": scalar(1 / 6)]
        let relu6 = [node("Add", ["n", "three"], "a"), node("Clip", ["a", "zero", "six"], "c")]
        try expect(.hardSwish, relu6 + [node("Mul", ["n", "c"], "m"), node("Div", ["m", "six"], "y")], constants)
        try expect(.hardSwish, relu6 + [node("Div", ["c", "six"], "d"), node("Mul", ["n", "d"], "y")], constants)
        try expect(.hardSwish, relu6 + [node("Mul", ["c", "sixth"], "d"), node("Mul", ["d", "n"], "y")], constants)
        try expect(.hardSwish, relu6 + [node("Mul", ["n", "sixth"], "d"), node("Mul", ["d", "c"], "y")], constants)
        let minMax = [node("Add", ["three", "n"], "a"), node("Relu", ["a"], "r"), node("Min", ["r", "six"], "c")]
        try expect(.hardSwish, minMax + [node("Mul", ["n", "c"], "m"), node("Div", ["m", "six"], "y")], constants)
        let hard = [node("HardSigmoid", ["n"], "h", ["alpha": .float(1 / 6), "beta": 0.5]), node("Mul", ["n", "h"], "y")]
        try expect(.hardSwish, hard)
        // TensorFlow's and ONNX's own hard sigmoid has another slope.
        let other = [node("HardSigmoid", ["x"], "h", ["alpha": 0.2, "beta": 0.5]), node("Mul", ["x", "h"], "y")]
        #expect(try operations(definition(other)) == [.elementwise(.hardSigmoid(alpha: 0.2, beta: 0.5)), .multiply])
    }

    @Test func hardSigmoid() throws {
        let constants = ["three": scalar(3), "zero": scalar(0), "six": scalar(6)]
        let nodes = [
            node("Add", ["n", "three"], "a"), node("Clip", ["a", "zero", "six"], "c"), node("Div", ["c", "six"], "y"),
        ]
        try expect(.hardSigmoid(alpha: 1 / 6, beta: 0.5), nodes, constants)
    }

    @Test func mish() throws {
        let end = [node("Tanh", ["p"], "t"), node("Mul", ["n", "t"], "y")]
        try expect(.mish, [node("Softplus", ["n"], "p")] + end)
        let log = [node("Exp", ["n"], "e"), node("Add", ["e", "one"], "a"), node("Log", ["a"], "p")]
        try expect(.mish, log + end, ["one": scalar(1)])
    }

    @Test func gelu() throws {
        let constants = ["root": scalar(1.4142135), "inverse": scalar(0.70710677), "one": scalar(1), "half": scalar(0.5)]
        let erf = [node("Erf", ["d"], "e"), node("Add", ["e", "one"], "a")]
        let divided = [node("Div", ["n", "root"], "d")] + erf
        try expect(.gelu, divided + [node("Mul", ["n", "a"], "m"), node("Mul", ["m", "half"], "y")], constants)
        try expect(.gelu, divided + [node("Mul", ["n", "half"], "m"), node("Mul", ["a", "m"], "y")], constants)
        let multiplied = [node("Mul", ["inverse", "n"], "d")] + erf
        try expect(.gelu, multiplied + [node("Mul", ["half", "a"], "m"), node("Mul", ["n", "m"], "y")], constants)
    }

    @Test func geluWithTanh() throws {
        let constants = [
            "cubic": scalar(0.044715), "slope": scalar(0.7978846), "one": scalar(1), "half": scalar(0.5), "three": scalar(3),
        ]
        let end = [
            node("Mul", ["i", "slope"], "j"), node("Tanh", ["j"], "t"), node("Add", ["t", "one"], "a"), node("Mul", ["n", "half"], "h"),
            node("Mul", ["h", "a"], "y"),
        ]
        let power = [node("Pow", ["n", "three"], "p"), node("Mul", ["p", "cubic"], "c"), node("Add", ["n", "c"], "i")]
        try expect(.geluTanh, power + end, constants)
        let products = [
            node("Mul", ["n", "n"], "q"), node("Mul", ["q", "n"], "p"), node("Mul", ["cubic", "p"], "c"), node("Add", ["c", "n"], "i"),
        ]
        try expect(.geluTanh, products + end, constants)
        let factored = [
            node("Mul", ["n", "n"], "q"), node("Mul", ["cubic", "q"], "p"), node("Add", ["p", "one"], "c"), node("Mul", ["c", "n"], "i"),
        ]
        try expect(.geluTanh, factored + end, constants)
    }

    @Test func channelShuffle() throws {
        let shuffle = [
            node("Reshape", ["x", "split"], "r"), node("Transpose", ["r"], "t", ["perm": [0, 2, 1, 3, 4]]), node("Reshape", ["t", "join"], "y"),
        ]
        let expected = [Operation.gather(indices: [0, 3, 1, 4, 2, 5], shape: [6], axis: 1)]
        let forms: [(ValueInfo.Dimension, Tensor, Tensor)] = [
            (.batch, ints(0, 2, 3, 4, 5), ints(0, -1, 4, 5)), (.batch, ints(-1, 2, 3, 4, 5), ints(-1, 6, 4, 5)),
            (.fixed(1), ints(1, 2, 3, 4, 5), ints(1, 6, 4, 5)),
        ]
        for (input, split, join) in forms {
            let network = try Network(
                definition: definition(input: [input, 6, 4, 5], shuffle, ["split": split, "join": join]))
            #expect(network.nodes.map(\.operation) == expected)
            #expect(network.inputs[0].shape[0] == .batch)
        }
    }

    @Test func reshapesAreMerged() throws {
        let nodes = [
            node("Flatten", ["x"], "f"), node("Unsqueeze", ["f", "one"], "u"), node("Reshape", ["u", "s"], "r"), node("Neg", ["r"], "y"),
        ]
        let network = try Network(definition: definition(nodes, ["one": ints(1), "s": ints(0, 64, 4)]))
        #expect(network.nodes.map(\.operation) == [.reshape([0, 64, 4], allowZero: false), .elementwise(.neg)])
    }

    @Test func clipsAreMerged() throws {
        let nodes = [node("Max", ["x", "lo"], "m"), node("Min", ["m", "hi"], "y")]
        #expect(try operations(definition(nodes, ["lo": scalar(-1), "hi": scalar(2)])) == [.clip(minimum: -1, maximum: 2)])
        #expect(try operations(definition(nodes, ["lo": scalar(0), "hi": scalar(-2)])) == [.clip(minimum: -2, maximum: -2)])
        #expect(try operations(definition([node("Max", ["zero", "x"], "y")], ["zero": scalar(0)])) == [.relu])
    }

    @Test func meansOfImagesAreGlobalAveragePools() throws {
        #expect(try operations(definition([node("ReduceMean", ["x"], "y", ["axes": [-1, 2]])])) == [.globalAveragePool])
        #expect(
            try operations(definition([node("ReduceMean", ["x"], "y", ["axes": [2, 3], "keepdims": 0])])) == [
                .globalAveragePool, .squeeze(axes: [2, 3]),
            ])
    }

    @Test func zeroPadsFoldIntoPools() throws {
        let pads = ["p": ints(0, 0, 1, 0, 0, 0, 1, 1)]
        let pooled: (String, [NodeDefinition]) throws -> [Operation] = { pool, before in
            let padding = node("Pad", [before.isEmpty ? "x" : "r", "p"], "q")
            return try operations(definition(before + [padding, node(pool, ["q"], "y", ["kernel_shape": [2, 2]])], pads))
        }
        let relu = [node("Relu", ["x"], "r")]
        let pooling = Pooling(kernel: [2, 2], pads: [1, 0, 1, 1])
        #expect(try pooled("MaxPool", relu) == [.relu, .maxPool(pooling)])
        #expect(try pooled("AveragePool", []) == [.averagePool(pooling, countsPadding: true)])
        // Zeros may be larger than what they pad.
        #expect(
            try pooled("MaxPool", []) == [
                .pad(pads: [0, 0, 1, 0, 0, 0, 1, 1], .constant(0)), .maxPool(Pooling(kernel: [2, 2])),
            ])
    }

    /// ConvTranspose, BatchNormalization, Relu: one layer with its activation, then the rearrangement.
    @Test func whatFollowsATransposedConvolutionReachesItsLayer() throws {
        let normalization: [String: Tensor] = [
            "g": Tensor(shape: [2], [Float(2), 3]), "b": Tensor(shape: [2], [Float(1), -1]), "m": zeros(2),
            "v": Tensor(shape: [2], [Float](repeating: 1 - 1e-5, count: 2)),
        ]
        let nodes = [
            node("ConvTranspose", ["x", "w"], "c", ["strides": [2, 2]]), node("BatchNormalization", ["c", "g", "b", "m", "v"], "n"),
            node("Relu", ["n"], "y"),
        ]
        let weights = Tensor(shape: [4, 2, 2, 2], (0..<32).map { Float($0) })
        let network = try Network(definition: definition(nodes, normalization.merging(["w": weights]) { $1 }))
        #expect(network.nodes.map(\.operation) == [.layer("c"), .relu, .depthToSpace(blockSize: 2, .columnRowDepth)])
        #expect(network.nodes.last?.output == "y")
        // Channels 0 to 3 are phases of the first, 4 to 7 of the second: scales 2 and 3, shifts 1 and −1.
        #expect(network.layers["c"]?.bias == [1, 1, 1, 1, -1, -1, -1, -1])
        guard case .float(let folded)? = network.layers["c"]?.weights else { return }
        var expected: [Float] = []
        for channel in 0..<8 { for input in 0..<4 { expected.append(Float((input * 8 + channel) * (channel < 4 ? 2 : 3))) } }
        #expect(folded == expected)
    }

    @Test func onesAndZerosVanish() throws {
        let nodes = [node("Mul", ["x", "ones"], "m"), node("Add", ["zeros", "m"], "a"), node("Neg", ["a"], "y")]
        let constants = ["ones": Tensor(shape: [4, 1, 1], [Float](repeating: 1, count: 4)), "zeros": zeros(1)]
        #expect(try operations(definition(nodes, constants)) == [.elementwise(.neg)])
    }
}
