import CDNNL

// Each function compiles one of oneDNN's forward-inference operations. The pages are those of the developer guide,
// https://oneapi-src.github.io/oneDNN/v2.6/.

/// A conversion between layouts and element types (dev_guide_reorder.html): `destination = scale · source + zero point`, rounded
/// half to even and saturated where the destination is an integer type.
public func reorder(
    from source: MemoryDescriptor, to destination: MemoryDescriptor, _ attributes: Attributes = Attributes()
) throws(DNNLError) -> Primitive {
    let engine = try Engine.cpu().handle
    let descriptor = try attributes.withHandle { (attributes) throws(DNNLError) in
        var (from, to) = (source.value, destination.value)
        var descriptor: dnnl_primitive_desc_t?
        try check(dnnl_reorder_primitive_desc_create(&descriptor, &from, engine, &to, engine, attributes), "create reorder")
        return descriptor
    }
    guard let descriptor else { throw DNNLError(call: "create reorder", status: dnnl_runtime_error.rawValue) }
    return try Primitive(descriptor, "reorder")
}

/// Window of a convolution or pooling over height and width.
public struct Window: Hashable, Sendable {
    public var kernel: [Int]
    public var strides: [Int]
    /// Top, left, bottom, right.
    public var pads: [Int]
    /// 1 is dense (oneDNN's own convention is 0).
    public var dilations: [Int]

    public init(kernel: [Int], strides: [Int], pads: [Int], dilations: [Int]) {
        self.kernel = kernel
        self.strides = strides
        self.pads = pads
        self.dilations = dilations
    }

    var strides64: [Int64] { strides.map(Int64.init) }
    var kernel64: [Int64] { kernel.map(Int64.init) }
    var dilations64: [Int64] { dilations.map { Int64($0) - 1 } }
    var beginPads64: [Int64] { pads.prefix(2).map(Int64.init) }
    var endPads64: [Int64] { pads.suffix(2).map(Int64.init) }
}

/// dev_guide_convolution.html. `bias` is described by its length; its values are in units of the scaled result, see `biasValues`.
public func convolution(
    source: MemoryDescriptor, weights: MemoryDescriptor, bias: Int?, destination: MemoryDescriptor, window: Window,
    _ attributes: Attributes = Attributes()
) throws(DNNLError) -> Primitive {
    var description = dnnl_convolution_desc_t()
    var (from, kernel, to) = (source.value, weights.value, destination.value)
    var biasValue = try bias.map { (count) throws(DNNLError) in try MemoryDescriptor([count], .float32).value } ?? dnnl_memory_desc_t()
    try check(
        withUnsafePointer(to: &biasValue) {
            dnnl_dilated_convolution_forward_desc_init(
                &description, dnnl_forward_inference, dnnl_convolution_direct, &from, &kernel, bias == nil ? nil : $0, &to,
                window.strides64, window.dilations64, window.beginPads64, window.endPads64)
        }, "describe convolution")
    guard source.value.data_type == dnnl_u8 else { return try Primitive(description, attributes, "convolution") }
    let isGrouped = weights.value.ndims == 5
    let circumstances = KnownFaults.Circumstances(
        groups: isGrouped ? weights.dimension(0) : 1, inputChannels: source.dimension(1),
        outputPositions: destination.dimension(2) * destination.dimension(3),
        rowLength: (isGrouped ? 2..<5 : 1..<4).reduce(1) { $0 * weights.dimension($1) },
        isStrided: window.strides != [1, 1], hasZeroPoint: attributes.sourceZeroPoint != 0)
    return try Primitive(
        description, attributes, "convolution", refusing: { KnownFaults.miscomputes($0, circumstances) })
}

/// The values to hand to a convolution as its bias. oneDNN 2 computes `scale · (sum + bias)`, so they are divided by the scale.
/// Nil if a quotient is not finite.
public func biasValues(_ bias: [Float], scales: [Float]) -> [Float]? {
    guard !scales.isEmpty else { return bias }
    let divided = bias.enumerated().map { index, value in value / (scales.count == 1 ? scales[0] : scales[index]) }
    return divided.allSatisfy(\.isFinite) ? divided : nil
}

public enum PoolingAlgorithm: Sendable {
    case max
    /// Divides by the window's size.
    case averageIncludingPadding
    /// Divides by the number of elements inside the input.
    case averageExcludingPadding
}

/// dev_guide_pooling.html. Post-operations work on the unrounded means.
public func pooling(
    _ algorithm: PoolingAlgorithm, source: MemoryDescriptor, destination: MemoryDescriptor, window: Window,
    _ attributes: Attributes = Attributes()
) throws(DNNLError) -> Primitive {
    var description = dnnl_pooling_v2_desc_t()
    var (from, to) = (source.value, destination.value)
    let kind =
        switch algorithm {
        case .max: dnnl_pooling_max
        case .averageIncludingPadding: dnnl_pooling_avg_include_padding
        case .averageExcludingPadding: dnnl_pooling_avg_exclude_padding
        }
    try check(
        dnnl_pooling_v2_forward_desc_init(
            &description, dnnl_forward_inference, kind, &from, &to, window.strides64, window.kernel64, window.dilations64,
            window.beginPads64, window.endPads64), "describe pooling")
    return try Primitive(description, attributes, "pooling")
}

/// dev_guide_eltwise.html, in place or not.
public func eltwise(_ operation: PostOperation.Eltwise, _ tensor: MemoryDescriptor) throws(DNNLError) -> Primitive {
    var description = dnnl_eltwise_desc_t()
    var value = tensor.value
    let (algorithm, alpha, beta) = operation.dnnl
    try check(
        dnnl_eltwise_forward_desc_init(&description, dnnl_forward_inference, algorithm, &value, alpha, beta), "describe eltwise")
    return try Primitive(description, Attributes(), "eltwise")
}

public enum BinaryAlgorithm: Sendable { case add, subtract, multiply, divide, minimum, maximum }

/// dev_guide_binary.html. `second` may have dimensions of 1 where it is broadcast.
public func binary(
    _ algorithm: BinaryAlgorithm, _ first: MemoryDescriptor, _ second: MemoryDescriptor, destination: MemoryDescriptor
) throws(DNNLError) -> Primitive {
    var description = dnnl_binary_desc_t()
    var (a, b, to) = (first.value, second.value, destination.value)
    let kind =
        switch algorithm {
        case .add: dnnl_binary_add
        case .subtract: dnnl_binary_sub
        case .multiply: dnnl_binary_mul
        case .divide: dnnl_binary_div
        case .minimum: dnnl_binary_min
        case .maximum: dnnl_binary_max
        }
    try check(dnnl_binary_desc_init(&description, kind, &a, &b, &to), "describe binary")
    return try Primitive(description, Attributes(), "binary")
}

/// dev_guide_softmax.html, dev_guide_logsoftmax.html.
public func softmax(_ tensor: MemoryDescriptor, axis: Int, isLogarithmic: Bool = false) throws(DNNLError) -> Primitive {
    var value = tensor.value
    let axis = Int32(truncatingIfNeeded: axis)
    // dnnl_logsoftmax_desc_t is another name of dnnl_softmax_desc_t.
    var description = dnnl_softmax_desc_t()
    try check(
        isLogarithmic
            ? dnnl_logsoftmax_forward_desc_init(&description, dnnl_forward_inference, &value, axis)
            : dnnl_softmax_forward_desc_init(&description, dnnl_forward_inference, &value, axis),
        "describe softmax")
    return try Primitive(description, Attributes(), "softmax")
}

/// dev_guide_matmul.html. [batch…, M, K] × [batch…, K, N]; a batch dimension of 1 is broadcast.
public func matrixProduct(
    _ first: MemoryDescriptor, _ second: MemoryDescriptor, destination: MemoryDescriptor
) throws(DNNLError) -> Primitive {
    var description = dnnl_matmul_desc_t()
    var (a, b, to) = (first.value, second.value, destination.value)
    try check(dnnl_matmul_desc_init(&description, &a, &b, nil, &to), "describe matrix product")
    return try Primitive(description, Attributes(), "matrix product")
}
