/// Why a packed file cannot be written as an ONNX model.
public struct ONNXExportError: Error, Equatable, CustomStringConvertible, Sendable {
    public var description: String

    public init(_ description: String) { self.description = description }
}
