import MultipointGraph

/// The output error dᵀ H d = E[(d · x)²] of weight errors d; ‖d‖² where no H is known.
struct OutputError {
    /// Output channels of the layer; channel c reads group c / (channels / groups).
    let channels: Int
    let rowLength: Int
    let secondMoment: SecondMoment?
    let multiply: MatrixMultiply

    /// Vectors that go through the matrix product together.
    private static var blockSize: Int { 256 }

    /// - Parameters:
    ///   - vectors: [channels, rowLength], the d of every channel.
    ///   - chosen: the channels to look at, ascending.
    /// - Returns: one error for each of `chosen`.
    func errors(of vectors: UnsafeBufferPointer<Float>, channels chosen: [Int]) throws(QuantizationError) -> [Double] {
        guard let secondMoment else {
            return chosen.map { channel in
                var sum = 0.0
                for i in channel * rowLength..<(channel + 1) * rowLength { sum += Double(vectors[i]) * Double(vectors[i]) }
                return sum
            }
        }
        var errors: [Double] = []
        errors.reserveCapacity(chosen.count)
        let perGroup = channels / secondMoment.groups
        var rest = chosen[...]
        while let first = rest.first {
            let group = first / perGroup
            let block = rest.prefix(OutputError.blockSize).prefix { $0 / perGroup == group }
            rest = rest.dropFirst(block.count)
            do {
                errors += try blockErrors(of: gather(vectors, block), count: block.count, group, secondMoment)
            } catch {
                throw QuantizationError("output error: \(error)", kind: .computation)
            }
        }
        return errors
    }

    private func gather(_ vectors: UnsafeBufferPointer<Float>, _ chosen: ArraySlice<Int>) -> [Float] {
        var result: [Float] = []
        result.reserveCapacity(chosen.count * rowLength)
        for channel in chosen { result += vectors[channel * rowLength..<(channel + 1) * rowLength] }
        return result
    }

    /// Rows of D (count × K): with H, Σ (D H) ∘ D; with the patches X, Σ (D Xᵀ)² / patches.
    private func blockErrors(
        of d: [Float], count: Int, _ group: Int, _ secondMoment: SecondMoment
    ) throws -> [Double] {
        let storage: (values: [Float], rows: Int, patches: Int?) =
            switch secondMoment.storage {
            case .matrices(let h): (h, rowLength, nil)
            case .patches(let x, let patches): (x, patches, patches)
            }
        var y = [Float](repeating: 0, count: count * storage.rows)
        try storage.values.withUnsafeBufferPointer { values in
            try d.withUnsafeBufferPointer { d in
                try y.withUnsafeMutableBufferPointer { y in
                    guard let a = d.baseAddress, let b = values.baseAddress, let c = y.baseAddress else { return }
                    try multiply(
                        MatrixProduct(
                            transposeB: storage.patches != nil, m: count, n: storage.rows, k: rowLength, a: a,
                            b: b + group * storage.rows * rowLength, c: c))
                }
            }
        }
        return (0..<count).map { i in
            var sum = 0.0
            if let patches = storage.patches {
                for value in y[i * patches..<(i + 1) * patches] { sum += Double(value) * Double(value) }
                return sum / Double(patches)
            }
            for j in i * rowLength..<(i + 1) * rowLength { sum += Double(y[j]) * Double(d[j]) }
            // Rounding may leave a vanishing error below zero.
            return max(0, sum)
        }
    }
}

/// E[(w · x)²] of every channel of a layer.
/// - Throws: `QuantizationError` for arrays that do not fit, and numbers that are not finite.
public func outputPowers(
    matrix: [Float], channels: Int, rowLength: Int, secondMoment: SecondMoment, matrixMultiply: @escaping MatrixMultiply
) throws(QuantizationError) -> [Double] {
    try validateMatrix(matrix, channels, rowLength, secondMoment)
    let error = OutputError(channels: channels, rowLength: rowLength, secondMoment: secondMoment, multiply: matrixMultiply)
    return try matrix.withUnsafeBufferPointer { (matrix) throws(QuantizationError) in
        try error.errors(of: matrix, channels: Array(0..<channels))
    }
}
