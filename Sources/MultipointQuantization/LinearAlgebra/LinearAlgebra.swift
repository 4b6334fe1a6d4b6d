/// The dense linear algebra of output-aware rounding. Whoever calls it passes a BLAS and LAPACK; `plain` needs none.
///
/// The functions are called from several threads at once, on memory of their own. Packed weights are the same for any number of
/// threads if the functions' results are.
public struct LinearAlgebra: Sendable {
    public var multiply: @Sendable (MatrixProduct) throws -> Void

    /// Replaces the lower triangle of a symmetric n × n matrix A, row-major, by that of L with A = L Lᵀ. What lies above the
    /// diagonal is neither read nor meaningful afterwards. Returns false, leaving anything behind, if A is not positive definite.
    public var factorize: @Sendable (_ n: Int, _ a: UnsafeMutablePointer<Float>) throws -> Bool

    /// Replaces every row b of `rows` rows by the x with L Lᵀ x = b, for the n × n matrix L that `factorize` left.
    public var solve: @Sendable (_ n: Int, _ l: UnsafePointer<Float>, _ rows: Int, _ b: UnsafeMutablePointer<Float>) throws -> Void

    public init(
        multiply: @escaping @Sendable (MatrixProduct) throws -> Void,
        factorize: @escaping @Sendable (_ n: Int, _ a: UnsafeMutablePointer<Float>) throws -> Bool,
        solve: @escaping @Sendable (
            _ n: Int, _ l: UnsafePointer<Float>, _ rows: Int, _ b: UnsafeMutablePointer<Float>
        ) throws -> Void
    ) {
        self.multiply = multiply
        self.factorize = factorize
        self.solve = solve
    }

    /// Plain loops: for small networks.
    public static let plain = LinearAlgebra(multiply: multiplyMatrices, factorize: factorizeCholesky, solve: solveCholesky)
}

/// Cholesky's factorisation row by row, summed in Double.
private func factorizeCholesky(n: Int, a: UnsafeMutablePointer<Float>) -> Bool {
    for i in 0..<n {
        for j in 0...i {
            var sum = Double(a[i * n + j])
            for k in 0..<j { sum -= Double(a[i * n + k]) * Double(a[j * n + k]) }
            if i == j {
                guard sum > 0, sum.isFinite else { return false }
                a[i * n + i] = Float(sum.squareRoot())
            } else {
                a[i * n + j] = Float(sum / Double(a[j * n + j]))
            }
        }
    }
    return true
}

/// L y = b from the first row to the last, then Lᵀ x = y backwards.
private func solveCholesky(n: Int, l: UnsafePointer<Float>, rows: Int, b: UnsafeMutablePointer<Float>) {
    for row in 0..<rows {
        let x = b + row * n
        for i in 0..<n {
            var sum = Double(x[i])
            for k in 0..<i { sum -= Double(l[i * n + k]) * Double(x[k]) }
            x[i] = Float(sum / Double(l[i * n + i]))
        }
        for i in stride(from: n - 1, through: 0, by: -1) {
            var sum = Double(x[i])
            for k in i + 1..<max(n, i + 1) { sum -= Double(l[k * n + i]) * Double(x[k]) }
            x[i] = Float(sum / Double(l[i * n + i]))
        }
    }
}
