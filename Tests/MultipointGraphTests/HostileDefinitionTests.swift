import MultipointGraph
import SeededNumbers
import Testing

/// Definitions that only a broken or malicious file has. Nothing may trap; what is refused is refused with a `GraphError`.
@Suite struct HostileDefinitionTests {
    private static let constants: [String: Tensor] = [
        "scalar": scalar(1), "vector": zeros(4), "ones": Tensor(shape: [4], [Float(1), 1, 1, 1]), "image": zeros(1, 4, 1, 1),
        "kernel": zeros(4, 4, 3, 3), "matrix": zeros(8, 8), "zero": ints(0), "one": ints(1), "two": ints(2), "axes": ints(1, 2),
        "shape": ints(0, -1, 8), "pads": ints(0, 0, 1, 1, 0, 0, 1, 1), "extremes": ints(.min, .max),
        "wide": ints(0, 0, 1, 1, 0, 0, .max, .max),
        "empty": Tensor(shape: [0], [Int64]()), "nothing": zeros(0), "huge": Tensor(shape: [1, 1], [Int64.max]),
        "nan": scalar(.nan),
        "negative": ints(-1, 0, -1), "channels": ints(3, -2, 0, 1), "scales": Tensor(shape: [4], [Float(1), 1, 2, 1.5]),
        "sizes": ints(1, 4, 5, 7), "roi": Tensor(shape: [8], [Float(0), 0, 0, 0, 1, 1, 1, 1]), "crop": ints(0, 0, -1, 2, 0, 0, 3, -2),
        "third": Tensor(shape: [], [Float(1) / 6]), "three": scalar(3), "six": scalar(6), "pair": ints(1, 3),
    ]

    /// Nodes that are right for an input [N, 4, 8, 8] in operator set 17.
    private static let valid: [NodeDefinition] = [
        node("Add", ["x", "image"], "v"), node("Sub", ["scalar", "x"], "v"), node("Mul", ["x", "x"], "v"),
        node("Div", ["x", "scalar"], "v"),
        node(
            "AveragePool", ["x"], "v", ["kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "ceil_mode": 1, "count_include_pad": 1]),
        node(
            "MaxPool", ["x"], "v", ["kernel_shape": [3, 3], "strides": [2, 2], "dilations": [1, 2], "auto_pad": "SAME_UPPER"]),
        node("BatchNormalization", ["x", "ones", "vector", "vector", "ones"], "v", ["epsilon": 0.1]),
        node("Clip", ["x", "", "scalar"], "v"),
        node("Concat", ["x", "x"], "v", ["axis": 1]),
        node("Conv", ["x", "kernel", "vector"], "v", ["pads": [1, 1, 1, 1], "group": 1]),
        node("Conv", ["x", "kernel"], "v", ["auto_pad": "SAME_LOWER", "strides": [2, 2]]), node("Dropout", ["x"], "v"),
        node("Flatten", ["x"], "v", ["axis": 1]), node("Gemm", ["x", "matrix"], "v", ["alpha": 2.0, "transB": 1]),
        node("GlobalAveragePool", ["x"], "v"), node("Identity", ["x"], "v"), node("LeakyRelu", ["x"], "v", ["alpha": 0.1]),
        node("MatMul", ["x", "matrix"], "v"), node("Pad", ["x", "pads", "scalar"], "v", ["mode": "constant"]),
        node("Relu", ["x"], "v"),
        node("Reshape", ["x", "shape"], "v"), node("Sigmoid", ["x"], "v"), node("Slice", ["x", "zero", "two", "one"], "v"),
        node("Softmax", ["x"], "v", ["axis": -1]), node("Squeeze", ["x", "axes"], "v"),
        node("Transpose", ["x"], "v", ["perm": [0, 2, 3, 1]]),
        node("Unsqueeze", ["x", "axes"], "v"), node("Constant", [], "v", ["value_ints": [1, 2]]),
        node("ArgMax", ["x"], "v", ["axis": 1, "keepdims": 1]), node("Cast", ["x"], "v", ["to": 7]), node("Celu", ["x"], "v", ["alpha": 2.0]),
        node("ConvTranspose", ["x", "kernel"], "v", ["strides": [2, 2], "pads": [1, 1, 0, 1], "output_padding": [1, 0]]),
        node("ConvTranspose", ["x", "kernel", "vector"], "v", ["auto_pad": "SAME_UPPER", "strides": [1, 3], "dilations": [2, 1]]),
        node("DepthToSpace", ["x"], "v", ["blocksize": 2, "mode": "CRD"]), node("SpaceToDepth", ["x"], "v", ["blocksize": 2]),
        node("Elu", ["x"], "v", ["alpha": 0.5]), node("Expand", ["x", "one"], "v"), node("Gather", ["x", "channels"], "v", ["axis": 1]),
        node("GlobalLpPool", ["x"], "v", ["p": 3]), node("GlobalMaxPool", ["x"], "v"),
        node("HardSigmoid", ["x"], "v", ["alpha": 0.25]), node("InstanceNormalization", ["x", "ones", "vector"], "v", ["epsilon": 0.1]),
        node("LRN", ["x"], "v", ["size": 3]), node("LayerNormalization", ["x", "scalar", "scalar"], "v", ["axis": 2]),
        node("LogSoftmax", ["x"], "v", ["axis": 1]), node("LpNormalization", ["x"], "v", ["axis": 1]),
        node("Max", ["x", "scalar", "x"], "v"), node("Max", ["x", "scalar"], "v"), node("Mean", ["x", "x", "image"], "v"),
        node("Min", ["six", "x"], "v"), node("MeanVarianceNormalization", ["x"], "v", ["axes": [2, 3]]),
        node("PRelu", ["x", "image"], "v"), node("Pad", ["x", "crop"], "v", ["mode": "edge"]), node("Pow", ["x", "two"], "v"),
        node("ReduceMean", ["x"], "v", ["axes": [2, 3]]), node("ReduceMax", ["x"], "v", ["axes": [-1], "keepdims": 0]),
        node("ReduceSum", ["x", "axes"], "v"), node("ReduceLogSumExp", ["x"], "v", ["axes": [1], "keepdims": 0]),
        node("Resize", ["x", "", "scales"], "v", ["mode": "linear", "coordinate_transformation_mode": "align_corners"]),
        node("Resize", ["x", "roi", "", "sizes"], "v", ["coordinate_transformation_mode": "tf_crop_and_resize"]),
        node("Resize", ["x", "", "", "pair"], "v", ["mode": "cubic", "axes": [3, 2], "keep_aspect_ratio_policy": "not_smaller"]),
        node("Split", ["x"], "v", ["axis": 1]), node("Sum", ["x"], "v"), node("Upsample", ["x", "scales"], "v"),
        node("Erf", ["x"], "v"), node("Tanh", ["x"], "v"), node("Softplus", ["x"], "v"),
    ]

    /// Right nodes, some with wrong inputs or attributes; every network that is accepted also has shapes and a round trip.
    @Test(arguments: 0..<8) func mutatedNodes(seed: UInt64) throws {
        var generator = SeededGenerator(seed: 1000 + seed)
        var accepted = 0
        for _ in 0..<1500 {
            var nodes: [NodeDefinition] = []
            for (input, output) in [("x", "v"), ("v", "u"), ("u", "y")] {
                var node = Self.valid.randomElement(using: &generator) ?? Self.valid[0]
                node.inputs = node.inputs.map { $0 == "x" ? input : $0 }
                (node.name, node.outputs) = (output, [output])
                if Int.random(in: 0..<3, using: &generator) == 0 { mutate(&node, &generator) }
                nodes.append(node)
            }
            let input: [ValueInfo.Dimension] =
                [[.batch, 4, 8, 8], [1, 4, 8, 8], [2, 4, 1, 1], [.batch, 8], []].randomElement(using: &generator) ?? []
            let opset = Bool.random(using: &generator) ? 17 : Int.random(in: 7...28, using: &generator)
            let hostile = definition(opset: opset, input: input, nodes, Self.constants)
            do throws(GraphError) {
                let network = try Network(definition: hostile)
                accepted += 1
                _ = try network.shapes(batch: 1)
                let layers = network.layerOrder.compactMap { network.layers[$0] }
                let again = try Network(definition: network.definition(), layers: layers)
                if again != network {
                    Issue.record("\(hostile.nodes.map(\.operatorType)) \(network.nodes.map(\.operation)) became \(again.nodes.map(\.operation))")
                }
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
        #expect((150...1350).contains(accepted))
    }

    private func mutate(_ node: inout NodeDefinition, _ generator: inout SeededGenerator) {
        let names = Self.constants.keys.sorted() + ["x", "v", "y", "", "undefined"]
        let name = names.randomElement(using: &generator) ?? ""
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: node.inputs.append(name)
        case 1: if let index = node.inputs.indices.randomElement(using: &generator) { node.inputs[index] = name }
        case 2: if !node.inputs.isEmpty { node.inputs.removeLast() }
        default:
            let others = ["axes", "axis", "allowzero", "group", "kernel_shape", "pads", "value", "auto_pad", "epsilon"]
            let attribute = (node.attributes.keys.sorted() + others).randomElement(using: &generator) ?? ""
            node.attributes[attribute] = value(&generator)
        }
    }

    private func value(_ generator: inout SeededGenerator) -> AttributeValue {
        let numbers: [Int64] = [.min, .min + 1, -1 << 31, -3, -1, 0, 1, 2, 3, 4, 8, 1 << 20, 1 << 31, 1 << 62, .max - 1, .max]
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: return .int(numbers.randomElement(using: &generator) ?? 0)
        case 1: return .float([.nan, .infinity, -1, 0, 1e38].randomElement(using: &generator) ?? 0)
        case 2: return .string(["SAME_UPPER", "constant", "VALID", ""].randomElement(using: &generator) ?? "")
        case 3: return .tensor(scalar(1))
        default:
            return .ints(
                (0..<Int.random(in: 0...4, using: &generator)).map { _ in numbers.randomElement(using: &generator) ?? 0 })
        }
    }

    @Test func layersAreValidated() {
        let overflowing = Layer(name: "l", operation: .gemm, shape: [Int.max, Int.max], weights: .float([]))
        expectError(.invalid, "layer `l`") {
            _ = try Network(definition: definition([node("Gemm", ["x"], "y", layer: "l")]), layers: [overflowing])
        }
    }

    @Test func quantizationIsValidated() {
        let nodes = [node("Relu", ["x"], "y")]
        for scale in [0, -1, .nan, .infinity] as [Float] {
            let quantized = definition(nodes, quantization: ["y": AffineQuantization(scale: scale, zeroPoint: 0)])
            expectError(.invalid, quantized, "value `y`", "scale \(scale)")
        }
        expectError(.invalid, definition(nodes, quantization: ["z": AffineQuantization(scale: 1, zeroPoint: 0)]), "no value `z`")
    }

    @Test func aLongChainOfIdentitiesIsRemovedInOneGo() throws {
        let count = 50_000
        let nodes = (0..<count).map { node("Identity", [$0 == 0 ? "x" : "v\($0 - 1)"], "v\($0)") }
        let network = try Network(definition: definition(input: [.batch, 2], nodes + [node("Relu", ["v\(count - 1)"], "y")]))
        #expect(network.nodes == [Node(name: "y", operation: .relu, inputs: ["x"], output: "y")])
    }
}
