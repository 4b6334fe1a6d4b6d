/// The dense linear algebra of output-aware rounding. Whoever calls it passes a BLAS and LAPACK; `plain` needs none.
///
/// Both functions are called from several threads at once, on memory of their own. Packed weights are the same for any number of
/// threads if the functions' results are.
public struct LinearAlgebra: Sendable {
    public var multiply: @Sendable (MatrixProduct) throws -> Void

    /// Replaces the lower triangle of a symmetric n × n matrix A, row-major, by that of L with A = L Lᵀ. What lies above the
    /// diagonal is neither read nor meaningful afterwards. Returns false, leaving anything behind, if A is not positive definite.
    public var factorize: @Sendable (_ n: Int, _ a: UnsafeMutablePointer<Float>) throws -> Bool

    public init(
        multiply: @escaping @Sendable (MatrixProduct) throws -> Void,
        factorize: @escaping @Sendable (_ n: Int, _ a: UnsafeMutablePointer<Float>) throws -> Bool
    ) {
        self.multiply = multiply
        self.factorize = factorize
    }

    /// Plain loops: for small networks.
    public static let plain = LinearAlgebra(multiply: multiplyMatrices, factorize: factorizeCholesky)
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
