import Foundation
import MultipointGraph
import SwiftProtobuf
import Testing

import ONNXMessages
@testable import ONNXImport

// How the tests put models together.

func model(opset: Int64 = 17, _ fill: (inout Onnx_GraphProto) -> Void) -> Onnx_ModelProto {
    var model = Onnx_ModelProto()
    model.irVersion = 8
    model.opsetImport = [
        Onnx_OperatorSetIdProto.with {
            $0.version = opset; $0.domain = ""
        }
    ]
    model.graph.name = "test"
    fill(&model.graph)
    return model
}

enum Size {
    case fixed(Int64), symbol(String), missing
}

func value(_ name: String, _ sizes: [Size], type: Onnx_TensorProto.DataType = .float) -> Onnx_ValueInfoProto {
    Onnx_ValueInfoProto.with {
        $0.name = name
        $0.type.tensorType.elemType = Int32(type.rawValue)
        $0.type.tensorType.shape.dim = sizes.map { size in
            Onnx_TensorShapeProto.Dimension.with {
                switch size {
                case .fixed(let size): $0.dimValue = size
                case .symbol(let name): $0.dimParam = name
                case .missing: break
                }
            }
        }
    }
}

func tensor(_ name: String, _ type: Onnx_TensorProto.DataType, _ dims: [Int64], _ fill: (inout Onnx_TensorProto) -> Void)
    -> Onnx_TensorProto
{
    Onnx_TensorProto.with {
        $0.name = name
        $0.dataType = Int32(type.rawValue)
        $0.dims = dims
        fill(&$0)
    }
}

func floats(_ name: String, _ dims: [Int64], _ values: [Float]) -> Onnx_TensorProto {
    tensor(name, .float, dims) { $0.floatData = values }
}

func onnxNode(_ type: String, _ inputs: [String], _ outputs: [String], _ attributes: [Onnx_AttributeProto] = []) -> Onnx_NodeProto
{
    Onnx_NodeProto.with {
        $0.opType = type
        $0.input = inputs
        $0.output = outputs
        $0.attribute = attributes
    }
}

func attribute(_ name: String, _ type: Onnx_AttributeProto.AttributeType, _ fill: (inout Onnx_AttributeProto) -> Void)
    -> Onnx_AttributeProto
{
    Onnx_AttributeProto.with {
        $0.name = name
        $0.type = type
        fill(&$0)
    }
}

func read(_ model: Onnx_ModelProto, folder: String? = nil) throws -> GraphDefinition {
    try readONNX(bytes: try model.serializedBytes(), source: "test.onnx", folder: folder)
}

/// Expects an error that names the source, of a kind, whose message has all the fragments.
func expectError(
    _ kind: ONNXImportError.Kind, _ fragments: String..., sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Void
) {
    do {
        try body()
        Issue.record("an error expected", sourceLocation: sourceLocation)
    } catch let error as ONNXImportError {
        #expect(error.kind == kind, "\(error)", sourceLocation: sourceLocation)
        for fragment in fragments {
            #expect(error.description.contains(fragment), "`\(fragment)` expected in: \(error)", sourceLocation: sourceLocation)
        }
    } catch {
        Issue.record("\(error)", sourceLocation: sourceLocation)
    }
}

/// A folder of its own for a test.
func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder.path + "/")
}
