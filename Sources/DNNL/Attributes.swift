import CDNNL

/// An operation fused to the end of a primitive, in order.
public enum PostOperation: Sendable {
    public enum Eltwise: Sendable, Equatable {
        /// max(x, 0) + alpha · min(x, 0)
        case relu(alpha: Float)
        case clip(minimum: Float, maximum: Float)
        case sigmoid
        /// scale · x + shift
        case linear(scale: Float, shift: Float)
        case abs
        /// x < 0 ? alpha · (exp(x) − 1) : x
        case elu(alpha: Float)
        case exp
        /// x · Φ(x), and its approximation by tanh
        case geluErf, geluTanh
        /// x · max(0, min(1, x / 6 + 0.5))
        case hardSwish
        case log
        /// x · tanh(log(1 + exp(x)))
        case mish
        /// Halves to even.
        case round
        /// log(1 + exp(x))
        case softplus
        case sqrt
        /// x · sigmoid(alpha · x)
        case swish(alpha: Float)
        case tanh
    }

    case eltwise(Eltwise)
    /// Adds the tensor bound to `Argument.postOperand(index)`, of this descriptor, index being the post-operation's own.
    case add(MemoryDescriptor)
    /// Adds scale · (what the destination holds − zero point), read as `type`.
    case sum(scale: Float, zeroPoint: Int32, type: ElementType)
}

/// What is done to the sums that a primitive computes:
/// `stored = destinationZeroPoint + postOperations(scale_c · sum_c + bias_c)`.
public struct Attributes: Sendable {
    /// One for all, one per output channel (axis 1), or empty for none.
    public var scales: [Float] = []
    public var sourceZeroPoint: Int32 = 0
    public var destinationZeroPoint: Int32 = 0
    public var postOperations: [PostOperation] = []

    public init() {}
}

extension PostOperation.Eltwise {
    /// oneDNN's algorithm, alpha and beta (https://oneapi-src.github.io/oneDNN/v2.6/dev_guide_eltwise.html).
    var dnnl: (algorithm: dnnl_alg_kind_t, alpha: Float, beta: Float) {
        switch self {
        case .relu(let alpha): (dnnl_eltwise_relu, alpha, 0)
        case .clip(let minimum, let maximum): (dnnl_eltwise_clip_v2, minimum, maximum)
        case .sigmoid: (dnnl_eltwise_logistic, 0, 0)
        case .linear(let scale, let shift): (dnnl_eltwise_linear, scale, shift)
        case .abs: (dnnl_eltwise_abs, 0, 0)
        case .elu(let alpha): (dnnl_eltwise_elu, alpha, 0)
        case .exp: (dnnl_eltwise_exp, 0, 0)
        case .geluErf: (dnnl_eltwise_gelu_erf, 0, 0)
        case .geluTanh: (dnnl_eltwise_gelu_tanh, 0, 0)
        case .hardSwish: (dnnl_eltwise_hardswish, 1 / 6, 0.5)
        case .log: (dnnl_eltwise_log, 0, 0)
        case .mish: (dnnl_eltwise_mish, 0, 0)
        case .round: (dnnl_eltwise_round, 0, 0)
        case .softplus: (dnnl_eltwise_soft_relu, 1, 0)
        case .sqrt: (dnnl_eltwise_sqrt, 0, 0)
        case .swish(let alpha): (dnnl_eltwise_swish, alpha, 0)
        case .tanh: (dnnl_eltwise_tanh, 0, 0)
        }
    }
}

extension Attributes {
    /// The operand that the scales belong to in oneDNN 3, and its axes of the output channels.
    struct Scaled {
        var argument: Int32
        var channelAxes: Int32

        static let source = Scaled(argument: DNNL_ARG_SRC, channelAxes: 1 << 1)

        /// O, I, H, W; or G, O, I, H, W, with the channels of all groups in a row.
        static func weights(_ descriptor: MemoryDescriptor) -> Scaled {
            Scaled(argument: DNNL_ARG_WEIGHTS, channelAxes: descriptor.rank == 5 ? 1 << 0 | 1 << 1 : 1 << 0)
        }
    }

    /// oneDNN's attribute object for the duration of `body`, with the scratchpad managed by the caller.
    func withHandle<R>(_ scaled: Scaled, _ body: (dnnl_primitive_attr_t?) throws(DNNLError) -> R) throws(DNNLError) -> R {
        var attributes: dnnl_primitive_attr_t?
        try check(onednn_attr_create(&attributes), "create attributes")
        defer { dnnl_primitive_attr_destroy(attributes) }
        if !scales.isEmpty {
            let axes = scales.count == 1 ? 0 : scaled.channelAxes
            try check(onednn_attr_scales(attributes, scaled.argument, axes, Int64(scales.count), scales), "set scales")
        }
        for (argument, value) in zeroPoints { try check(onednn_attr_zero_point(attributes, argument, value), "set zero point") }
        if !postOperations.isEmpty { try setPostOperations(attributes) }
        return try body(attributes)
    }

    /// Those that are not 0.
    private var zeroPoints: [(argument: Int32, value: Int32)] {
        [(DNNL_ARG_SRC, sourceZeroPoint), (DNNL_ARG_DST, destinationZeroPoint)].filter { $0.1 != 0 }
    }

    private func setPostOperations(_ attributes: dnnl_primitive_attr_t?) throws(DNNLError) {
        var operations: dnnl_post_ops_t?
        try check(onednn_post_ops_create(&operations), "create post-operations")
        defer { dnnl_post_ops_destroy(operations) }
        for operation in postOperations {
            switch operation {
            case .eltwise(let eltwise):
                let (algorithm, alpha, beta) = eltwise.dnnl
                try check(onednn_append_eltwise(operations, algorithm, alpha, beta), "append eltwise")
            case .add(let descriptor):
                try check(onednn_append_binary(operations, dnnl_binary_add, descriptor.handle), "append binary add")
            case .sum(let scale, let zeroPoint, let type):
                try check(onednn_append_sum(operations, scale, zeroPoint, type.dnnl), "append sum")
            }
        }
        try check(onednn_attr_post_ops(attributes, operations), "set post-operations")
    }

    /// What a primitive with these attributes has to be given at each execution: oneDNN 3's scales and zero points.
    func constants(_ scaled: Scaled) throws(DNNLError) -> [ConstantOperand] {
        guard onednn_quantization_is_argument != 0 else { return [] }
        var constants: [ConstantOperand] = []
        if !scales.isEmpty { constants.append(try ConstantOperand(Int32(onednn_argument_scales) | scaled.argument, scales, .float32)) }
        for (argument, value) in zeroPoints {
            constants.append(try ConstantOperand(Int32(onednn_argument_zero_points) | argument, [value], .int32))
        }
        return constants
    }
}
