import Foundation
import MultipointGraph
import Testing

import ONNXMessages
@testable import ONNXImport

@Suite struct ReadLayersTests {
    private func layers(_ model: Onnx_ModelProto) throws -> ModelLayers {
        var found = ModelLayers(layers: [], others: [])
        try withFolder { folder in
            let path = folder + "model.onnx"
            let bytes: [UInt8] = try model.serializedBytes()
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            found = try readLayers(path: path)
        }
        return found
    }

    private func named(_ name: String, _ node: Onnx_NodeProto) -> Onnx_NodeProto {
        var node = node
        node.name = name
        return node
    }

    private func ints(_ name: String, _ values: [Int64]) -> Onnx_AttributeProto { attribute(name, .ints) { $0.ints = values } }

    @Test func aLayerIsWhatItsNodeSays() throws {
        let found = try layers(
            model {
                $0.input = [value("x", [.missing, .symbol("channels"), .missing, .missing], type: .int32)]
                $0.initializer = [
                    floats("w", [2, 1, 1, 2], [1, 2, 3, 4]), floats("b", [2], [5, 6]), floats("m", [2, 3], [1, 2, 3, 4, 5, 6]),
                ]
                $0.node = [
                    onnxNode("Unheard", ["x"], ["u"]),
                    named(
                        "conv",
                        onnxNode(
                            "Conv", ["u", "w", "b"], ["c"],
                            [ints("pads", [0, 1, 0, 1]), ints("strides", [2, 3]), attribute("group", .int) { $0.i = 2 }])),
                    onnxNode("MatMul", ["c", "m"], ["p"]),
                    onnxNode("Gemm", ["p", "m"], ["g"], [attribute("transB", .int) { $0.i = 1 }, attribute("alpha", .float) { $0.f = 2 }]),
                ]
            })
        #expect(found.others.isEmpty)
        #expect(found.layers.map(\.layer.name) == ["conv", "MatMul_p", "Gemm_g"])
        #expect(found.layers.map(\.input) == ["u", "c", "p"])
        #expect(found.layers.map(\.output) == ["c", "p", "g"])
        #expect(
            found.layers[0].layer.operation
                == .convolution(ConvolutionAttributes(strides: [2, 3], pads: [0, 1, 0, 1], dilations: [1, 1], group: 2)))
        #expect(found.layers[0].layer.weights == .float([1, 2, 3, 4]) && found.layers[0].layer.bias == [5, 6])
        #expect(found.layers[1].layer.shape == [3, 2] && found.layers[1].layer.weights == .float([1, 4, 2, 5, 3, 6]))
        #expect(found.layers[2].layer.shape == [2, 3] && found.layers[2].layer.weights == .float([2, 4, 6, 8, 10, 12]))
    }

    @Test func namesThatRepeatAreReplaced() throws {
        let found = try layers(
            model {
                $0.initializer = [floats("m", [1, 1], [1])]
                $0.node = ["a", "b"].map { named("same", onnxNode("MatMul", ["x", "m"], [$0])) }
            })
        #expect(found.layers.map(\.layer.name) == ["MatMul_a", "MatMul_b"])
    }

    @Test func madeUpNamesAvoidRealOnes() throws {
        let found = try layers(
            model {
                $0.initializer = [floats("m", [1, 1], [1])]
                $0.node = [onnxNode("MatMul", ["x", "m"], ["y"]), named("MatMul_y", onnxNode("MatMul", ["x", "m"], ["z"]))]
            })
        #expect(found.layers.map(\.layer.name) == ["MatMul_y_2", "MatMul_y"])
    }

    @Test func whatIsNoLayerIsNamedWithAReason() throws {
        let found = try layers(
            model {
                $0.initializer = [
                    floats("w", [1, 1, 2, 2], [1, 2, 3, 4]), floats("volume", [1, 1, 1, 1, 1], [1]),
                    tensor("half", .float16, [1, 1]) { $0.int32Data = [0] }, floats("nan", [1, 1], [.nan]),
                ]
                $0.node = [
                    named("computed", onnxNode("Conv", ["x", "y"], ["1"])), named("volume", onnxNode("Conv", ["x", "volume"], ["2"])),
                    named("half", onnxNode("MatMul", ["x", "half"], ["3"])), named("nan", onnxNode("MatMul", ["x", "nan"], ["4"])),
                    named(
                        "size",
                        onnxNode(
                            "Conv", ["x", "w"], ["5"],
                            [attribute("auto_pad", .string) { $0.s = Data("SAME_UPPER".utf8) }, ints("strides", [1, 2])])),
                    named("huge", onnxNode("Conv", ["x", "w"], ["6"], [ints("dilations", [.max, 1])])),
                    named("group", onnxNode("Conv", ["x", "w"], ["7"], [attribute("group", .int) { $0.i = .min }])),
                    named("alone", onnxNode("Conv", ["x"], ["8"])),
                ]
            })
        #expect(found.layers.isEmpty)
        #expect(found.others.map(\.node) == ["computed", "volume", "half", "nan", "size", "huge", "group", "alone"])
        #expect(found.others.allSatisfy { $0.reason.contains("`\($0.node)`") })
    }
}
