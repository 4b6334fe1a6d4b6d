import MultipointGraph
import ONNXMessages
import Testing

@testable import ONNXImport

@Suite struct FunctionCallTests {
    /// `f(a, k) = Add(LeakyRelu(a; alpha = slope), k)`, in the domain `local`.
    private func functionModel(_ calls: [Onnx_NodeProto], function change: (inout Onnx_FunctionProto) -> Void = { _ in }) -> Onnx_ModelProto {
        var message = model(opset: 17) {
            $0.input = [value("x", [.symbol("N"), .fixed(2)])]
            $0.output = [value("y", [])]
            $0.initializer = [floats("k", [1], [3])]
            $0.node = calls
        }
        var function = Onnx_FunctionProto.with {
            $0.domain = "local"
            $0.name = "f"
            $0.input = ["a", "k"]
            $0.output = ["b"]
            $0.attribute = ["slope"]
            $0.opsetImport = [Onnx_OperatorSetIdProto.with { $0.version = 17 }]
            $0.node = [
                onnxNode("LeakyRelu", ["a"], ["t"], [attribute("alpha", .float) { $0.refAttrName = "slope" }]),
                onnxNode("Add", ["t", "k"], ["b"]),
            ]
        }
        change(&function)
        message.functions = [function]
        return message
    }

    private func call(_ input: String, _ output: String, name: String = "", slope: Float? = nil) -> Onnx_NodeProto {
        var node = onnxNode("f", [input, "k"], [output], slope.map { slope in [attribute("slope", .float) { $0.f = slope }] } ?? [])
        node.domain = "local"
        node.name = name
        return node
    }

    @Test func callsBecomeTheFunctionsNodes() throws {
        let network = try Network(definition: try read(functionModel([call("x", "m", name: "same", slope: 0.5), call("m", "y", name: "same")])))
        #expect(network.nodes.map(\.operation) == [.leakyRelu(alpha: 0.5), .add, .leakyRelu(alpha: 0.01), .add])
        #expect(network.nodes.last?.output == "y")
        #expect(network.constants["k"]?.floats == [3])
    }

    @Test func defaultsOfAttributes() throws {
        let message = functionModel([call("x", "y")]) {
            $0.attributeProto = [attribute("slope", .float) { $0.f = 0.25 }]
        }
        #expect(try Network(definition: try read(message)).nodes.map(\.operation) == [.leakyRelu(alpha: 0.25), .add])
    }

    @Test func functionsInFunctions() throws {
        var message = functionModel([call("x", "y")])
        var outer = Onnx_FunctionProto.with {
            $0.domain = "local"
            $0.name = "twice"
            $0.input = ["a", "k"]
            $0.output = ["b"]
            $0.node = [call("a", "t", slope: 0.5), call("t", "b", slope: 0.5)]
        }
        message.functions.append(outer)
        message.graph.node[0].opType = "twice"
        #expect(try Network(definition: try read(message)).nodes.count == 4)
        // One that calls itself does not end.
        outer.node = [call("a", "b")]
        outer.node[0].opType = "twice"
        message.functions[1] = outer
        expectError(.unsupported, "(twice)", "calls itself") { _ = try read(message) }
    }

    /// A function whose node calls it under a long name: neither names nor the message grow with each call.
    @Test func recursionWithLongNames() {
        let message = functionModel([call("x", "y")]) {
            $0.node = [call("a", "b", name: String(repeating: "n", count: 20_000))]
        }
        do {
            _ = try read(message)
            Issue.record("an error expected")
        } catch let error as ONNXImportError {
            #expect(error.kind == .unsupported && error.description.contains("function `f` calls itself"), "\(error)")
            #expect(error.description.utf8.count < 1000)
        } catch { Issue.record("\(error)") }
    }

    /// Long names in a function that is called often would fill the memory.
    @Test func namesOfManyCalls() {
        let message = functionModel((0..<2000).map { call("x", $0 == 0 ? "y" : "y\($0)") }) {
            $0.node = [onnxNode("Relu", ["a"], [String(repeating: "n", count: 200_000)])]
        }
        expectError(.unsupported, "function `f`", "of names") { _ = try read(message) }
    }

    @Test func wrongCallsAreRefused() {
        var many = call("x", "y")
        many.input.append("x")
        expectError(.invalid, "node `y` (f)", "2 inputs and 1 outputs") { _ = try read(functionModel([many])) }
        expectError(.unsupported, "operator set 9", "the model in 17") {
            _ = try read(functionModel([call("x", "y")]) { $0.opsetImport[0].version = 9 })
        }
    }
}
