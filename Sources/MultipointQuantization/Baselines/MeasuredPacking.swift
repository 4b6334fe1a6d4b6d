import MultipointGraph

extension Packing {
    /// Measures what packed weights leave of a matrix.
    /// - Parameters:
    ///   - codebooks: of the levels.
    ///   - matrix: [channels, rowLength], what the weights stand for.
    /// - Throws: `QuantizationError` if they do not fit, or the matrix product fails.
    init(
        measuring weights: PackedWeights, codebooks: [Codebook], of matrix: [Float], secondMoment: SecondMoment?,
        matrixMultiply: @escaping MatrixMultiply
    ) throws(QuantizationError) {
        try validateMatrix(matrix, weights.channels, weights.rowLength, secondMoment)
        let error = OutputError(
            channels: weights.channels, rowLength: weights.rowLength, secondMoment: secondMoment, multiply: matrixMultiply)
        func errors(_ vectors: [Float]) throws(QuantizationError) -> [Double] {
            try vectors.withUnsafeBufferPointer { (vectors) throws(QuantizationError) in
                try error.errors(of: vectors, channels: Array(0..<weights.channels))
            }
        }
        self.init(
            weights: weights, codebooks: codebooks, errors: try errors(zip(matrix, weights.reconstruction()).map { $0 - $1 }),
            powers: try errors(matrix))
    }
}
