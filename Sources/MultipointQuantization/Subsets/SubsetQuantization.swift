/// Subset quantization (Oh, Sim, Kim, Lee: "Non-uniform Step Size Quantization for Accurate Post-training Quantization", ECCV 2022):
/// of every subset of the universal set with 2^(b−1) magnitudes (105, 1365, 6435 for b = 2, 3, 4) a layer takes the one
/// with the least ‖w − ŵ‖₂ under one scale, found by alternation from scale 1.
///
/// Subsets are compared on a histogram of the magnitudes, so that the number of weights does not matter to the search.
public struct SubsetQuantization: Sendable {
    public let bits: Int
    public let threads: Int

    /// - Parameter threads: for the search. The result does not depend on them.
    /// - Throws: `QuantizationError` for a width without subsets.
    public init(bits: Int, threads: Int = 1) throws(QuantizationError) {
        _ = try Codebook.validated(.subset, bits: bits)
        guard (1...1024).contains(threads) else { throw QuantizationError("threads: 1 to 1024 expected, found \(threads)") }
        self.bits = bits
        self.threads = threads
    }

    /// The codebook for the weights of a layer. Of equally good subsets the first in lexical order.
    /// - Parameter rowLength: nil for one scale in the layer, as published. Otherwise the rows of the weights have scales of their
    ///   own, taken to be in proportion to their root mean squares.
    /// - Throws: `QuantizationError` with the place of a number that is not finite.
    public func codebook(for weights: [Float], rowLength: Int? = nil) throws(QuantizationError) -> Codebook {
        try requireFiniteWeights(weights)
        guard (rowLength ?? 1) >= 1 else { throw QuantizationError("rows of \(rowLength ?? 0) weights: at least 1 expected") }
        let subsets = UniversalSet.subsets(size: 1 << (bits - 1))
        // Zeros are as well off with one subset that has a 0 as with another, and the first one has it.
        guard let histogram = MagnitudeHistogram(weights, rowLength: rowLength) else { return try Codebook(subset: subsets[0]) }
        return try Codebook(subset: subsets[best(of: subsets, on: histogram)])
    }

    /// One point for all of a layer, with one scale, in the codebook that suits it best.
    /// - Throws: `QuantizationError` with the place of a number that is not finite.
    public func point(of weights: [Float]) throws(QuantizationError) -> LayerPoint {
        try LayerPoint(of: weights, codebook: codebook(for: weights))
    }

    private func best(of subsets: [[Int]], on histogram: MagnitudeHistogram) -> Int {
        var errors = [Double](repeating: .infinity, count: subsets.count)
        errors.withUnsafeMutableBufferPointer { errors in
            // Every index has an error of its own.
            nonisolated(unsafe) let errors = errors
            forEachIndex(below: subsets.count, threads: threads) { i in
                errors[i] = ScaleAlternation(magnitudes: subsets[i]).settled(on: histogram).error
            }
        }
        return errors.indices.min { errors[$0] < errors[$1] } ?? 0
    }
}
