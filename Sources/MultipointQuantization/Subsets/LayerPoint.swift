import MultipointGraph

/// One point for all of a layer: w ≈ a q with one scale a, every weight in the nearest entry.
public struct LayerPoint: Equatable, Sendable {
    public let codebook: Codebook
    /// a, for the codebook's integers: finite and positive, or 0 if there is nothing that it could represent.
    public let scale: Float
    /// One per weight.
    public let codes: [UInt8]
    /// ‖w − a q‖².
    public let squaredError: Double

    /// How the scale is found; in any case it settles on a histogram first, then on the weights themselves.
    public enum ScaleSearch: Sendable {
        /// Alternation from scale 1, which puts the largest entry on the largest weight: as published.
        case alternation
        /// Alternation from the best of a fine grid of scales.
        case grid
    }

    /// - Throws: `QuantizationError` with the place of a number that is not finite.
    public init(of weights: [Float], codebook: Codebook, search: ScaleSearch = .alternation) throws(QuantizationError) {
        try requireFiniteWeights(weights)
        self.codebook = codebook
        guard let histogram = MagnitudeHistogram(weights) else {
            (scale, codes, squaredError) = (0, [UInt8](repeating: codebook.code(nearest: 0), count: weights.count), 0)
            return
        }
        let alternation = ScaleAlternation(magnitudes: codebook.magnitudes)
        let start = search == .grid ? alternation.best(on: histogram) : alternation.settled(on: histogram)
        let maximum = histogram.maximum
        let exact = ExactAlternation(weights: weights, maximum: maximum)
        // The histogram's scale is for a largest entry of 1.
        let (a, codes) = exact.settled(codebook, from: start.scale / Double(codebook.largest))
        scale = Float(a * maximum)
        self.codes = codes
        squaredError = squaredDistance(weights, codebook.values, codes, scale: Double(scale))
    }

    /// The same scale for every channel, as the packed file has it. All of the weights 0: no points.
    /// - Parameter rowLength: divides the number of weights.
    /// - Throws: `QuantizationError` if it does not.
    public func packed(rowLength: Int) throws(QuantizationError) -> PackedWeights {
        guard rowLength >= 1, !codes.isEmpty, codes.count % rowLength == 0 else {
            throw QuantizationError("rows of \(rowLength) weights do not make up \(codes.count) weights")
        }
        let channels = codes.count / rowLength
        let isEmpty = scale == 0
        do {
            return try PackedWeights(
                rowLength: rowLength, points: [UInt8](repeating: isEmpty ? 0 : 1, count: channels),
                levels: isEmpty ? [] : [PackedWeights.Level(codebook: codebook.values, codes: codes)],
                scales: isEmpty ? [] : [Float](repeating: scale, count: channels))
        } catch {
            throw QuantizationError("\(error)")
        }
    }
}

private func squaredDistance(_ weights: [Float], _ values: [Int8], _ codes: [UInt8], scale: Double) -> Double {
    var sum = 0.0
    for (w, code) in zip(weights, codes) {
        let d = Double(w) - scale * Double(values[Int(code)])
        sum += d * d
    }
    return sum
}

func requireFiniteWeights(_ weights: [Float]) throws(QuantizationError) {
    if let index = weights.firstIndex(where: { !$0.isFinite }) {
        throw QuantizationError("weight \(index) is \(weights[index]); finite numbers are expected")
    }
}
