import CDNNL

// Each function compiles one of oneDNN's forward-inference operations. The pages are those of the developer guide,
// https://oneapi-src.github.io/oneDNN/v2.6/.

/// A conversion between layouts and element types (dev_guide_reorder.html): `destination = scale · source + zero point`, rounded
/// half to even and saturated where the destination is an integer type.
public func reorder(
    from source: MemoryDescriptor, to destination: MemoryDescriptor, _ attributes: Attributes = Attributes()
) throws(DNNLError) -> Primitive {
    try requireHeadroom("create reorder")
    let engine = try Engine.cpu().handle
    // Before the descriptor, which nobody would destroy if they cannot be made.
    let constants = try attributes.constants(.source)
    let descriptor = try attributes.withHandle(.source) { (attributes) throws(DNNLError) in
        var descriptor: dnnl_primitive_desc_t?
        try check(onednn_reorder(&descriptor, source.handle, destination.handle, engine, attributes), "create reorder")
        return descriptor
    }
    guard let descriptor else { throw DNNLError(call: "create reorder", status: dnnl_runtime_error.rawValue) }
    return try Primitive(descriptor, "reorder", constants: constants)
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

/// dev_guide_convolution.html. `bias` is described by its length; its values are those of `biasValues`.
public func convolution(
    source: MemoryDescriptor, weights: MemoryDescriptor, bias: Int?, destination: MemoryDescriptor, window: Window,
    _ attributes: Attributes = Attributes()
) throws(DNNLError) -> Primitive {
    let bias = try bias.map { (count) throws(DNNLError) in try MemoryDescriptor([count], .float32) }
    let circumstances = KnownFaults.Circumstances(source, weights, destination, window, attributes)
    return try Primitive(
        "convolution", attributes, scaling: .weights(weights),
        refusing: {
            source.type == .uint8 && KnownFaults.miscomputes($0, circumstances)
                || KnownFaults.isWasteful($0, outputWidth: destination.dimension(3))
        }
    ) { choice, engine, attributes in
        withExtendedLifetime(bias) {
            onednn_convolution(
                &choice, engine, source.handle, weights.handle, bias?.handle, destination.handle, window.strides64,
                window.dilations64, window.beginPads64, window.endPads64, attributes)
        }
    }
}

extension KnownFaults.Circumstances {
    init(
        _ source: MemoryDescriptor, _ weights: MemoryDescriptor, _ destination: MemoryDescriptor, _ window: Window,
        _ attributes: Attributes
    ) {
        let isGrouped = weights.rank == 5
        self.init(
            groups: isGrouped ? weights.dimension(0) : 1, inputChannels: source.dimension(1),
            outputPositions: destination.dimension(2) * destination.dimension(3),
            rowLength: (isGrouped ? 2..<5 : 1..<4).reduce(1) { $0 * weights.dimension($1) },
            isStrided: window.strides != [1, 1], hasZeroPoint: attributes.sourceZeroPoint != 0)
    }
}

/// The values to hand to a convolution as its bias, so that its result is `scale · (sum + addend) + bias`. oneDNN 2 computes
/// `scale · (sum + bias)`, oneDNN 3 `scale · sum + bias`.
/// - Parameters:
///   - bias: one per row; empty for none.
///   - sums: what is added to the integer sums, one per row; empty for none.
///   - scales: one per row, or one for all; empty for 1.
/// - Returns: empty if there is nothing to add; nil if a value is not finite.
public func biasValues(_ bias: [Float], sums: [Float] = [], scales: [Float]) -> [Float]? {
    let isScaled = onednn_bias_is_scaled != 0
    let values = (0..<max(bias.count, sums.count)).map { index -> Float in
        let scale = scales.count > 1 ? scales[index] : scales.first ?? 1
        let (value, sum) = (bias.isEmpty ? 0 : bias[index], sums.isEmpty ? 0 : sums[index])
        return isScaled ? (scales.isEmpty ? value : value / scale) + sum : value + sum * scale
    }
    return values.allSatisfy(\.isFinite) ? values : nil
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
    let kind =
        switch algorithm {
        case .max: dnnl_pooling_max
        case .averageIncludingPadding: dnnl_pooling_avg_include_padding
        case .averageExcludingPadding: dnnl_pooling_avg_exclude_padding
        }
    return try Primitive("pooling", attributes) { choice, engine, attributes in
        onednn_pooling(
            &choice, engine, kind, source.handle, destination.handle, window.strides64, window.kernel64, window.dilations64,
            window.beginPads64, window.endPads64, attributes)
    }
}

/// dev_guide_eltwise.html, in place or not.
public func eltwise(_ operation: PostOperation.Eltwise, _ tensor: MemoryDescriptor) throws(DNNLError) -> Primitive {
    let (algorithm, alpha, beta) = operation.dnnl
    return try Primitive("eltwise", Attributes()) { choice, engine, attributes in
        onednn_eltwise(&choice, engine, algorithm, tensor.handle, alpha, beta, attributes)
    }
}

public enum BinaryAlgorithm: Sendable { case add, subtract, multiply, divide, minimum, maximum }

/// dev_guide_binary.html. `second` may have dimensions of 1 where it is broadcast.
public func binary(
    _ algorithm: BinaryAlgorithm, _ first: MemoryDescriptor, _ second: MemoryDescriptor, destination: MemoryDescriptor
) throws(DNNLError) -> Primitive {
    let kind =
        switch algorithm {
        case .add: dnnl_binary_add
        case .subtract: dnnl_binary_sub
        case .multiply: dnnl_binary_mul
        case .divide: dnnl_binary_div
        case .minimum: dnnl_binary_min
        case .maximum: dnnl_binary_max
        }
    return try Primitive("binary", Attributes()) { choice, engine, attributes in
        onednn_binary(&choice, engine, kind, first.handle, second.handle, destination.handle, attributes)
    }
}

/// dev_guide_softmax.html, dev_guide_logsoftmax.html.
public func softmax(_ tensor: MemoryDescriptor, axis: Int, isLogarithmic: Bool = false) throws(DNNLError) -> Primitive {
    try Primitive("softmax", Attributes()) { choice, engine, attributes in
        onednn_softmax(&choice, engine, isLogarithmic ? 1 : 0, tensor.handle, Int32(truncatingIfNeeded: axis), attributes)
    }
}

/// dev_guide_matmul.html. [batch…, M, K] × [batch…, K, N]; a batch dimension of 1 is broadcast.
public func matrixProduct(
    _ first: MemoryDescriptor, _ second: MemoryDescriptor, destination: MemoryDescriptor
) throws(DNNLError) -> Primitive {
    try Primitive("matrix product", Attributes()) { choice, engine, attributes in
        onednn_matmul(&choice, engine, first.handle, second.handle, destination.handle, attributes)
    }
}
