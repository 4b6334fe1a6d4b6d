import MultipointGraph

extension ActivationHistogram {
    /// The range whose 8 bits have the least E[m (x − x̂)²], m being what x's channel counts for: rounding errors inside it against
    /// what it cuts off, at either end.
    ///
    /// A grid over both ends, two points to a factor of 2 and 0, then ever finer steps from its best point. The extremes are the
    /// widest range that is looked at.
    /// - Parameter weighted: by the channels' energies; else every value counts alike.
    public func leastSquaresRange(weighted: Bool) -> ActivationRange {
        let masses = masses(weighted: weighted)
        guard !masses.values.isEmpty else { return range }
        var search = LeastSquaresSearch(masses: masses, extremes: range)
        search.tryGrid()
        for step in [Float(1.2), 1.1, 1.05, 1.02, 1.01] { search.refine(step) }
        return search.best
    }
}

private struct LeastSquaresSearch {
    let masses: ActivationHistogram.Masses
    let extremes: ActivationRange
    private(set) var best: ActivationRange
    private var error: Double

    init(masses: ActivationHistogram.Masses, extremes: ActivationRange) {
        (self.masses, self.extremes) = (masses, extremes)
        best = extremes
        error = masses.error(extremes.quantization)
    }

    private mutating func tryEnds(_ low: Float, _ high: Float) -> Bool {
        let candidate = ActivationRange(minimum: max(low, extremes.minimum), maximum: min(high, extremes.maximum))
        guard candidate != best, candidate.minimum < 0 || candidate.maximum > 0 else { return false }
        let error = masses.error(candidate.quantization)
        guard error < self.error else { return false }
        (best, self.error) = (candidate, error)
        return true
    }

    mutating func tryGrid() {
        // 2^(−k/2) down to 1/256.
        let factors: [Float] = (0...16).map { k in
            let root: Float = k % 2 == 0 ? 1 : 0.707_106_77
            return root / Float(1 << (k / 2))
        } + [0]
        let lows = extremes.minimum < 0 ? factors.map { $0 * extremes.minimum } : [extremes.minimum]
        let highs = extremes.maximum > 0 ? factors.map { $0 * extremes.maximum } : [extremes.maximum]
        for low in lows { for high in highs { _ = tryEnds(low, high) } }
    }

    /// Moves both ends, together or alone, as long as that helps.
    mutating func refine(_ step: Float) {
        for _ in 0..<8 {
            var moved = false
            for (low, high) in [(1, step), (step, 1), (step, step), (step, 1 / step)] as [(Float, Float)] {
                let (start, end) = (best.minimum, best.maximum)
                moved = tryEnds(start * low, end * high) || tryEnds(start / low, end / high) || moved
            }
            if !moved { return }
        }
    }
}
