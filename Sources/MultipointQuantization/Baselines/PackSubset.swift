import MultipointGraph

/// Subset quantization of a layer as published: the best subset of its width, one scale for all of its weights, one point per channel.
/// (A packed file has a scale per channel all the same; they are equal.)
/// - Parameters:
///   - matrix: [channels, rowLength] in C order.
///   - bits: 2 to 4.
///   - secondMoment, matrixMultiply: measure the output errors, and do not change the result; see `packWeights`.
///   - threads: for the search. The result does not depend on them.
/// - Throws: `QuantizationError` for a width without subsets, arrays that do not fit and numbers that are not finite.
public func packSubset(
    matrix: [Float], channels: Int, rowLength: Int, bits: Int, secondMoment: SecondMoment? = nil,
    matrixMultiply: @escaping MatrixMultiply = multiplyMatrices, threads: Int = 1
) throws(QuantizationError) -> Packing {
    try validateMatrix(matrix, channels, rowLength, secondMoment)
    let codebook = try SubsetQuantization(bits: bits, threads: threads).codebook(for: matrix)
    let point = try LayerPoint(of: matrix, codebook: codebook)
    return try Packing(
        measuring: point.packed(rowLength: rowLength), codebooks: [codebook], of: matrix, secondMoment: secondMoment,
        matrixMultiply: matrixMultiply)
}
