import Glibc

/// A function of single elements, named as in ONNX.
public enum Elementwise: Hashable, Sendable {
    case abs
    case ceil
    /// ONNX's Clip, and Min and Max with a number. A bound that is left out is the largest float, which an infinity then becomes.
    case clip(minimum: Float, maximum: Float)
    case cos
    case elu(alpha: Float)
    case erf
    case exp
    case floor
    /// `x · Φ(x)`.
    case gelu
    /// `0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))`: ONNX's `approximate = "tanh"`.
    case geluTanh
    /// `max(0, min(1, alpha · x + beta))`.
    case hardSigmoid(alpha: Float, beta: Float)
    /// `x · max(0, min(1, x / 6 + 0.5))`.
    case hardSwish
    case leakyRelu(alpha: Float)
    case log
    /// `x · tanh(softplus(x))`.
    case mish
    case neg
    /// Pow with a constant exponent.
    case pow(exponent: Float)
    case reciprocal
    case relu
    /// To the nearest integer, halves to the even one.
    case round
    case selu(alpha: Float, gamma: Float)
    case sigmoid
    case sign
    case sin
    /// `log(1 + exp(x))`.
    case softplus
    /// `x / (1 + |x|)`.
    case softsign
    case sqrt
    /// `x · sigmoid(alpha · x)`; SiLU for alpha = 1.
    case swish(alpha: Float)
    case tanh
    /// `x > alpha ? x : 0`.
    case thresholdedRelu(alpha: Float)
    /// Toward zero: Cast to an integer type.
    case truncate
}

extension Elementwise {
    /// The function's value in float32.
    public func callAsFunction(_ x: Float) -> Float {
        switch self {
        case .abs: Swift.abs(x)
        case .ceil: x.rounded(.up)
        case .clip(let minimum, let maximum): min(max(x, minimum), maximum)
        case .cos: cosf(x)
        case .elu(let alpha): x < 0 ? alpha * expm1f(x) : x
        case .erf: erff(x)
        case .exp: expf(x)
        case .floor: x.rounded(.down)
        case .gelu: 0.5 * x * (1 + erff(x * Float(0.5).squareRoot()))
        case .geluTanh: 0.5 * x * (1 + tanhf((2 / Float.pi).squareRoot() * (x + 0.044715 * x * x * x)))
        case .hardSigmoid(let alpha, let beta): max(0, min(1, alpha * x + beta))
        case .hardSwish: x * max(0, min(1, x / 6 + 0.5))
        case .leakyRelu(let alpha): x < 0 ? alpha * x : x
        case .log: logf(x)
        case .mish: x * tanhf(Elementwise.softplus(x))
        case .neg: -x
        case .pow(let exponent): powf(x, exponent)
        case .reciprocal: 1 / x
        case .relu: max(x, 0)
        case .round: x.rounded(.toNearestOrEven)
        case .selu(let alpha, let gamma): gamma * (x < 0 ? alpha * expm1f(x) : x)
        case .sigmoid: 1 / (1 + expf(-x))
        case .sign: x > 0 ? 1 : x < 0 ? -1 : x
        case .sin: sinf(x)
        // Written so that exp does not overflow.
        case .softplus: max(x, 0) + log1pf(expf(-Swift.abs(x)))
        case .softsign: x / (1 + Swift.abs(x))
        case .sqrt: x.squareRoot()
        case .swish(let alpha): x / (1 + expf(-alpha * x))
        case .tanh: tanhf(x)
        case .thresholdedRelu(let alpha): x > alpha ? x : 0
        case .truncate: x.rounded(.towardZero)
        }
    }
}
