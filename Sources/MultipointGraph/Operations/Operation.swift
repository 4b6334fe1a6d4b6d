/// What a node computes, named as in ONNX. Attributes are complete: defaults and optional inputs are resolved, axes are not
/// negative.
public enum Operation: Hashable, Sendable {
    /// Conv, Gemm or MatMul with constant weights, by layer name. One input. A Gemm layer maps the last axis; the axes
    /// before it are all batch.
    case layer(String)
    case elementwise(Elementwise)
    /// Two operands, NumPy broadcasting; either may be a constant.
    case binary(Binary)
    /// Two operands: x, and a slope that broadcasts to x's shape and may be a constant. `x < 0 ? slope · x : x`.
    case prelu
    /// NumPy's matmul of two operands of at least one dimension each; either may be a constant.
    case matrixProduct
    case maxPool(Pooling)
    /// `countsPadding`: ONNX's count_include_pad.
    case averagePool(Pooling, countsPadding: Bool)
    case globalAveragePool
    /// Over at least one axis.
    case reduce(Reduction, axes: [Int], keepsDimensions: Bool)
    /// ArgMax or ArgMin: positions along an axis, as floats. Of equal elements the first, or the last.
    case argument(Extremum, axis: Int, keepsDimension: Bool, selectsLast: Bool)
    /// Over one axis. Opset < 13's softmax over several trailing axes becomes reshape, softmax, reshape on import.
    case softmax(axis: Int)
    case logSoftmax(axis: Int)
    /// `(x − mean) / √(variance + epsilon)` over the axes from `axis`: LayerNormalization without scale and bias.
    case layerNormalization(axis: Int, epsilon: Float)
    /// ONNX LRN, across channels.
    case localResponseNormalization(size: Int, alpha: Float, beta: Float, bias: Float)
    case concat(axis: Int)
    /// To two dimensions: the axes before `axis`, the axes from it.
    case flatten(axis: Int)
    /// ONNX Reshape: 0 keeps the input's dimension (unless `allowZero`), −1 is inferred once. Also Squeeze and Unsqueeze, where
    /// their result does not depend on more than that, stay operations of their own.
    case reshape([Int], allowZero: Bool)
    case squeeze(axes: [Int]?)
    case unsqueeze(axes: [Int])
    case transpose(permutation: [Int])
    /// NumPy broadcasting of the input with this shape; a 1 keeps the input's size.
    case expand([Int])
    /// One entry per axis sliced; ends are clamped as ONNX says; steps are not zero.
    case slice(starts: [Int], ends: [Int], axes: [Int], steps: [Int])
    /// Elements of one axis by position (not negative), which takes the place of the axis with the dimensions `shape`
    /// (none: the axis goes).
    case gather(indices: [Int], shape: [Int], axis: Int)
    /// `pads` is ONNX's: all begins, then all ends; not negative.
    case pad(pads: [Int], Padding)
    case resize(Resize)
    case depthToSpace(blockSize: Int, DepthOrder)
    case spaceToDepth(blockSize: Int)
}

/// A function of two elements.
public enum Binary: Hashable, Sendable {
    case add, subtract, multiply, divide, minimum, maximum, power
}

/// What ONNX's Reduce operators compute.
public enum Reduction: Hashable, Sendable {
    case mean, sum, maximum, minimum, product
    /// Sums of magnitudes; square roots of sums of squares; sums of squares.
    case l1, l2, sumOfSquares
}

public enum Extremum: Hashable, Sendable { case maximum, minimum }

/// What ONNX Pad puts around a tensor.
public enum Padding: Hashable, Sendable {
    case constant(Float)
    /// Mirrored at the outermost elements, which are not repeated.
    case reflect
    /// The outermost elements repeated.
    case edge
    /// The elements of the other end.
    case wrap
}

/// Which channels of DepthToSpace's input lie in one block: ONNX's modes `DCR` and `CRD`.
public enum DepthOrder: Hashable, Sendable {
    /// Block by block: channel = (row · block + column) · channels + channel of the result. TensorFlow's.
    case depthColumnRow
    /// Channel by channel: channel = (channel of the result · block + row) · block + column. PyTorch's PixelShuffle.
    case columnRowDepth
}

extension Operation {
    public static let relu = Operation.elementwise(.relu)
    public static let sigmoid = Operation.elementwise(.sigmoid)
    public static func clip(minimum: Float, maximum: Float) -> Operation { .elementwise(.clip(minimum: minimum, maximum: maximum)) }
    public static func leakyRelu(alpha: Float) -> Operation { .elementwise(.leakyRelu(alpha: alpha)) }
    public static let add = Operation.binary(.add)
    public static let multiply = Operation.binary(.multiply)
}
