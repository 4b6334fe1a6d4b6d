import MultipointGraph
import ONNXMessages
import SwiftProtobuf

/// Reads an ONNX model, with weights in the file or in external files of its folder.
///
/// Element types are widened to float and int64. Inputs and outputs may have any numeric type or bool; at run time they are given
/// as float32 values whatever it is (an image of uint8 as numbers from 0 to 255). Inputs that have an initializer are constants. The
/// first dimension of an input, if it has no fixed size, is the batch; other dimensions need one. What an output's shape leaves
/// open stays open. Calls of the model's own functions are replaced by what those do, If nodes by the branch that is taken where
/// constants and sizes decide which.
/// - Parameter inputShapes: sizes for inputs whose file leaves some open, by the input's name; the empty name is that of a
///   single input. The first may be `.batch`, also where the file says 1.
/// - Throws: `ONNXImportError` naming the file and what in it is wrong.
public func readONNX(
    path: String, inputShapes: [String: [ValueInfo.Dimension]] = [:]
) throws(ONNXImportError) -> GraphDefinition {
    try definition(try readFile(path), source: path, ModelFolder(ofModel: path), inputShapes)
}

/// Reads an ONNX model from memory.
/// - Parameters:
///   - source: what to call the model in messages.
///   - folder: where external data is looked for, ending in a slash; nil if there is no such place.
/// - Throws: `ONNXImportError`.
public func readONNX(
    bytes: [UInt8], source: String, folder: String? = nil, inputShapes: [String: [ValueInfo.Dimension]] = [:]
) throws(ONNXImportError) -> GraphDefinition {
    try definition(bytes, source: source, folder.map { ModelFolder($0) }, inputShapes)
}

private func definition(
    _ bytes: [UInt8], source: String, _ folder: ModelFolder?, _ inputShapes: [String: [ValueInfo.Dimension]]
) throws(ONNXImportError) -> GraphDefinition {
    do throws(ONNXImportError) {
        let model = try decodeModel(bytes)
        return try GraphReader(model, tensors: TensorReader(folder: folder), inputShapes: InputShapes(inputShapes)).definition()
    } catch {
        throw ONNXImportError("\(source): \(error.description)", kind: error.kind)
    }
}

func decodeModel(_ bytes: [UInt8]) throws(ONNXImportError) -> Onnx_ModelProto {
    let model: Onnx_ModelProto
    do {
        model = try Onnx_ModelProto(serializedBytes: bytes)
    } catch {
        throw ONNXImportError("this is not an ONNX model: it does not decode as one (\(error))")
    }
    // Almost any short file decodes as some message; these fields make it a model.
    guard model.hasIrVersion, model.hasGraph else {
        throw ONNXImportError("this is not an ONNX model: it has no IR version and graph")
    }
    return model
}
