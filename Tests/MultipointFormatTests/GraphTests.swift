import MultipointFormat
import MultipointGraph
import SeededNumbers
import XCTest

/// The `graph` of a file.
final class GraphTests: XCTestCase {
    /// Layers `conv` [2, 1, 3, 3] and `classifier` [3, 2] in float.
    private func handmade(_ graph: String) -> HandmadeFile {
        var file = HandmadeFile()
        file.metadata["name"] = "net"
        file.metadata["graph"] = graph
        file.metadata["layers"] = """
            [{"name": "conv", "operator": "Conv", "shape": [2, 1, 3, 3], "pads": [1, 1, 1, 1]},
             {"name": "classifier", "operator": "Gemm", "shape": [3, 2]}]
            """
        file.add("conv.weight", f32: (0..<18).map { Float($0) }, shape: [2, 1, 3, 3])
        file.add("classifier.weight", f32: (0..<6).map { Float($0) }, shape: [3, 2])
        return file
    }

    private func graph(
        nodes: String, inputs: String? = nil, outputs: String? = nil, values: String = "{}", operatorSet: String = "17"
    ) -> String {
        """
        {"operator_set": \(operatorSet), "inputs": [\(inputs ?? #"{"name": "x", "dtype": "float32", "shape": ["N", 1, 4, 4]}"#)],
         "outputs": [\(outputs ?? #"{"name": "y", "dtype": "float32", "shape": ["N", 2, 4, 4]}"#)], "nodes": [\(nodes)], "values": \(values)}
        """
    }

    private let conv = #"{"name": "conv", "operator": "Conv", "inputs": ["x"], "outputs": ["a"], "layer": "conv"}"#

    private func network(_ nodes: String, change: (inout HandmadeFile) -> Void = { _ in }, values: String = "{}") throws -> Network
    {
        var file = handmade(graph(nodes: nodes, values: values))
        change(&file)
        return try XCTUnwrap(PackedFile(bytes: file.bytes, source: "test file").network)
    }

    func testSmallNetwork() throws {
        let network = try network(
            conv + #", {"name": "relu", "operator": "Relu", "inputs": ["a"], "outputs": ["y"]}"#,
            values: #"{"x": {"scale": 0.5, "zero_point": 7}}"#)
        XCTAssertEqual(network.name, "net")
        XCTAssertEqual(network.inputs, [ValueInfo(name: "x", shape: [.batch, .fixed(1), .fixed(4), .fixed(4)])])
        XCTAssertEqual(network.outputs, [ValueInfo(name: "y", shape: [.batch, .fixed(2), .fixed(4), .fixed(4)])])
        XCTAssertEqual(
            network.nodes,
            [
                Node(name: "conv", operation: .layer("conv"), inputs: ["x"], output: "a"),
                Node(name: "relu", operation: .relu, inputs: ["a"], output: "y"),
            ])
        XCTAssertEqual(network.quantization, ["x": AffineQuantization(scale: 0.5, zeroPoint: 7)])
        XCTAssertEqual(network.layerOrder, ["conv", "classifier"])
    }

    func testConstantsInsideTheJson() throws {
        let network = try network(
            """
            {"operator": "Constant", "outputs": ["low"], "attributes": {"value_float": 0}},
            {"operator": "Constant", "outputs": ["high"], "attributes": {"value_float": 6.5}}, \(conv),
            {"name": "clip", "operator": "Clip", "inputs": ["a", "low", "high"], "outputs": ["y"]}
            """)
        XCTAssertEqual(network.nodes.last?.operation, .clip(minimum: 0, maximum: 6.5))
    }

    func testConstantsInTensors() throws {
        let nodes = """
            {"operator": "Constant", "outputs": ["shift"], "attributes": {"value": "stored shift"}},
            {"operator": "Constant", "outputs": ["shape"], "attributes": {"value": "stored shape"}}, \(conv),
            {"name": "add", "operator": "Add", "inputs": ["a", "shift"], "outputs": ["b"]},
            {"name": "reshape", "operator": "Reshape", "inputs": ["b", "shape"], "outputs": ["y"]}
            """
        let network = try network(nodes) {
            $0.add("stored shift", f32: [1, 2, 3, 4], shape: [1, 1, 1, 4])
            $0.add("stored shape", i64: [0, 2, 4, 4])
        }
        XCTAssertEqual(network.constants["shift"], Tensor(shape: [1, 1, 1, 4], [1, 2, 3, 4] as [Float]))
        assertRefused(handmade(graph(nodes: nodes)).bytes, .badFormat, "graph", "stored shift", "missing")
        var file = handmade(graph(nodes: nodes))
        file.add("stored shift", u8: [1, 2, 3, 4])
        file.add("stored shape", i64: [0, 2, 4, 4])
        assertRefused(file.bytes, .badFormat, "graph", "stored shift", "U8")
    }

    /// Everything that a network can hold, through a file and back.
    func testEveryOperationSurvives() throws {
        let network = try everyOperation()
        for constant in [[1, 3, 1, 1], [3, 8, 8]] {
            var network = network
            let count = constant.reduce(1, *)
            network.constants["shift"] = Tensor(shape: constant, (0..<count).map { Float($0) * 0.1 })
            // The stored constant's name is taken by a tensor of a layer.
            let file = PackedFile(network: network, producer: "a test")
            let bytes = try file.encoded()
            let read = try PackedFile(bytes: bytes, source: "test file")
            XCTAssertEqual(read.network, network)
            XCTAssertEqual(read, file)
            XCTAssertEqual(try read.encoded(), bytes)
        }
    }

    private func everyOperation() throws -> Network {
        func node(_ name: String, _ operation: MultipointGraph.Operation, _ inputs: [String]) -> Node {
            Node(name: name, operation: operation, inputs: inputs, output: "\(name) out")
        }
        let pooling = Pooling(kernel: [3, 2], strides: [1, 1], pads: [1, 0, 1, 1], dilations: [1, 1], ceilMode: false)
        var generator = SeededGenerator(seed: 77)
        let conv = Layer(
            name: "conv", operation: .convolution(ConvolutionAttributes(pads: [1, 1, 1, 1])), shape: [3, 2, 3, 3],
            weights: .packed(try generator.packedWeights(channels: 3, rowLength: 18)),
            inputQuantization: AffineQuantization(scale: 0.1, zeroPoint: 3))
        let gemm = Layer(
            name: "shift", operation: .gemm, shape: [5, 8], weights: .float((0..<40).map { Float($0) }), bias: [1, 2, 3, 4, 5])
        let nodes = [
            node("n1", .layer("conv"), ["x"]), node("n2", .leakyRelu(alpha: 0.01), ["n1 out"]), node("n3", .sigmoid, ["n2 out"]),
            node("n4", .multiply, ["n3 out", "n1 out"]), node("n5", .add, ["n4 out", "shift"]),
            node("n6", .clip(minimum: -0.3, maximum: 1e20), ["n5 out"]), node("n7", .maxPool(pooling), ["n6 out"]),
            node("n8", .averagePool(pooling, countsPadding: true), ["n7 out"]), node("n9", .concat(axis: 1), ["n8 out", "n6 out"]),
            node("n10", .slice(starts: [1], ends: [4], axes: [1], steps: [2]), ["n9 out"]),
            node("n11", .transpose(permutation: [0, 2, 3, 1]), ["n10 out"]), node("n12", .relu, ["n11 out"]),
            node("n13", .reshape([0, 16, 8], allowZero: false), ["n12 out"]), node("n14", .layer("shift"), ["n13 out"]),
            node("n15", .softmax(axis: 2), ["n14 out"]),
        ]
        return Network(
            name: "every", inputs: [ValueInfo(name: "x", shape: [.batch, .fixed(2), .fixed(8), .fixed(8)])],
            outputs: [ValueInfo(name: "n15 out", shape: [.batch, .fixed(16), .fixed(5)])], nodes: nodes,
            layers: ["conv": conv, "shift": gemm], layerOrder: ["shift", "conv"],
            quantization: [
                "x": AffineQuantization(scale: 0.1, zeroPoint: 3), "n2 out": AffineQuantization(scale: 1 / 3, zeroPoint: 255),
            ])
    }

    /// Every kind of attribute and constant that an operation is written with.
    func testFormsOfAttributesAndConstantsSurvive() throws {
        let half = Resize(axes: [2, 3], sizes: [4, 12], scales: [0.5, 1.5], mode: .cubic(a: -0.5), coordinates: .asymmetric)
        let kept = Resize(axes: [2, 3], sizes: [3, 3], scales: [0.4, 0.4], mode: .nearest(.ceil), coordinates: .halfPixel)
        let operations: [MultipointGraph.Operation] = [
            .elementwise(.selu(alpha: 1.5, gamma: 2)), .elementwise(.geluTanh), .elementwise(.truncate), .elementwise(.pow(exponent: 3)),
            .elementwise(.elu(alpha: 2)), .reduce(.l1, axes: [1, 3], keepsDimensions: false),
            .argument(.minimum, axis: 1, keepsDimension: false, selectsLast: true), .logSoftmax(axis: 1),
            .layerNormalization(axis: 1, epsilon: 1), .localResponseNormalization(size: 3, alpha: 1, beta: 0.5, bias: 2),
            .expand([1, 2, 8, 8]), .gather(indices: [1, 0, 1, 1], shape: [2, 2], axis: 1), .gather(indices: [1], shape: [], axis: 1),
            .gather(indices: (0..<80).map { $0 % 2 }, shape: [80], axis: 1), .pad(pads: [0, 0, 1, 0, 0, 0, 2, 0], .reflect),
            .pad(pads: [0, 0, 1, 0, 0, 0, 2, 0], .wrap), .resize(half), .resize(kept), .spaceToDepth(blockSize: 2),
            .prelu, .binary(.power), .binary(.maximum),
        ]
        for operation in operations {
            var inputs = ["first"]
            if [.prelu, .binary(.power), .binary(.maximum)].contains(operation) { inputs.append("slopes") }
            var network = Network(
                name: "n", inputs: [ValueInfo(name: "x", shape: [.batch, .fixed(2), .fixed(8), .fixed(8)])],
                outputs: [ValueInfo(name: "y", shape: [])],
                nodes: [
                    Node(name: "f", operation: .elementwise(.sqrt), inputs: ["x"], output: "first"),
                    Node(name: "o", operation: operation, inputs: inputs, output: "second"),
                    Node(name: "g", operation: .elementwise(.sin), inputs: ["second"], output: "y"),
                ], layers: [:], layerOrder: [],
                constants: inputs.count == 2 ? ["slopes": Tensor(shape: [2, 1, 1], [0.25, -3] as [Float])] : [:])
            let shape = try XCTUnwrap(try network.shapes(batch: 1)["y"])
            network.outputs[0].shape = [.batch] + shape.dropFirst().map { .fixed($0) }
            if operation == .expand([1, 2, 8, 8]) { network = try Network(definition: network.definition()) }
            let bytes = try PackedFile(network: network, producer: "a test").encoded()
            XCTAssertEqual(try PackedFile(bytes: bytes, source: "test file").network, network, "\(operation)")
        }
    }

    func testUsedLayersHaveToBeInTheFile() throws {
        var file = PackedFile(network: try everyOperation(), producer: "")
        file.network?.constants["shift"] = Tensor(shape: [], [1 as Float])
        file.layers.removeLast()
        XCTAssertThrowsError(try file.encoded()) { XCTAssertTrue("\($0)".contains("`conv`"), "\($0)") }
    }

    func testRefusals() {
        func assertRefusedGraph(_ graph: String, _ words: String, _ kind: PackedFileError.Kind = .badFormat, line: UInt = #line) {
            guard let error = refusal(handmade(graph).bytes, line: line) else { return }
            XCTAssertEqual(error.kind, kind, error.description, line: line)
            XCTAssertTrue(error.description.contains("`graph`"), error.description, line: line)
            XCTAssertTrue(error.description.contains(words), error.description, line: line)
        }
        let relu = #"{"name": "relu", "operator": "Relu", "inputs": ["a"], "outputs": ["y"]}"#
        XCTAssertNoThrow(try PackedFile(bytes: handmade(graph(nodes: conv + "," + relu)).bytes, source: "test file"))
        assertRefusedGraph("[]", "object")
        assertRefusedGraph("", "JSON")
        assertRefusedGraph("{}", "missing")
        assertRefusedGraph(String(repeating: "[", count: 100), "nested")
        assertRefusedGraph(graph(nodes: conv), "`y`")
        assertRefusedGraph(graph(nodes: conv + "," + relu, operatorSet: "1000"), "1000", .unsupported)
        assertRefusedGraph(graph(nodes: conv + "," + relu, operatorSet: "\"17\""), "`operator_set`")
        assertRefusedGraph(
            graph(nodes: conv + "," + relu.replacingOccurrences(of: "Relu", with: "Frobnicate")), "Frobnicate", .unsupported)
        assertRefusedGraph(graph(nodes: relu), "`a`")
        assertRefusedGraph(graph(nodes: conv + "," + relu + "," + relu), "`y`")
        assertRefusedGraph(
            graph(nodes: conv.replacingOccurrences(of: #""layer": "conv""#, with: #""layer": "other""#) + "," + relu), "`other`")
        assertRefusedGraph(graph(nodes: conv.replacingOccurrences(of: #"["x"]"#, with: #"["y"]"#) + "," + relu), "cycle")
        assertRefusedGraph(graph(nodes: conv + "," + relu, values: #"{"b": {"scale": 1, "zero_point": 0}}"#), "`b`")
        assertRefusedGraph(graph(nodes: conv + "," + relu, values: #"{"a": {"scale": -1, "zero_point": 0}}"#), "`a`")
        assertRefusedGraph(graph(nodes: conv + "," + relu, values: #"{"a": {"scale": 1, "zero_point": 300}}"#), "300")
        for shape in [
            #"["N", 1, 4, 0]"#, #"["M", 1, 4, 4]"#, #"["N", 1, -4, 4]"#, #"["N", 1, 4.5, 4]"#, #"["N", 3, 4, 4]"#,
            #"["N", 1, 4, "N"]"#, "7",
        ] {
            assertRefusedKindOfInput(#"{"name": "x", "dtype": "float32", "shape": \#(shape)}"#, conv + "," + relu)
        }
        assertRefusedGraph(graph(nodes: conv + "," + relu, inputs: #"{"name": "x"}"#), "shape")
        assertRefusedGraph(
            graph(nodes: conv + "," + relu, inputs: #"{"name": "x", "dtype": "int8", "shape": ["N", 1, 4, 4]}"#), "int8",
            .unsupported)
        assertRefusedGraph(graph(nodes: conv + "," + relu, outputs: #"{"name": "y", "shape": ["N", 7, 4, 4]}"#), "`y`")
    }

    private func assertRefusedKindOfInput(_ input: String, _ nodes: String, line: UInt = #line) {
        guard let error = refusal(handmade(graph(nodes: nodes, inputs: input)).bytes, line: line) else { return }
        XCTAssertTrue(error.kind == .badFormat || error.kind == .unsupported, error.description, line: line)
        XCTAssertTrue(error.description.contains("`graph`"), error.description, line: line)
    }

    func testAttributesOfStrangeTypes() {
        for value in ["null", "true", "{}", "[[1]]", "[1, \"a\"]", "1e400"] {
            let pool =
                "{\"operator\": \"MaxPool\", \"inputs\": [\"a\"], \"outputs\": [\"y\"], \"attributes\": {\"kernel_shape\": \(value)}}"
            assertRefused(handmade(graph(nodes: conv + "," + pool)).bytes, .badFormat, "graph")
        }
    }
}
