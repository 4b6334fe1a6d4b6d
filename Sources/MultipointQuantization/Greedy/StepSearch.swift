import Glibc

/// Grid search over the step size for one vector r: for a step s the candidate is q = nearest(r / s), whose best scale is the
/// closed form a = ⟨r, q⟩ / ⟨q, q⟩; since ‖r − a q‖² = ‖r‖² − ⟨r, q⟩² / ⟨q, q⟩, the search maximises the second term.
///
/// The grid is over u = max|r| / s, with r normalised to max|r| = 1, so that a candidate is nearest(u x). Its ends lose nothing:
/// - q optimal for its own a means q = nearest(r / a), so |q| grows with |r|, and Chebyshev's sum inequality gives
///   a = Σ|r||q| / Σq² ≥ (Σ|r| Σ|q| / K) / (Q Σ|q|): no step below mean|r| / Q, u ≤ Q / mean|x|.
/// - Below the codebook's least peak come only vectors that larger steps have given already, up to a factor.
///
/// Between them the grid is geometric, finer for short vectors, whose error jumps from step to step; then once more between
/// the neighbours of the best.
struct StepSearch<Rounding: NearestEntry> {
    /// r / max|r|, zeros beyond `count`.
    let x: UnsafeBufferPointer<SIMD8<Float>>
    let count: Int
    /// Q.
    let largest: Float
    let rounding: Rounding

    var candidatesPerOctave: Double { Double(min(256, max(12, 8192 / count))) }
    static var refinements: Int { 16 }

    /// The best u of the grid.
    func best() -> Float {
        let high = Double(largest) / mean
        let low = min(high, Double(rounding.leastPeak))
        let ratio = exp2(-1 / candidatesPerOctave)
        var (best, bestGain) = (high, gain(high))
        func consider(_ u: Double) {
            let gain = gain(u)
            if gain > bestGain { (best, bestGain) = (u, gain) }
        }
        var u = high * ratio
        while u > low {
            consider(u)
            u *= ratio
        }
        consider(low)
        let (start, end) = (best * ratio, best / ratio)
        for i in 1..<StepSearch.refinements {
            consider(start + (end - start) * Double(i) / Double(StepSearch.refinements))
        }
        return Float(best)
    }

    /// Mean of |x|; at least 1 / count, because max|x| = 1.
    private var mean: Double {
        var sum = SIMD8<Float>.zero
        for value in x { sum += value.replacing(with: -value, where: value .< 0) }
        return Double(sum.sum()) / Double(count)
    }

    /// ⟨x, q⟩² / ⟨q, q⟩ for q = nearest(u x).
    private func gain(_ u: Double) -> Double {
        let scale = SIMD8<Float>(repeating: Float(u))
        var (dot, square) = (SIMD8<Float>.zero, SIMD8<Float>.zero)
        for value in x {
            let q = rounding.entry(nearest: value * scale)
            dot += value * q
            square += q * q
        }
        // The lanes beyond `count` hold nearest(0), which is not 0 in a codebook without it.
        let atZero = Double(rounding.entry(nearest: .zero)[0])
        let norm = Double(square.sum()) - Double(x.count * 8 - count) * atZero * atZero
        return norm > 0 ? Double(dot.sum()) * Double(dot.sum()) / norm : 0
    }
}
