import DNNL
import MultipointGraph

/// A residual that a convolution adds to its own result.
enum FusedAddition {
    /// It lies where the result goes.
    case inPlace(StoredValue)
    /// It lies elsewhere.
    case apart(StoredValue)

    var value: StoredValue {
        switch self {
        case .inPlace(let value), .apart(let value): value
        }
    }
}

/// What a convolution does to its scaled sums: add a residual, apply an activation, go over to the result's steps.
///
/// Zero points of the result and of the residual cost oneDNN's kernels registers, on AVX2 up to a fifth of a 3 × 3 convolution's time.
/// Both are constants, so they go into the bias, and an activation's bounds move with them.
struct OutputFusion {
    let activation: Elementwise?
    let addition: FusedAddition?
    let wanted: LayerDestination

    /// The real value of 1 while the convolution computes. The steps of an 8-bit result, which are then not scaled again; but oneDNN adds
    /// a residual that lies apart as the numbers that it is, and most functions need real values. A clipped linear function's own factor
    /// is part of the scaling.
    var unit: Float {
        if case .apart(let residual) = addition { return residual.quantization?.scale ?? 1 }
        if case .hardSigmoid(let alpha, _) = activation { return step / alpha }
        return activation?.needsRealValues == true ? 1 : step
    }

    /// The same behind the activation.
    private var unitAfter: Float { activation?.isAffineClip == true ? step : unit }

    private var step: Float { wanted.quantization?.scale ?? 1 }
    private var zeroPoint: Float { Float(wanted.quantization?.zeroPoint ?? 0) }

    /// Whether a factor is left between the units and the result's steps.
    private var isScaledAtTheEnd: Bool { unitAfter != step }

    /// Whether the result's zero point is in the bias already when the activation is applied.
    private var movesBounds: Bool {
        guard !isScaledAtTheEnd else { return false }
        return switch activation {
        case nil, .relu, .clip, .hardSigmoid: true
        default: false
        }
    }

    /// What is added to the bias, in units: the zero points.
    var shift: Float {
        var shift = movesBounds ? zeroPoint : 0
        if case .hardSigmoid(_, let beta) = activation { shift += beta / step }
        if let residual = addition?.value { shift -= Float(residual.quantization?.zeroPoint ?? 0) * factor(residual) }
        return shift
    }

    /// A residual's steps in units.
    private func factor(_ residual: StoredValue) -> Float { (residual.quantization?.scale ?? 1) / unit }

    func append(to attributes: inout Attributes) throws {
        switch addition {
        case nil: break
        case .inPlace(let residual):
            attributes.postOperations.append(.sum(scale: factor(residual), zeroPoint: 0, type: residual.type))
        case .apart(let residual): attributes.postOperations.append(.add(try residual.descriptor()))
        }
        if !isSaturation, let eltwise = movedActivation?.postOperation { attributes.postOperations.append(.eltwise(eltwise)) }
        if isScaledAtTheEnd {
            attributes.postOperations.append(.eltwise(.linear(scale: unitAfter / step, shift: zeroPoint)))
        } else if !movesBounds {
            attributes.destinationZeroPoint = Int32(wanted.quantization?.zeroPoint ?? 0)
        }
    }

    /// Whether the activation does nothing that storing in 8 bits does not do: values beyond its bounds are rounded to the same ends.
    private var isSaturation: Bool {
        guard wanted.quantization != nil else { return false }
        switch movedActivation {
        case nil: return true
        case .relu: return zeroPoint == 0
        case .clip(let minimum, let maximum):
            // In steps, to which the zero point is still to be added unless the bounds moved with it.
            let (factor, shift) = (unitAfter / step, movesBounds ? 0 : zeroPoint)
            return minimum * factor + shift <= 0.5 && maximum * factor + shift > 254.5
        default: return false
        }
    }

    /// The activation for numbers in units, with the zero point in its bounds where it is in the bias.
    private var movedActivation: Elementwise? {
        let moved = movesBounds ? zeroPoint : 0
        return switch activation {
        case .relu where moved != 0: .clip(minimum: moved, maximum: .greatestFiniteMagnitude)
        case .clip(let minimum, let maximum): .clip(minimum: minimum / unit + moved, maximum: maximum / unit + moved)
        case .hardSigmoid: .clip(minimum: moved, maximum: 1 / step + moved)
        default: activation
        }
    }
}

extension Elementwise {
    /// Whether the function of a multiple of x is another than that multiple of the function.
    var needsRealValues: Bool {
        switch self {
        case .abs, .clip, .hardSigmoid, .leakyRelu, .neg, .relu: false
        default: true
        }
    }
}
