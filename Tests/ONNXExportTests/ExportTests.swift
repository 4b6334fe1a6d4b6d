import MultipointGraph
import ONNXMessages
import SwiftProtobuf
import Testing

@testable import ONNXExport

private let file = PackedConstant(name: "net.multipoint", place: .inside([1, 2, 3]))

private func layer(_ name: String, _ attributes: ConvolutionAttributes = ConvolutionAttributes()) -> Layer {
    Layer(name: name, operation: .convolution(attributes), shape: [2, 2, 1, 1], weights: .float([1, 2, 3, 4]))
}

private func node(_ type: String, _ inputs: [String], _ outputs: [String]) -> Onnx_NodeProto {
    Onnx_NodeProto.with {
        $0.opType = type
        $0.input = inputs
        $0.output = outputs
    }
}

private func named(_ names: [String]) -> [Onnx_ValueInfoProto] { names.map { name in Onnx_ValueInfoProto.with { $0.name = name } } }

private func constants(_ names: [String]) -> [Onnx_TensorProto] { names.map { name in Onnx_TensorProto.with { $0.name = name } } }

private func bytes(_ fill: (inout Onnx_GraphProto) -> Void) throws -> [UInt8] {
    var model = Onnx_ModelProto()
    model.irVersion = 3
    fill(&model.graph)
    return try model.serializedBytes()
}

@Suite struct ExportTests {
    /// x → layer → relu → y.
    private static let network = Network(
        name: "net", inputs: [ValueInfo(name: "x", shape: [.batch, .fixed(2), .fixed(4), .fixed(5)])],
        outputs: [ValueInfo(name: "y", shape: [])],
        nodes: [
            Node(name: "conv", operation: .layer("conv"), inputs: ["x"], output: "c"),
            Node(name: "clip", operation: .clip(minimum: 0, maximum: 6), inputs: ["c"], output: "y"),
        ],
        layers: ["conv": layer("conv", ConvolutionAttributes(strides: [2, 1], pads: [0, 1, 0, 1]))], layerOrder: ["conv"])

    @Test func aNetworkIsOneNode() throws {
        let model = try Onnx_ModelProto(
            serializedBytes: try networkModel(of: Self.network, file: file, producer: "somebody", version: "1.2"))
        #expect(model.irVersion == 8)
        #expect(model.producerName == "somebody" && model.producerVersion == "1.2")
        #expect(model.opsetImport.map(\.domain) == ["", "multipoint"])
        #expect(model.graph.node.map(\.opType) == ["Network"])
        #expect(model.graph.node.map(\.domain) == ["multipoint"])
        #expect(model.graph.node[0].input == ["net.multipoint", "x"])
        #expect(model.graph.node[0].output == ["y"])
        #expect(model.graph.input.map(\.name) == ["x"])
        #expect(model.graph.initializer.map(\.name) == ["net.multipoint"])
        #expect(Array(model.graph.initializer[0].rawData) == [1, 2, 3])
        #expect(model.graph.initializer[0].dims == [3])
        #expect(model.graph.initializer[0].dataType == 2)  // UINT8
        let shape = model.graph.output[0].type.tensorType.shape.dim
        #expect(shape.map(\.dimParam) == ["N", "", "", ""])
        #expect(shape.map(\.dimValue) == [0, 2, 2, 7])
    }

    @Test func aNameThatIsTakenGetsANumber() throws {
        let taken = PackedConstant(name: "x", place: .inside([]))
        let model = try Onnx_ModelProto(
            serializedBytes: try networkModel(of: Self.network, file: taken, producer: "", version: ""))
        #expect(model.graph.node[0].input == ["x_2", "x"])
    }

    @Test func aNetworkNodeByNode() throws {
        let model = try Onnx_ModelProto(serializedBytes: try layerModel(of: Self.network, file: file, producer: "", version: ""))
        #expect(model.graph.node.map(\.opType) == ["Conv", "Clip"])
        #expect(model.graph.node.map(\.domain) == ["multipoint", ""])
        #expect(model.graph.node[0].input == ["x", "net.multipoint"])
        let attributes = Dictionary(uniqueKeysWithValues: model.graph.node[0].attribute.map { ($0.name, $0) })
        #expect(attributes["layer"].map { String(decoding: $0.s, as: UTF8.self) } == "conv")
        #expect(attributes["strides"]?.ints == [2, 1])
        #expect(attributes["pads"]?.ints == [0, 1, 0, 1])
        #expect(attributes["kernel_shape"]?.ints == [1, 1])
        #expect(attributes["group"]?.i == 1)
        // The bounds are constants of the graph.
        #expect(model.graph.node[1].input == ["c", "clip/min", "clip/max"])
        #expect(model.graph.initializer.map(\.name) == ["net.multipoint", "clip/max", "clip/min"])
    }

    @Test func integersOfONNXBecomeFloats() throws {
        var network = Self.network
        network.nodes[1].operation = .argument(.maximum, axis: 1, keepsDimension: true, selectsLast: false)
        let model = try Onnx_ModelProto(serializedBytes: try layerModel(of: network, file: file, producer: "", version: ""))
        #expect(model.graph.node.map(\.opType) == ["Conv", "ArgMax", "Cast"])
        #expect(model.graph.node[1].output == model.graph.node[2].input)
        #expect(model.graph.node[1].output != ["y"] && model.graph.node[2].output == ["y"])
        #expect(model.graph.node[2].attribute.map(\.i) == [1])  // FLOAT
    }

    /// ONNX Runtime 1.17 reads operator sets up to 20.
    @Test func theOperatorSetIsNoNewerThanNeeded() throws {
        var network = Self.network
        for (operation, version) in [(Operation.relu, 19), (.elementwise(.gelu), 20)] {
            network.nodes[1].operation = operation
            let model = try Onnx_ModelProto(serializedBytes: try layerModel(of: network, file: file, producer: "", version: ""))
            #expect(model.opsetImport.first { $0.domain.isEmpty }?.version == Int64(version))
        }
        let whole = try Onnx_ModelProto(serializedBytes: try networkModel(of: network, file: file, producer: "", version: ""))
        #expect(whole.opsetImport.first { $0.domain.isEmpty }?.version == 19)
    }

    @Test func theFileBesideTheModel() throws {
        let beside = PackedConstant(name: "f", place: .beside(location: "sub/f", byteCount: 77))
        let model = try Onnx_ModelProto(
            serializedBytes: try networkModel(of: Self.network, file: beside, producer: "", version: ""))
        let tensor = model.graph.initializer[0]
        #expect(tensor.dims == [77] && tensor.dataLocation == .external && tensor.rawData.isEmpty)
        #expect(tensor.externalData.map(\.key) == ["location", "offset", "length"])
        #expect(tensor.externalData.map(\.value) == ["sub/f", "0", "77"])
    }
}

@Suite struct ReplacementTests {
    private func replaced(_ original: [UInt8], _ replacements: [LayerReplacement], isMoved: Bool = false) throws -> Onnx_GraphProto {
        try Onnx_ModelProto(serializedBytes: try layerModel(replacing: replacements, in: original, isMoved: isMoved, file: file).bytes)
            .graph
    }

    /// x → Pad → Conv → BatchNormalization → y, listed out of order, beside a node of nobody's making.
    private func folded(_ fill: (inout Onnx_GraphProto) -> Void = { _ in }) throws -> [UInt8] {
        try bytes {
            $0.input = named(["x", "w"])
            $0.output = named(["z"])
            $0.initializer = constants(["w", "scale", "k", "unused"])
            $0.node = [
                node("Novelty", ["y", "k"], ["z"]), node("BatchNormalization", ["c", "scale"], ["y"]), node("Conv", ["p", "w"], ["c"]),
                node("Pad", ["x"], ["p"]),
            ]
            $0.valueInfo = named(["c", "y"])
            fill(&$0)
        }
    }

    @Test func whatALayerReplacesGoes() throws {
        let graph = try replaced(folded(), [LayerReplacement(layer: layer("conv"), input: "x", output: "y")])
        #expect(graph.node.map(\.opType) == ["Novelty", "Conv"])
        #expect(graph.node[1].domain == "multipoint" && graph.node[1].name == "conv")
        #expect(graph.node[1].input == ["x", "net.multipoint"] && graph.node[1].output == ["y"])
        #expect(graph.initializer.map(\.name) == ["k", "net.multipoint"])
        #expect(graph.input.map(\.name) == ["x"])
        #expect(graph.valueInfo.map(\.name) == ["y"])
    }

    @Test func whatSomethingElseReadsStays() throws {
        let model = try folded { $0.output += named(["c"]) }
        let graph = try replaced(model, [LayerReplacement(layer: layer("conv"), input: "x", output: "y")])
        #expect(graph.node.map(\.opType) == ["Novelty", "Conv", "Conv", "Pad"])
        #expect(graph.initializer.map(\.name) == ["w", "k", "net.multipoint"])
    }

    @Test func whatABranchReadsStays() throws {
        let model = try folded {
            var inner = Onnx_GraphProto()
            inner.node = [node("Neg", ["c"], ["n"])]
            var outer = Onnx_GraphProto()
            outer.node = [node("If", ["k"], ["i"])]
            outer.node[0].attribute = [Onnx_AttributeProto.with { $0.name = "then_branch"; $0.type = .graph; $0.g = inner }]
            $0.node[0].attribute = [Onnx_AttributeProto.with { $0.name = "body"; $0.type = .graph; $0.g = outer }]
        }
        let graph = try replaced(model, [LayerReplacement(layer: layer("conv"), input: "x", output: "y")])
        #expect(graph.node.map(\.opType) == ["Novelty", "Conv", "Conv", "Pad"])
    }

    @Test func aLayerWithoutAPlaceIsRefused() throws {
        let original = try folded()
        for (input, output, message) in [
            ("nowhere", "y", "layer `conv` reads `nowhere`; the ONNX model has no such value"),
            ("x", "nowhere", "layer `conv` computes `nowhere`; no node of the ONNX model does"),
            ("x", "w", "layer `conv` computes `w`; no node of the ONNX model does"),
        ] {
            #expect(throws: ONNXExportError(message)) {
                try replaced(original, [LayerReplacement(layer: layer("conv"), input: input, output: output)])
            }
        }
    }

    @Test func aSecondOutputThatIsUsedIsRefused() throws {
        let original = try folded {
            $0.node[1].output.append("mean")
            $0.output += named(["mean"])
        }
        #expect(throws: ONNXExportError.self) {
            try replaced(original, [LayerReplacement(layer: layer("conv"), input: "x", output: "y")])
        }
    }

    @Test func dataBesideTheOriginalIsNotLeftBehind() throws {
        let place = [LayerReplacement(layer: layer("conv"), input: "x", output: "y")]
        for (name, isKept) in [("k", true), ("scale", false)] {
            let original = try folded {
                for index in $0.initializer.indices where $0.initializer[index].name == name {
                    $0.initializer[index].dataLocation = .external
                }
            }
            _ = try replaced(original, place)
            if isKept {
                #expect(throws: ONNXExportError.self) { try replaced(original, place, isMoved: true) }
            } else {
                _ = try replaced(original, place, isMoved: true)
            }
        }
    }

    @Test func otherBytesAreRefused() {
        #expect(throws: ONNXExportError.self) { try replaced([0xFF, 0xFF, 0xFF], []) }
    }
}
