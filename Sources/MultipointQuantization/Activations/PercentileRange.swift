extension ActivationHistogram {
    /// The range without the outermost values: (100 − percentile) % of all, as many at the top, and where there are negative values
    /// as many at the bottom.
    /// - Parameter percentile: above 50, at most 100.
    public func percentileRange(_ percentile: Double) -> ActivationRange {
        guard percentile < 100 else { return range }
        let high = quantile(percentile / 100)
        let low = range.minimum < 0 ? quantile(1 - percentile / 100) : range.minimum
        // Hardly ever: so few values are not 0 that nothing is left.
        guard high > 0 || low < 0 else { return range }
        return ActivationRange(minimum: min(low, 0), maximum: max(high, 0))
    }
}
