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

/// What a node computes, named as in ONNX. Attributes are complete: defaults and optional inputs are resolved, axes are not
/// negative.
public enum Operation: Equatable, Sendable {
    /// Conv, Gemm or MatMul with constant weights, by layer name. One input. A Gemm layer maps the last axis; the axes
    /// before it are all batch.
    case layer(String)
    case relu
    case clip(minimum: Float, maximum: Float)
    case leakyRelu(alpha: Float)
    case sigmoid
    /// Two operands, NumPy broadcasting; either may be a constant.
    case add
    case multiply
    case maxPool(Pooling)
    /// `countsPadding`: ONNX's count_include_pad.
    case averagePool(Pooling, countsPadding: Bool)
    case globalAveragePool
    case concat(axis: Int)
    /// To two dimensions: the axes before `axis`, the axes from it.
    case flatten(axis: Int)
    /// ONNX Reshape: 0 keeps the input's dimension (unless `allowZero`), −1 is inferred once. Also Squeeze and Unsqueeze, where
    /// their result does not depend on more than that, stay operations of their own.
    case reshape([Int], allowZero: Bool)
    case squeeze(axes: [Int]?)
    case unsqueeze(axes: [Int])
    case transpose(permutation: [Int])
    /// One entry per axis sliced; ends are clamped as ONNX says; steps are not zero.
    case slice(starts: [Int], ends: [Int], axes: [Int], steps: [Int])
    /// Constant padding; `pads` is ONNX's: all begins, then all ends; not negative.
    case pad(pads: [Int], value: Float)
    /// Over one axis. Opset < 13's softmax over several trailing axes becomes reshape, softmax, reshape on import.
    case softmax(axis: Int)
}

/// Window attributes of a pooling operator over two spatial dimensions, with auto_pad already resolved.
public struct Pooling: Hashable, Sendable {
    public var kernel: [Int]
    public var strides: [Int]
    /// Top, left, bottom, right.
    public var pads: [Int]
    public var dilations: [Int]
    /// Round the output size up: windows may start inside the input or the left padding and run over the end.
    public var ceilMode: Bool

    public init(
        kernel: [Int], strides: [Int] = [1, 1], pads: [Int] = [0, 0, 0, 0], dilations: [Int] = [1, 1], ceilMode: Bool = false
    ) {
        self.kernel = kernel
        self.strides = strides
        self.pads = pads
        self.dilations = dilations
        self.ceilMode = ceilMode
    }
}
