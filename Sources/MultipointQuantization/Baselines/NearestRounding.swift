import MultipointGraph

/// The baseline that everything is compared with: every weight to the nearest of a (−Q, …, Q), Q = 2^(b−1) − 1, with one scale a per
/// output channel and one point per channel (Jacob et al., "Quantization and Training of Neural Networks for Efficient
/// Integer-Arithmetic-Only Inference", CVPR 2018; symmetric and per channel as in Krishnamoorthi, arXiv 1806.08342).
public struct NearestRounding: Hashable, Sendable {
    /// How a channel's scale is chosen.
    public enum Scale: Hashable, Sendable, CaseIterable {
        /// a = max|w| / Q: no weight is clipped.
        case maximum
        /// The a with the least ‖w − a q‖², which clips the largest weights: one greedy point.
        case meanSquaredError
    }

    /// 2 to 8.
    public let bits: Int
    public let scale: Scale
    private let codebook: Codebook

    /// - Throws: `QuantizationError` for a width out of range.
    public init(bits: Int, scale: Scale) throws(QuantizationError) {
        codebook = try Codebook(.uniform, bits: bits)
        (self.bits, self.scale) = (bits, scale)
    }

    /// - Parameters:
    ///   - matrix: [channels, rowLength] in C order.
    ///   - secondMoment, matrixMultiply: measure the output errors, and do not change the result; see `packWeights`.
    ///   - threads: the result does not depend on them.
    /// - Throws: `QuantizationError` for arrays that do not fit and numbers that are not finite.
    public func pack(
        matrix: [Float], channels: Int, rowLength: Int, secondMoment: SecondMoment? = nil,
        matrixMultiply: @escaping MatrixMultiply = multiplyMatrices, threads: Int = 1
    ) throws(QuantizationError) -> Packing {
        try validateMatrix(matrix, channels, rowLength, secondMoment)
        guard scale == .maximum else {
            return try packWeights(
                matrix: matrix, channels: channels, rowLength: rowLength,
                options: PackingOptions(bits: bits, codebook: .uniform, maximumPoints: 1, threads: threads),
                secondMoment: secondMoment, matrixMultiply: matrixMultiply)
        }
        var (points, scales, codes): ([UInt8], [Float], [UInt8]) = ([], [], [])
        for start in stride(from: 0, to: matrix.count, by: rowLength) {
            let w = matrix[start..<start + rowLength]
            let a = largestMagnitude(w) / Float(codebook.largest)
            // A channel of zeros, or one too small for its scale to be a normal float.
            let isZero = !(a >= .leastNormalMagnitude)
            points.append(isZero ? 0 : 1)
            if isZero { continue }
            scales.append(a)
            codes += w.lazy.map { codebook.code(nearest: $0 / a) }
        }
        let weights: PackedWeights
        do {
            weights = try PackedWeights(
                rowLength: rowLength, points: points,
                levels: scales.isEmpty ? [] : [PackedWeights.Level(codebook: codebook.values, codes: codes)], scales: scales)
        } catch {
            throw QuantizationError("\(error)")
        }
        return try Packing(
            measuring: weights, codebooks: [codebook], of: matrix, secondMoment: secondMoment, matrixMultiply: matrixMultiply)
    }
}

private func largestMagnitude(_ w: ArraySlice<Float>) -> Float { w.reduce(0) { max($0, abs($1)) } }
