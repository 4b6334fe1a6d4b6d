/// Why an ONNX file cannot be read.
public struct ONNXImportError: Error, Equatable, CustomStringConvertible, Sendable {
    public enum Kind: Sendable {
        /// The file, or one with external data, cannot be opened or read.
        case io
        /// It is not ONNX, or contradicts itself.
        case invalid
        /// It is ONNX, but needs what this library lacks.
        case unsupported
    }

    public var kind: Kind
    public var description: String

    public init(_ description: String, kind: Kind = .invalid) {
        self.kind = kind
        self.description = description
    }
}
