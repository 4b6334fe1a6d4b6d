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
    /// E[x], [groups, K]; nil where it is not known.
    public let mean: [Float]?

    init(groups: Int, rowLength: Int, storage: Storage, mean: [Float]? = nil) {
        self.groups = groups
        self.rowLength = rowLength
        self.storage = storage
        self.mean = mean
    }

    /// - Parameters:
    ///   - matrices: [groups, rowLength, rowLength], each symmetric.
    ///   - mean: E[x], [groups, rowLength].
    /// - Throws: `QuantizationError` if their number is not that, or one is not finite.
    public init(groups: Int = 1, rowLength: Int, matrices: [Float], mean: [Float]? = nil) throws(QuantizationError) {
        guard groups >= 1, rowLength >= 1, let count = product(groups, rowLength, rowLength), matrices.count == count else {
            throw QuantizationError(
                "second moment: \(groups) × \(rowLength) × \(rowLength) numbers expected, found \(matrices.count)")
        }
        if let mean, mean.count != groups * rowLength {
            throw QuantizationError("second moment: \(groups) × \(rowLength) means expected, found \(mean.count)")
        }
        try requireFinite(matrices)
        try requireFinite(mean ?? [])
        self.init(groups: groups, rowLength: rowLength, storage: .matrices(matrices), mean: mean)
    }

    /// - Parameter patches: [groups, count, rowLength].
    /// - Throws: `QuantizationError` if their number is not that, or one is not finite.
    public init(groups: Int = 1, rowLength: Int, patches: [Float], count: Int) throws(QuantizationError) {
        guard groups >= 1, rowLength >= 1, count >= 1, product(groups, count, rowLength) == patches.count else {
            throw QuantizationError(
                "second moment: \(groups) × \(count) × \(rowLength) inputs expected, found \(patches.count)")
        }
        try requireFinite(patches)
        var sums = [Double](repeating: 0, count: groups * rowLength)
        for patch in 0..<groups * count {
            for k in 0..<rowLength { sums[patch / count * rowLength + k] += Double(patches[patch * rowLength + k]) }
        }
        self.init(
            groups: groups, rowLength: rowLength, storage: .patches(patches, count: count),
            mean: sums.map { Float($0 / Double(count)) })
    }

    /// The covariance H − E[x] E[x]ᵀ in H's place: dᵀ H d then is the output error that is left once the layer's bias has taken up
    /// the error's mean d · E[x]. The same H where the mean is not known.
    public func centered() -> SecondMoment {
        guard let mean else { return self }
        let k = rowLength
        switch storage {
        case .matrices(var h):
            for row in 0..<groups * k {
                let (group, factor) = (row / k, mean[row])
                for column in 0..<k { h[row * k + column] -= factor * mean[group * k + column] }
                // Rounding may leave a constant input's variance below zero.
                h[row * k + row % k] = max(0, h[row * k + row % k])
            }
            return SecondMoment(groups: groups, rowLength: k, storage: .matrices(h), mean: mean)
        case .patches(var x, let count):
            for patch in 0..<groups * count {
                for i in 0..<k { x[patch * k + i] -= mean[patch / count * k + i] }
            }
            return SecondMoment(groups: groups, rowLength: k, storage: .patches(x, count: count), mean: mean)
        }
    }

    /// The same H as if the mean were not known.
    public var withoutMean: SecondMoment { SecondMoment(groups: groups, rowLength: rowLength, storage: storage) }

    /// H of a group, [K, K].
    public func matrix(group: Int, multiply: MatrixMultiply) throws -> [Float] {
        try matrix(group: group, inputs: 0..<rowLength, multiply: multiply)
    }

    /// E[x_k²] for every input of a group.
    func diagonal(group: Int) -> [Float] {
        switch storage {
        case .matrices(let all): return (0..<rowLength).map { all[(group * rowLength + $0) * rowLength + $0] }
        case .patches(let all, let count):
            var sums = [Double](repeating: 0, count: rowLength)
            for patch in group * count..<(group + 1) * count {
                for k in 0..<rowLength { sums[k] += Double(all[patch * rowLength + k]) * Double(all[patch * rowLength + k]) }
            }
            return sums.map { Float($0 / Double(count)) }
        }
    }

    /// H v for vectors of a group: [vectors, K].
    func products(with vectors: [Float], group: Int, multiply: MatrixMultiply) throws -> [Float] {
        let (rows, k) = (vectors.count / rowLength, rowLength)
        var result = [Float](repeating: 0, count: rows * k)
        try vectors.withUnsafeBufferPointer { v in
            try result.withUnsafeMutableBufferPointer { result in
                guard let v = v.baseAddress, let result = result.baseAddress else { return }
                switch storage {
                case .matrices(let all):
                    try all.withUnsafeBufferPointer { h in
                        guard let h = h.baseAddress else { return }
                        try multiply(MatrixProduct(m: rows, n: k, k: k, a: v, b: h + group * k * k, c: result))
                    }
                case .patches(let all, let count):
                    // Xᵀ (X v) / patches.
                    try all.withUnsafeBufferPointer { x in
                        try withUnsafeTemporaryAllocation(of: Float.self, capacity: rows * count) { y in
                            guard let x = x.baseAddress, let y = y.baseAddress else { return }
                            let x0 = x + group * count * k
                            try multiply(MatrixProduct(transposeB: true, m: rows, n: count, k: k, a: v, b: x0, c: y))
                            try multiply(MatrixProduct(m: rows, n: k, k: count, a: y, b: x0, c: result))
                        }
                    }
                    for i in 0..<rows * k { result[i] /= Float(count) }
                }
            }
        }
        return result
    }

    /// The rows and columns `inputs` of a group's H.
    func matrix(group: Int, inputs: Range<Int>, multiply: MatrixMultiply) throws -> [Float] {
        let n = inputs.count
        switch storage {
        case .matrices(let all):
            let first = group * rowLength * rowLength
            if n == rowLength { return Array(all[first..<first + n * n]) }
            return inputs.flatMap { row in
                let start = first + row * rowLength
                return all[start + inputs.lowerBound..<start + inputs.upperBound]
            }
        case .patches(let all, let count):
            let rows = group * count..<(group + 1) * count
            let x = n == rowLength
                ? Array(all[rows.lowerBound * n..<rows.upperBound * n])
                : rows.flatMap { all[$0 * rowLength + inputs.lowerBound..<$0 * rowLength + inputs.upperBound] }
            var matrix = [Float](repeating: 0, count: n * n)
            try x.withUnsafeBufferPointer { x in
                try matrix.withUnsafeMutableBufferPointer { matrix in
                    guard let x = x.baseAddress, let h = matrix.baseAddress else { return }
                    try multiply(MatrixProduct(transposeA: true, m: n, n: n, k: count, a: x, b: x, c: h))
                    for i in 0..<n * n { h[i] /= Float(count) }
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
