/// How the magnitudes of many weights are distributed, finely enough to search for a codebook: for every bin of x = |w| / max|w| the
/// number of weights and their sum, both as running totals, so that a search meets a codebook's cells and no single weight.
struct MagnitudeHistogram: Sendable {
    /// x in [k / bins, (k + 1) / bins) is bin k; 1 belongs to the last. 1/32 of the largest magnitude is 512 bins wide.
    static let bins = 16_384

    /// max|w|, positive.
    let maximum: Double
    /// Σ x² over all weights.
    let square: Double
    /// [bins + 1]: number of weights, and Σ x, in the bins before.
    private let totals: [(count: Double, sum: Double)]

    /// Nil if every weight is 0.
    /// - Parameters:
    ///   - weights: finite.
    ///   - rowLength: with it every row is taken relative to its root mean square σ, and counts σ² times: what stands for rows
    ///     that have scales of their own, in proportion to σ.
    init?(_ weights: [Float], rowLength: Int? = nil) {
        guard !weights.isEmpty else { return nil }
        let length = max(1, rowLength ?? weights.count)
        let rows = stride(from: 0, to: weights.count, by: length).map { weights[$0..<min($0 + length, weights.count)] }
        let scales = rowLength == nil ? [1] : rows.map(rootMeanSquare)
        var maximum = 0.0
        for (row, scale) in zip(rows, scales) where scale > 0 {
            var largest: Float = 0
            for w in row { largest = max(largest, abs(w)) }
            maximum = max(maximum, Double(largest) / scale)
        }
        guard maximum > 0 else { return nil }
        var totals = [(count: Double, sum: Double)](repeating: (0, 0), count: MagnitudeHistogram.bins + 1)
        var square = 0.0
        for (row, scale) in zip(rows, scales) where scale > 0 {
            let (inverse, number) = (1 / (scale * maximum), scale * scale)
            for w in row {
                let x = min(1, abs(Double(w)) * inverse)
                let bin = min(MagnitudeHistogram.bins - 1, Int(x * Double(MagnitudeHistogram.bins)))
                totals[bin + 1].count += number
                totals[bin + 1].sum += number * x
                square += number * x * x
            }
        }
        for i in 1..<totals.count {
            totals[i].count += totals[i - 1].count
            totals[i].sum += totals[i - 1].sum
        }
        (self.maximum, self.square, self.totals) = (maximum, square, totals)
    }

    /// Number and sum of all x.
    var all: (count: Double, sum: Double) { totals[MagnitudeHistogram.bins] }

    /// Number and sum of the x above a threshold from 0; a bin is above as a whole if its centre is.
    @inline(__always)
    func above(_ threshold: Double) -> (count: Double, sum: Double) {
        let bin = Int(min(1, threshold) * Double(MagnitudeHistogram.bins) + 0.5)
        let (all, below) = (totals[MagnitudeHistogram.bins], totals[bin])
        return (all.count - below.count, all.sum - below.sum)
    }
}

private func rootMeanSquare(_ row: ArraySlice<Float>) -> Double {
    (row.reduce(0) { $0 + Double($1) * Double($1) } / Double(max(1, row.count))).squareRoot()
}
