/// A network as a file states it: ONNX operators and attributes by name, nothing interpreted yet.
///
/// Both the ONNX importer and the packed file's reader produce one; `Network.init(definition:layers:)` gives it meaning.
public struct GraphDefinition: Equatable, Sendable {
    public var name: String
    /// The version of the default ONNX operator set that the nodes are written in.
    public var operatorSet: Int
    /// Inputs that the caller provides (initializers are not among them).
    public var inputs: [ValueInfo]
    /// Names of inputs whose elements are integers in the file, so that what ONNX computes for integers is known: their quotients
    /// are cut. Nil in a packed file's graph, where every value is a float, that of a Cast to integers and of an ArgMax too.
    public var integerInputs: Set<String>?
    /// A shape may be left out (`[]`), and so may a dimension (`.fixed(0)`); what is stated is checked against what is computed.
    public var outputs: [ValueInfo]
    /// In any order.
    public var nodes: [NodeDefinition]
    public var initializers: [String: Tensor]
    /// Quantization of values, where known.
    public var quantization: [String: AffineQuantization]

    public init(
        name: String, operatorSet: Int, inputs: [ValueInfo], integerInputs: Set<String>? = nil, outputs: [ValueInfo],
        nodes: [NodeDefinition], initializers: [String: Tensor] = [:], quantization: [String: AffineQuantization] = [:]
    ) {
        self.name = name
        self.operatorSet = operatorSet
        self.inputs = inputs
        self.integerInputs = integerInputs
        self.outputs = outputs
        self.nodes = nodes
        self.initializers = initializers
        self.quantization = quantization
    }
}

extension GraphDefinition {
    /// A value that constants and shapes decide, whatever the batch size; nil for one that depends on the elements of inputs, or whose
    /// nodes are not supported. Outputs are not looked at.
    public func knownValue(_ name: String) -> Tensor? {
        if let initializer = initializers[name] { return initializer }
        var part = self
        part.outputs = [ValueInfo(name: name, shape: [])]
        do throws(GraphError) {
            let ordered = try part.nodesInOrder()
            var translation = try Translation(part, nodes: ordered, layers: [])
            for node in ordered { try translation.translate(node) }
            return translation.constants[name]
        } catch { return nil }
    }
}

/// One ONNX node.
public struct NodeDefinition: Equatable, Sendable {
    /// May be empty.
    public var name: String
    /// The ONNX operator, such as `Conv`.
    public var operatorType: String
    /// The operator's domain; empty for ONNX's own.
    public var domain: String
    /// Value names; the empty string is an optional input that is left out.
    public var inputs: [String]
    public var outputs: [String]
    public var attributes: [String: AttributeValue]
    /// In a packed file: the name of the layer that has the node's weights and attributes. Its only input is the activation.
    public var layer: String?

    public init(
        name: String, operatorType: String, domain: String = "", inputs: [String], outputs: [String],
        attributes: [String: AttributeValue] = [:], layer: String? = nil
    ) {
        self.name = name
        self.operatorType = operatorType
        self.domain = domain
        self.inputs = inputs
        self.outputs = outputs
        self.attributes = attributes
        self.layer = layer
    }
}

public enum AttributeValue: Equatable, Sendable {
    case int(Int64)
    case float(Float)
    case string(String)
    case ints([Int64])
    case floats([Float])
    case strings([String])
    case tensor(Tensor)
    /// A value that no operator here has, such as the graph that a loop runs: the name of its type.
    case other(String)
}

/// A network input or output.
public struct ValueInfo: Equatable, Sendable {
    public enum Dimension: Hashable, Sendable {
        case fixed(Int)
        /// The batch dimension, `"N"` in packed files.
        case batch
    }

    public var name: String
    public var shape: [Dimension]

    /// Values are float; other element types are refused by the readers.
    public init(name: String, shape: [Dimension]) {
        self.name = name
        self.shape = shape
    }

    /// The shape for a batch size.
    public func shape(batch: Int) -> [Int] {
        shape.map { if case .fixed(let size) = $0 { size } else { batch } }
    }
}
