/// The alternation of `ScaleAlternation` over the weights themselves: it ends what a histogram began, in a few steps.
struct ExactAlternation {
    /// w / max|w| in blocks of eight, zeros beyond `count`.
    private let x: [SIMD8<Float>]
    private let count: Int

    /// - Parameter maximum: max|w|, positive.
    init(weights: [Float], maximum: Double) {
        let inverse = 1 / maximum
        count = weights.count
        var x = [SIMD8<Float>](repeating: .zero, count: (weights.count + 7) / 8)
        x.withUnsafeMutableBytes { bytes in
            let x = bytes.bindMemory(to: Float.self)
            // In Double: the quotient of subnormals is one.
            for i in weights.indices { x[i] = Float(Double(weights[i]) * inverse) }
        }
        self.x = x
    }

    /// - Parameter scale: of the codebook's integers, for weights up to 1.
    /// - Returns: a and the codes of q with a = ⟨q, x⟩ / ⟨q, q⟩; 0 if every q is 0.
    func settled(_ codebook: Codebook, from scale: Double) -> (scale: Double, codes: [UInt8]) {
        switch codebook.family {
        case .odd: settled(NearestOdd(largest: Float(codebook.largest)), from: scale)
        case .uniform: settled(NearestInteger(largest: Float(codebook.largest)), from: scale)
        case .subset: settled(NearestSubset(codebook), from: scale)
        }
    }

    private func settled(_ rounding: some NearestEntry, from scale: Double) -> (scale: Double, codes: [UInt8]) {
        // The step that the codes belong to, and the scale that they give.
        var (step, best) = (scale, assigned(rounding, scale))
        for _ in 0..<50 where best.gain > 0 {
            let next = assigned(rounding, best.scale)
            guard next.gain > best.gain * (1 + 1e-9) else { break }
            (step, best) = (best.scale, next)
        }
        return (best.scale, codes(rounding, step))
    }

    /// For q = nearest(x / step): a, and ⟨q, x⟩² / ⟨q, q⟩, which is what a q takes from ‖x‖².
    private func assigned(_ rounding: some NearestEntry, _ step: Double) -> (scale: Double, gain: Double) {
        let inverse = SIMD8<Float>(repeating: Float(1 / step))
        var (dot, norm) = (SIMD8<Double>.zero, SIMD8<Double>.zero)
        for value in x {
            let q = rounding.entry(nearest: value * inverse)
            dot += SIMD8<Double>(value * q)
            norm += SIMD8<Double>(q * q)
        }
        // The lanes beyond `count` hold nearest(0), which is not 0 in a codebook without it.
        let atZero = Double(rounding.entry(nearest: .zero)[0])
        let square = norm.sum() - Double(x.count * 8 - count) * atZero * atZero
        guard square > 0, dot.sum() > 0 else { return (0, 0) }
        return (dot.sum() / square, dot.sum() * dot.sum() / square)
    }

    private func codes(_ rounding: some NearestEntry, _ step: Double) -> [UInt8] {
        let inverse = SIMD8<Float>(repeating: Float(1 / step))
        var codes: [UInt8] = []
        codes.reserveCapacity(x.count * 8)
        for value in x {
            let q = rounding.entry(nearest: value * inverse)
            for lane in 0..<8 { codes.append(rounding.code(of: q[lane])) }
        }
        codes.removeLast(codes.count - count)
        return codes
    }
}
