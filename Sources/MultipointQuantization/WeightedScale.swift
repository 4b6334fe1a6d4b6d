import Glibc

/// The scale of one vector before it is rounded: the a that minimises Σ_k h_k (w_k − a q_k)², q the nearest odd integers of a width.
/// A grid search over a like `StepSearch`, whose bounds hold as they are with weights h_k in every sum.
struct WeightedScale {
    /// |w| / max|w| and h, zeros beyond the vector's end.
    private let x: [SIMD8<Float>]
    private let h: [SIMD8<Float>]
    private let magnitude: Double
    private let mean: Double

    private static var candidatesPerOctave: Double { 24 }
    private static var refinements: Int { 8 }

    /// - Parameter h: not negative; where all of it is 0, the vector counts evenly.
    init(_ w: some Collection<Float>, h weights: some Collection<Float>) {
        let largest = w.reduce(0) { max($0, abs($1)) }
        magnitude = Double(largest)
        let (inverse, total) = (largest > 0 ? 1 / Double(largest) : 0, weights.reduce(0) { $0 + Double($1) })
        let even = !(total > 0)
        var (x, h) = ([SIMD8<Float>](repeating: .zero, count: (w.count + 7) / 8), [SIMD8<Float>]())
        h = x
        var (sum, norm) = (0.0, 0.0)
        for (i, (value, weight)) in zip(w, weights).enumerated() {
            x[i / 8][i % 8] = Float(Double(abs(value)) * inverse)
            // Normalised to a mean of 1, so that Float's range is no concern.
            h[i / 8][i % 8] = even ? 1 : Float(Double(weight) / total * Double(w.count))
            sum += Double(x[i / 8][i % 8]) * Double(h[i / 8][i % 8])
            norm += Double(h[i / 8][i % 8])
        }
        (self.x, self.h) = (x, h)
        mean = norm > 0 ? max(sum / norm, 1e-6) : 1
    }

    /// The scale for odd integers up to `bits` wide; nil for a vector whose scale is no normal float.
    func best(bits: Int) -> Float? {
        let largest = Double((1 << bits) - 1)
        let high = largest / mean
        let low = min(high, max(largest / 3 - 1, 0.5))
        let ratio = exp2(-1 / WeightedScale.candidatesPerOctave)
        var best = candidate(high, largest)
        func consider(_ u: Double) {
            let other = candidate(u, largest)
            if other.gain > best.gain { best = other }
        }
        var u = high * ratio
        while u > low {
            consider(u)
            u *= ratio
        }
        let (start, end) = (best.u * ratio, best.u / ratio)
        for i in 1..<WeightedScale.refinements { consider(start + (end - start) * Double(i) / Double(WeightedScale.refinements)) }
        let scale = Float(best.scale * magnitude)
        return scale.isNormal && scale > 0 ? scale : nil
    }

    /// q = nearest(u x), a = Σ h x q / Σ h q², and by how much a q reduces Σ h x².
    private func candidate(_ u: Double, _ largest: Double) -> (u: Double, gain: Double, scale: Double) {
        let (factor, largest) = (SIMD8<Float>(repeating: Float(u)), SIMD8<Float>(repeating: Float(largest)))
        var (dot, square) = (SIMD8<Float>.zero, SIMD8<Float>.zero)
        for i in x.indices {
            let q = ErrorFeedback.nearestOdd(x[i] * factor, largest)
            dot += h[i] * x[i] * q
            square += h[i] * q * q
        }
        let (product, norm) = (Double(dot.sum()), Double(square.sum()))
        return norm > 0 ? (u, product * product / norm, product / norm) : (u, 0, 0)
    }
}
