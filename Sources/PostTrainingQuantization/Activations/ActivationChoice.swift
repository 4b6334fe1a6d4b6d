import MultipointGraph
import MultipointQuantization

extension QuantizationOptions {
    /// Which range of an activation its 8 bits cover. 0 is exact in all of them; values outside are cut off.
    public enum Activations: Hashable, Sendable {
        /// All that the calibration saw.
        case minMax
        /// Without the outermost (100 − p) % of the values at the top, and as many at the bottom where there are negative ones;
        /// above 50, at most 100.
        case percentile(Double)
        /// The least E[(x − x̂)²].
        case meanSquaredError
        /// The same with every channel's error counted as `ChannelEnergies` expects it at the network's outputs.
        case outputAware
        /// Of the above (the 99.99th percentile among them) for each activation the one with which the results of all
        /// layers behind it change least when that activation alone is rounded.
        case best
    }
}

extension QuantizationOptions.Activations {
    /// What `best` chooses from; an earlier one wins a draw.
    static let candidates: [QuantizationOptions.Activations] = [.minMax, .percentile(99.99), .meanSquaredError, .outputAware]

    /// The range of a counted activation; nil for `best`, which is no property of the activation alone.
    func range(_ histogram: ActivationHistogram) -> ActivationRange? {
        switch self {
        case .minMax: histogram.range
        case .percentile(let percentile): histogram.percentileRange(percentile)
        case .meanSquaredError: histogram.leastSquaresRange(weighted: false)
        case .outputAware: histogram.leastSquaresRange(weighted: true)
        case .best: nil
        }
    }
}

/// Chooses the ranges of counted activations.
struct ActivationChoice {
    let activations: QuantizationOptions.Activations

    /// - Parameters:
    ///   - probe: for `best`.
    ///   - progress: called with the fraction done; false cancels.
    func ranges(
        _ histograms: [String: ActivationHistogram], probe: () throws -> ActivationProbe, progress: (Double) -> Bool
    ) throws -> [String: ActivationRange] {
        guard activations == .best else { return histograms.compactMapValues(activations.range) }
        let probe = try probe()
        var result: [String: ActivationRange] = [:]
        for (index, (value, histogram)) in histograms.sorted(by: { $0.key < $1.key }).enumerated() {
            let candidates = Self.distinct(QuantizationOptions.Activations.candidates.compactMap { $0.range(histogram) })
            result[value] = candidates.first
            if candidates.count > 1 {
                let changes = try probe.changes(rounding: value, candidates.map(\.quantization))
                let best = changes.indices.min { changes[$0] < changes[$1] }
                result[value] = best.map { candidates[$0] }
            }
            guard progress(Double(index + 1) / Double(histograms.count)) else { throw QuantizationError.cancelled }
        }
        return result
    }

    /// Ranges less than 1 % apart are as good as equal.
    private static func distinct(_ ranges: [ActivationRange]) -> [ActivationRange] {
        var kept: [ActivationRange] = []
        for range in ranges {
            let quantization = range.quantization
            let isKnown = kept.contains { other in
                let other = other.quantization
                return abs(other.scale - quantization.scale) < 0.01 * quantization.scale && other.zeroPoint == quantization.zeroPoint
            }
            if !isKnown { kept.append(range) }
        }
        return kept
    }
}
