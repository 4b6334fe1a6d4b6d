import MultipointGraph
import ONNXMessages
import Testing

@testable import ONNXImport

@Suite struct InputShapeTests {
    private func shape(_ sizes: [Size], _ given: [String: [ValueInfo.Dimension]]) throws -> [ValueInfo.Dimension]? {
        try read(model { $0.input = [value("x", sizes)] }, given).inputs.first?.shape
    }

    private func read(_ model: Onnx_ModelProto, _ given: [String: [ValueInfo.Dimension]]) throws -> GraphDefinition {
        try readONNX(bytes: try model.serializedBytes(), source: "test.onnx", inputShapes: given)
    }

    private let open: [Size] = [.symbol("N"), .fixed(3), .symbol("height"), .missing]
    private let sizes: [ValueInfo.Dimension] = [.batch, .fixed(3), .fixed(32), .fixed(16)]

    @Test func openDimensionsGetSizes() throws {
        #expect(try shape(open, ["x": sizes]) == sizes)
        #expect(try shape(open, ["": sizes]) == sizes)
        let one: [ValueInfo.Dimension] = [.fixed(1), .fixed(3), .fixed(32), .fixed(16)]
        #expect(try shape(open, ["x": one]) == one)
        // A file's single image may become a batch.
        #expect(try shape([.fixed(1), .fixed(3), .missing, .fixed(16)], ["x": sizes]) == sizes)
        var shapeless = value("x", [])
        shapeless.type.tensorType.clearShape()
        #expect(try read(model { $0.input = [shapeless] }, ["x": sizes]).inputs.first?.shape == sizes)
    }

    @Test func whatContradictsTheFileIsRefused() throws {
        expectError(.invalid, "input `x`: dimension 1 is 3 in the file", "N,4,32,16") {
            _ = try shape(open, ["x": [.batch, .fixed(4), .fixed(32), .fixed(16)]])
        }
        expectError(.invalid, "dimension 0 is 2") { _ = try shape([.fixed(2)], ["x": [.batch]]) }
        expectError(.invalid, "has 4 dimensions", "N,3") { _ = try shape(open, ["x": [.batch, .fixed(3)]]) }
        expectError(.invalid, "N,N,32,16", "in the first place only") {
            _ = try shape(open, ["x": [.batch, .batch, .fixed(32), .fixed(16)]])
        }
        expectError(.invalid, "no input `z`", "`x`") { _ = try shape(open, ["z": sizes]) }
        let two = model { $0.input = [value("x", open), value("z", open)] }
        expectError(.invalid, "`x`, `z`", "say which") { _ = try read(two, ["": sizes]) }
        #expect(try read(two, ["x": sizes, "z": sizes]).inputs.map(\.shape) == [sizes, sizes])
    }
}
