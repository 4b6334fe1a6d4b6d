import Foundation
import MultipointGraph
import Testing

import ONNXMessages
@testable import ONNXImport

@Suite struct GraphReaderTests {
    private func input(_ info: Onnx_ValueInfoProto) throws -> ValueInfo? {
        try read(model { $0.input = [info] }).inputs.first
    }

    @Test func theFirstDimensionMayBeOpen() throws {
        for open in [Size.symbol("N"), .missing, .fixed(-1), .fixed(0)] {
            #expect(
                try input(value("x", [open, .fixed(3), .fixed(8)]))
                    == ValueInfo(name: "x", shape: [.batch, .fixed(3), .fixed(8)]))
        }
        #expect(try input(value("x", [.fixed(4)])) == ValueInfo(name: "x", shape: [.fixed(4)]))
        #expect(try input(value("x", [])) == ValueInfo(name: "x", shape: []))
        expectError(.unsupported, "test.onnx", "input `x`", "dimension 2", "`height`", "--input-shape x=N,3,<height>") {
            _ = try input(value("x", [.symbol("N"), .fixed(3), .symbol("height")]))
        }
        expectError(.unsupported, "dimension 1 has no size") { _ = try input(value("x", [.fixed(1), .missing])) }
    }

    @Test func onlyTensorsOfNumbersAreInputs() throws {
        for type in [Onnx_TensorProto.DataType.uint8, .int64, .bool, .float16, .double, .bfloat16] {
            #expect(try input(value("x", [.fixed(1)], type: type)) == ValueInfo(name: "x", shape: [.fixed(1)]))
        }
        expectError(.unsupported, "input `x` has element type string; numbers expected") {
            _ = try input(value("x", [.fixed(1)], type: .string))
        }
        for (what, fill) in [
            ("optional", { $0.optionalType = .init() }), ("a sequence", { $0.sequenceType = .init() }), ("a map", { $0.mapType = .init() }),
        ] as [(String, (inout Onnx_TypeProto) -> Void)] {
            expectError(.unsupported, "input `x` is \(what); a tensor expected") {
                _ = try input(Onnx_ValueInfoProto.with { $0.name = "x"; fill(&$0.type) })
            }
        }
        expectError(.unsupported, "input `x` is not a tensor") { _ = try input(Onnx_ValueInfoProto.with { $0.name = "x" }) }
        var shapeless = value("x", [])
        shapeless.type.tensorType.clearShape()
        expectError(.unsupported, "input `x` has no shape") { _ = try input(shapeless) }
        expectError(.unsupported, "output `y` has element type complex64") {
            _ = try read(model { $0.output = [value("y", [], type: .complex64)] })
        }
    }

    @Test func initializersAreNotInputs() throws {
        let definition = try read(
            model {
                $0.input = [value("w", [.fixed(1)]), value("x", [.fixed(2)])]
                $0.initializer = [floats("w", [1], [5])]
            })
        #expect(definition.inputs == [ValueInfo(name: "x", shape: [.fixed(2)])])
        #expect(definition.initializers == ["w": Tensor(shape: [1], [Float(5)])])
    }

    @Test func whatOutputsLeaveOpenStaysOpen() throws {
        let definition = try read(
            model {
                $0.output = [value("y", [.symbol("N"), .fixed(10), .missing]), Onnx_ValueInfoProto.with { $0.name = "z" }]
            })
        #expect(
            definition.outputs == [
                ValueInfo(name: "y", shape: [.fixed(0), .fixed(10), .fixed(0)]), ValueInfo(name: "z", shape: []),
            ])
    }

    @Test func nodesKeepNamesDomainsAndAttributes() throws {
        var message = onnxNode(
            "Op", ["a", ""], ["b", "c"],
            [
                attribute("i", .int) { $0.i = -3 }, attribute("f", .float) { $0.f = 0.5 },
                attribute("s", .string) { $0.s = Data("é".utf8) },
                attribute("is", .ints) { $0.ints = [1, -2] }, attribute("fs", .floats) { $0.floats = [1, 2] },
                attribute("ss", .strings) { $0.strings = [Data("a".utf8), Data("b".utf8)] }, attribute("none", .ints) { _ in },
                attribute("t", .tensor) { $0.t = tensor("", .int64, [2]) { $0.int64Data = [3, 4] } },
                attribute("old", .undefined) { $0.ints = [7] },
            ])
        message.name = "n"
        message.domain = "com.example"
        let expected = NodeDefinition(
            name: "n", operatorType: "Op", domain: "com.example", inputs: ["a", ""], outputs: ["b", "c"],
            attributes: [
                "i": .int(-3), "f": .float(0.5), "s": .string("é"), "is": .ints([1, -2]), "fs": .floats([1, 2]),
                "ss": .strings(["a", "b"]),
                "none": .ints([]), "t": .tensor(Tensor(shape: [2], [Int64(3), 4])), "old": .ints([7]),
            ])
        #expect(try read(model { $0.node = [message] }).nodes == [expected])
    }

    @Test func otherAttributesAreRefusedWithTheirNode() throws {
        let loop = onnxNode("Loop", ["x"], ["y"], [attribute("body", .graph) { _ in }])
        let definition = try read(
            model {
                $0.input = [value("x", [.fixed(1)])]
                $0.output = [value("y", [])]
                $0.node = [loop]
            })
        #expect(definition.nodes[0].attributes == ["body": .other("graph")])
        do throws(GraphError) {
            _ = try Network(definition: definition)
            Issue.record("an error expected")
        } catch {
            #expect(error.kind == .unsupported && error.description.contains("node `Loop_y`: operator `Loop`"), "\(error)")
        }
        let broken = onnxNode("Constant", [], ["b"], [attribute("value", .tensor) { $0.t = floats("", [3], [1]) }])
        expectError(.invalid, "node `b` (Constant), attribute `value`", "3 elements expected") {
            _ = try read(model { $0.node = [broken] })
        }
    }

    @Test func theOperatorSetIsThatOfTheDefaultDomain() throws {
        var message = model(opset: 13) { _ in }
        message.opsetImport.insert(
            Onnx_OperatorSetIdProto.with {
                $0.domain = "ai.onnx.ml"; $0.version = 3
            }, at: 0)
        #expect(try read(message).operatorSet == 13)
        message.opsetImport.removeLast()
        expectError(.unsupported, "no version of ONNX's default operator set", "`ai.onnx.ml`") { _ = try read(message) }
    }
}
