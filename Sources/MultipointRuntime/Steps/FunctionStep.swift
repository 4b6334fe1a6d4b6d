import CElementwise
import DNNL
import MultipointGraph

/// A function of single floats that oneDNN does not have.
struct FunctionStep: Step {
    let name: String
    let operation: String
    var implementation: String { "loop" }
    let function: Elementwise
    let source: BufferID
    let destination: BufferID
    let count: Int
    let threads: Int

    var buffers: [BufferID] { [source, destination] }
    func bound() throws -> any BoundStep { BoundFunction(self) }
}

private final class BoundFunction: BoundLoop {
    private let function: multipoint_unary
    private let count: Int
    private static let piece = 4096

    init(_ step: FunctionStep) {
        function = step.function.unary
        count = step.count
        super.init(
            step.buffers, pieces: (step.count + BoundFunction.piece - 1) / BoundFunction.piece, work: step.count, threads: step.threads)
    }

    override func run(_ share: Range<Int>) {
        let start = share.lowerBound * BoundFunction.piece, end = min(count, share.upperBound * BoundFunction.piece)
        guard start < end, let source = floats(0), let destination = floats(1) else { return }
        elementwise_apply(function, source + start, destination + start, end - start)
    }
}

extension Elementwise {
    /// The function for loops in C.
    var unary: multipoint_unary {
        switch self {
        case .abs: multipoint_unary(kind: MULTIPOINT_ABS, alpha: 0, beta: 0)
        case .ceil: multipoint_unary(kind: MULTIPOINT_CEIL, alpha: 0, beta: 0)
        case .clip(let minimum, let maximum): multipoint_unary(kind: MULTIPOINT_CLIP, alpha: minimum, beta: maximum)
        case .cos: multipoint_unary(kind: MULTIPOINT_COS, alpha: 0, beta: 0)
        case .elu(let alpha): multipoint_unary(kind: MULTIPOINT_ELU, alpha: alpha, beta: 0)
        case .erf: multipoint_unary(kind: MULTIPOINT_ERF, alpha: 0, beta: 0)
        case .exp: multipoint_unary(kind: MULTIPOINT_EXP, alpha: 0, beta: 0)
        case .floor: multipoint_unary(kind: MULTIPOINT_FLOOR, alpha: 0, beta: 0)
        case .gelu: multipoint_unary(kind: MULTIPOINT_GELU, alpha: 0, beta: 0)
        case .geluTanh: multipoint_unary(kind: MULTIPOINT_GELU_TANH, alpha: 0, beta: 0)
        case .hardSigmoid(let alpha, let beta): multipoint_unary(kind: MULTIPOINT_HARD_SIGMOID, alpha: alpha, beta: beta)
        case .hardSwish: multipoint_unary(kind: MULTIPOINT_HARD_SWISH, alpha: 0, beta: 0)
        case .leakyRelu(let alpha): multipoint_unary(kind: MULTIPOINT_LEAKY_RELU, alpha: alpha, beta: 0)
        case .log: multipoint_unary(kind: MULTIPOINT_LOG, alpha: 0, beta: 0)
        case .mish: multipoint_unary(kind: MULTIPOINT_MISH, alpha: 0, beta: 0)
        case .neg: multipoint_unary(kind: MULTIPOINT_NEG, alpha: 0, beta: 0)
        case .pow(let exponent): multipoint_unary(kind: MULTIPOINT_POW, alpha: exponent, beta: 0)
        case .reciprocal: multipoint_unary(kind: MULTIPOINT_RECIPROCAL, alpha: 0, beta: 0)
        case .relu: multipoint_unary(kind: MULTIPOINT_RELU, alpha: 0, beta: 0)
        case .round: multipoint_unary(kind: MULTIPOINT_ROUND, alpha: 0, beta: 0)
        case .selu(let alpha, let gamma): multipoint_unary(kind: MULTIPOINT_SELU, alpha: alpha, beta: gamma)
        case .sigmoid: multipoint_unary(kind: MULTIPOINT_SIGMOID, alpha: 0, beta: 0)
        case .sign: multipoint_unary(kind: MULTIPOINT_SIGN, alpha: 0, beta: 0)
        case .sin: multipoint_unary(kind: MULTIPOINT_SIN, alpha: 0, beta: 0)
        case .softplus: multipoint_unary(kind: MULTIPOINT_SOFTPLUS, alpha: 0, beta: 0)
        case .softsign: multipoint_unary(kind: MULTIPOINT_SOFTSIGN, alpha: 0, beta: 0)
        case .sqrt: multipoint_unary(kind: MULTIPOINT_SQRT, alpha: 0, beta: 0)
        case .swish(let alpha): multipoint_unary(kind: MULTIPOINT_SWISH, alpha: alpha, beta: 0)
        case .tanh: multipoint_unary(kind: MULTIPOINT_TANH, alpha: 0, beta: 0)
        case .thresholdedRelu(let alpha): multipoint_unary(kind: MULTIPOINT_THRESHOLDED_RELU, alpha: alpha, beta: 0)
        case .truncate: multipoint_unary(kind: MULTIPOINT_TRUNCATE, alpha: 0, beta: 0)
        }
    }

    /// The function as oneDNN has it; nil where it has none, or only a slow or inexact one.
    var postOperation: PostOperation.Eltwise? {
        switch self {
        case .abs: .abs
        case .clip(let minimum, let maximum): .clip(minimum: minimum, maximum: maximum)
        case .elu(let alpha): .elu(alpha: alpha)
        case .exp: .exp
        case .gelu: .geluErf
        case .geluTanh: .geluTanh
        case .hardSwish: .hardSwish
        case .leakyRelu(let alpha): .relu(alpha: alpha)
        case .log: .log
        case .mish: .mish
        case .relu: .relu(alpha: 0)
        case .round: .round
        case .sigmoid: .sigmoid
        case .softplus: .softplus
        case .sqrt: .sqrt
        case .swish(let alpha): .swish(alpha: alpha)
        case .tanh: .tanh
        case .ceil, .cos, .erf, .floor, .hardSigmoid, .neg, .pow, .reciprocal, .selu, .sign, .sin, .softsign, .thresholdedRelu, .truncate: nil
        }
    }
}
