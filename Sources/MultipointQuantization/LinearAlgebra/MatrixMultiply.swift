/// A product of dense row-major matrices: `C = op(A) op(B)`, or `C += op(A) op(B)`, with `op(A)` m × k, `op(B)` k × n, C m × n.
public struct MatrixProduct {
    /// `a` holds Aᵀ (k × m).
    public var transposeA: Bool
    /// `b` holds Bᵀ (n × k).
    public var transposeB: Bool
    public var m: Int
    public var n: Int
    public var k: Int
    public var a: UnsafePointer<Float>
    public var b: UnsafePointer<Float>
    public var c: UnsafeMutablePointer<Float>
    /// Add to C instead of overwriting it.
    public var accumulates: Bool

    public init(
        transposeA: Bool = false, transposeB: Bool = false, m: Int, n: Int, k: Int, a: UnsafePointer<Float>,
        b: UnsafePointer<Float>, c: UnsafeMutablePointer<Float>, accumulates: Bool = false
    ) {
        self.transposeA = transposeA
        self.transposeB = transposeB
        self.m = m
        self.n = n
        self.k = k
        self.a = a
        self.b = b
        self.c = c
        self.accumulates = accumulates
    }
}

/// The dense linear algebra that this module borrows: whoever calls it passes a BLAS.
public typealias MatrixMultiply = (MatrixProduct) throws -> Void

/// A plain matrix product for callers without a BLAS.
public func multiplyMatrices(_ product: MatrixProduct) {
    let (m, n, k, a, b, c) = (product.m, product.n, product.k, product.a, product.b, product.c)
    if !product.accumulates { c.update(repeating: 0, count: m * n) }
    // The innermost loop runs over neighbouring elements of B, whichever way it is stored.
    for i in 0..<m {
        func left(_ l: Int) -> Float { product.transposeA ? a[l * m + i] : a[i * k + l] }
        if product.transposeB {
            for j in 0..<n {
                var sum: Float = 0
                for l in 0..<k { sum += left(l) * b[j * k + l] }
                c[i * n + j] += sum
            }
        } else {
            for l in 0..<k {
                let factor = left(l)
                for j in 0..<n { c[i * n + j] += factor * b[l * n + j] }
            }
        }
    }
}
