import DNNL
import Glibc

/// An activation that can be fused to a layer.
public enum Activation: Hashable, Sendable {
    case identity
    case relu
    case leakyRelu(alpha: Float)
    case clip(minimum: Float, maximum: Float)
    case sigmoid

    /// The same as oneDNN's post-operation; nil for identity.
    var postOperation: PostOperation.Eltwise? {
        switch self {
        case .identity: nil
        case .relu: .relu(alpha: 0)
        case .leakyRelu(let alpha): .relu(alpha: alpha)
        case .clip(let minimum, let maximum): .clip(minimum: minimum, maximum: maximum)
        case .sigmoid: .sigmoid
        }
    }

    /// The same for values that are multiples of a unit; a sigmoid has none.
    func inUnits(of unit: Float) -> Activation {
        if case .clip(let minimum, let maximum) = self { return .clip(minimum: minimum / unit, maximum: maximum / unit) }
        return self
    }

    /// ONNX's name of the operator.
    var operatorName: String? {
        switch self {
        case .identity: nil
        case .relu: "Relu"
        case .leakyRelu: "LeakyRelu"
        case .clip: "Clip"
        case .sigmoid: "Sigmoid"
        }
    }

    /// Of a single value.
    func callAsFunction(_ value: Float) -> Float {
        switch self {
        case .identity: value
        case .relu: max(value, 0)
        case .leakyRelu(let alpha): value < 0 ? alpha * value : value
        case .clip(let minimum, let maximum): min(max(value, minimum), maximum)
        case .sigmoid: 1 / (1 + expf(-value))
        }
    }
}
