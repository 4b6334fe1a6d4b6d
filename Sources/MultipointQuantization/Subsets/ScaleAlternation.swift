/// One scale for all weights of a layer: every weight goes to the nearest a·m, then a = ⟨q, w⟩ / ⟨q, q⟩, and so on until the error
/// settles. Over a histogram, whose numbers are relative to the largest weight.
struct ScaleAlternation {
    struct Result {
        /// a for magnitudes whose largest is 1 and weights whose largest is 1.
        var scale: Double
        /// ‖x − a q‖² over the weights of the histogram.
        var error: Double
    }

    /// The magnitudes m₀ < m₁ < …, divided by the largest, as steps: m₀ and, between neighbours, (m_i + m_{i+1}) / 2,
    /// m_{i+1} − m_i and m_{i+1}² − m_i².
    private let first: Double
    private var cells: [(midpoint: Double, step: Double, squareStep: Double)] = []

    /// - Parameter magnitudes: ascending from at least 0; the last one is positive.
    init(magnitudes: [Int]) {
        let largest = Double(max(1, magnitudes.last ?? 1))
        let m = magnitudes.map { Double($0) / largest }
        first = m.first ?? 0
        cells = zip(m, m.dropFirst()).map { (($0 + $1) / 2, $1 - $0, $1 * $1 - $0 * $0) }
    }

    /// Alternates from a scale; 1 puts the largest magnitude on the largest weight.
    func settled(on x: MagnitudeHistogram, from scale: Double = 1) -> Result {
        var best = step(x, scale)
        // It settles in some tens of steps; the limit is for a scale that creeps.
        for _ in 0..<200 {
            let next = step(x, best.scale)
            // Bins make the error's fall end in a tiny jump up or down, where the exact one ends in equality.
            guard next.error < best.error * (1 - 1e-7) else { break }
            best = next
        }
        return best
    }

    /// The best over all scales: a fine geometric grid, then settled. From 1, where nothing is clipped, to where the mean weight
    /// has the largest magnitude; see `StepSearch` for that end.
    func best(on x: MagnitudeHistogram) -> Result {
        let mean = x.all.sum / x.all.count
        var scale = 1.0
        var coarse = step(x, scale)
        while scale > mean {
            scale *= 0.995
            let next = step(x, scale)
            if next.error < coarse.error { coarse = next }
        }
        let (fine, plain) = (settled(on: x, from: coarse.scale), settled(on: x))
        return fine.error < plain.error ? fine : plain
    }

    /// The assignment for a scale, then its least-squares scale: ‖x − a q‖² = ‖x‖² − ⟨q, x⟩² / ⟨q, q⟩.
    func step(_ x: MagnitudeHistogram, _ scale: Double) -> Result {
        var (dot, norm) = (first * x.all.sum, first * first * x.all.count)
        for cell in cells {
            let above = x.above(scale * cell.midpoint)
            dot += cell.step * above.sum
            norm += cell.squareStep * above.count
        }
        // Every weight became 0.
        guard norm > 0, dot > 0 else { return Result(scale: scale, error: x.square) }
        return Result(scale: dot / norm, error: x.square - dot * dot / norm)
    }
}
