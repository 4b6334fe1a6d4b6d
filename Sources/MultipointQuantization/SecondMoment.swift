/// H = E[x xᵀ] of a layer's input patches x, one per group. The output error of a weight error d is E[(d · x)²] = dᵀ H d.
public struct SecondMoment: Sendable {
    enum Storage: Sendable {
        /// H itself, [groups, K, K].
        case matrices([Float])
        /// X, [groups, patches, K] with H = Xᵀ X / patches: smaller than H where there are fewer patches than weights.
        case patches([Float], count: Int)
    }

    public let groups: Int
    /// K.
    public let rowLength: Int
    let storage: Storage

    init(groups: Int, rowLength: Int, storage: Storage) {
        self.groups = groups
        self.rowLength = rowLength
        self.storage = storage
    }

    /// - Parameter matrices: [groups, rowLength, rowLength], each symmetric.
    /// - Throws: `QuantizationError` if their number is not that, or one is not finite.
    public init(groups: Int = 1, rowLength: Int, matrices: [Float]) throws(QuantizationError) {
        guard groups >= 1, rowLength >= 1, let count = product(groups, rowLength, rowLength), matrices.count == count else {
            throw QuantizationError(
                "second moment: \(groups) × \(rowLength) × \(rowLength) numbers expected, found \(matrices.count)")
        }
        try requireFinite(matrices)
        self.init(groups: groups, rowLength: rowLength, storage: .matrices(matrices))
    }

    /// - Parameter patches: [groups, count, rowLength].
    /// - Throws: `QuantizationError` if their number is not that, or one is not finite.
    public init(groups: Int = 1, rowLength: Int, patches: [Float], count: Int) throws(QuantizationError) {
        guard groups >= 1, rowLength >= 1, count >= 1, product(groups, count, rowLength) == patches.count else {
            throw QuantizationError(
                "second moment: \(groups) × \(count) × \(rowLength) inputs expected, found \(patches.count)")
        }
        try requireFinite(patches)
        self.init(groups: groups, rowLength: rowLength, storage: .patches(patches, count: count))
    }

    /// H of a group, [K, K].
    public func matrix(group: Int, multiply: MatrixMultiply) throws -> [Float] {
        let size = rowLength * rowLength
        switch storage {
        case .matrices(let all): return Array(all[group * size..<(group + 1) * size])
        case .patches(let all, let count):
            var matrix = [Float](repeating: 0, count: size)
            try all.withUnsafeBufferPointer { all in
                try matrix.withUnsafeMutableBufferPointer { matrix in
                    guard let x = all.baseAddress, let h = matrix.baseAddress else { return }
                    let first = x + group * count * rowLength
                    try multiply(
                        MatrixProduct(transposeA: true, m: rowLength, n: rowLength, k: count, a: first, b: first, c: h))
                    for i in 0..<size { h[i] /= Float(count) }
                }
            }
            return matrix
        }
    }
}

private func requireFinite(_ values: [Float]) throws(QuantizationError) {
    if let index = values.firstIndex(where: { !$0.isFinite }) {
        throw QuantizationError("second moment: element \(index) is \(values[index]); finite numbers are expected")
    }
}

/// The product of sizes, nil on overflow.
func product(_ sizes: Int...) -> Int? {
    var result = 1
    for size in sizes {
        let (next, overflow) = result.multipliedReportingOverflow(by: size)
        if overflow { return nil }
        result = next
    }
    return result
}
