/// A network ready to be compiled: typed operations in execution order, weighted layers beside them.
public struct Network: Equatable, Sendable {
    public var name: String
    public var inputs: [ValueInfo]
    public var outputs: [ValueInfo]
    /// In topological order.
    public var nodes: [Node]
    /// Keyed by layer name; a node refers to one through `Operation.layer`.
    public var layers: [String: Layer]
    /// Names of the layers in the order of the file.
    public var layerOrder: [String]
    /// Constant operands of `add` and `multiply`.
    public var constants: [String: Tensor]
    /// Quantization of values, where known.
    public var quantization: [String: AffineQuantization]

    public init(
        name: String, inputs: [ValueInfo], outputs: [ValueInfo], nodes: [Node], layers: [String: Layer],
        layerOrder: [String], constants: [String: Tensor] = [:], quantization: [String: AffineQuantization] = [:]
    ) {
        self.name = name
        self.inputs = inputs
        self.outputs = outputs
        self.nodes = nodes
        self.layers = layers
        self.layerOrder = layerOrder
        self.constants = constants
        self.quantization = quantization
    }
}

/// One operation of a network.
public struct Node: Equatable, Sendable {
    /// Not empty; unique in the network.
    public var name: String
    public var operation: Operation
    /// Values or constants.
    public var inputs: [String]
    public var output: String

    public init(name: String, operation: Operation, inputs: [String], output: String) {
        self.name = name
        self.operation = operation
        self.inputs = inputs
        self.output = output
    }
}
