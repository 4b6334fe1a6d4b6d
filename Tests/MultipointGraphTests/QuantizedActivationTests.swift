import MultipointGraph
import Testing

/// QuantizeLinear and DequantizeLinear of computed values. `x` is [N, 4, 8, 8].
@Suite struct QuantizedActivationTests {
    private let parameters: [String: Tensor] = [
        "s": scalar(0.5), "u128": byte(128, .uint8), "u0": byte(0, .uint8), "i0": byte(0, .int8), "lowest": byte(-128, .int8),
        "w": zeros(4, 4, 1, 1),
    ]

    private static func byte(_ value: Int64, _ type: IntegerType) -> Tensor {
        Tensor(shape: [], elements: .int64([value]), integerType: type)
    }

    private func operations(_ nodes: [NodeDefinition]) throws -> [MultipointGraph.Operation] {
        try Network(definition: definition(nodes, parameters)).nodes.map(\.operation)
    }

    private func pair(_ value: String, _ zero: String, _ result: String) -> [NodeDefinition] {
        [node("QuantizeLinear", [value, "s", zero], "\(result)_q"), node("DequantizeLinear", ["\(result)_q", "s", zero], result)]
    }

    @Test func pairsAreDropped() throws {
        for zero in ["u128", "i0"] {
            let nodes = pair("x", zero, "a") + [node("Conv", ["a", "w"], "c")] + pair("c", zero, "d") + [node("Sigmoid", ["d"], "y")]
            #expect(try operations(nodes) == [.layer("c"), .sigmoid])
        }
    }

    /// A quantizer removes a Relu whose work the quantized range does: 0 to 0.5 · 255.
    @Test func rangesThatStartAtZeroCutOff() throws {
        for zero in ["u0", "lowest", ""] {
            let nodes = pair("x", "u128", "a") + [node("Conv", ["a", "w"], "c")] + pair("c", zero, "d") + [node("Sigmoid", ["d"], "y")]
            #expect(try operations(nodes) == [.layer("c"), .clip(minimum: 0, maximum: 127.5), .sigmoid])
        }
        // What is never negative is not cut off, nor is the network's input.
        let nodes = pair("x", "u0", "a") + [node("Conv", ["a", "w"], "c"), node("Relu", ["c"], "r"), node("MaxPool", ["r"], "m", ["kernel_shape": [2, 2]])]
        let pool = MultipointGraph.Operation.maxPool(Pooling(kernel: [2, 2]))
        #expect(try operations(nodes + pair("m", "u0", "d") + [node("Sigmoid", ["d"], "y")]) == [.layer("c"), .relu, pool, .sigmoid])
    }

    @Test func integerInputsAreScaled() throws {
        let network = try Network(definition: definition([node("DequantizeLinear", ["x", "s", "u128"], "y")], parameters))
        #expect(network.nodes.map(\.operation) == [.add, .multiply])
        #expect(network.nodes.compactMap { network.constants[$0.inputs[1]]?.floats } == [[-128], [0.5]])
        let channels = ["s": Tensor(shape: [4], [Float(1), 2, 3, 4])]
        let scaled = try Network(definition: definition([node("DequantizeLinear", ["x", "s"], "y", ["axis": 1])], channels))
        #expect(scaled.nodes.map(\.operation) == [.multiply])
        #expect(scaled.constants[scaled.nodes[0].inputs[1]]?.shape == [4, 1, 1])
    }

    @Test func quantizedValuesElsewhereAreRefused() {
        let quantized = node("QuantizeLinear", ["x", "s", "u128"], "q")
        expectError(
            .unsupported, definition([quantized, node("Relu", ["q"], "y")], parameters), "node `y`: Relu", "`q` is the result of a QuantizeLinear")
        expectError(
            .unsupported, definition([node("QuantizeLinear", ["x", "s", "u128"], "y")], parameters), "output `y` is the result of a QuantizeLinear")
        for type in ["QLinearConv", "ConvInteger", "DynamicQuantizeLinear", "QLinearMatMul", "QLinearAdd"] {
            expectError(.unsupported, definition([node(type, ["x"], "y")]), "node `y`", "`\(type)` works on quantized values", "QDQ format")
        }
    }
}
