/// What is wrong with a network, in the words of the file that it came from.
public struct GraphError: Error, Equatable, CustomStringConvertible, Sendable {
    /// Whether the network contradicts itself or ONNX, or merely needs what this library lacks.
    public enum Kind: Sendable { case invalid, unsupported }

    public var kind: Kind
    public var description: String

    public init(_ description: String, kind: Kind = .invalid) {
        self.description = description
        self.kind = kind
    }
}

extension GraphError {
    /// An error at a node: "node `conv1`: ...".
    init(node: String, _ problem: String, kind: Kind = .invalid) {
        self.init("node `\(node)`: \(problem)", kind: kind)
    }

    /// What to do about a network that does not run for every batch size.
    static let batchRemedy = "; with a fixed batch size (--input-shape NAME=1,...) it may run"
}
