import CDNNL

/// `C = alpha · op(A) op(B) + beta · C`, row-major; `op(A)` is m × k, `op(B)` k × n, C m × n; leading dimensions in elements
/// (dnnl_sgemm).
public func sgemm(
    transposeA: Bool, transposeB: Bool, m: Int, n: Int, k: Int, alpha: Float, a: UnsafePointer<Float>, lda: Int,
    b: UnsafePointer<Float>, ldb: Int, beta: Float, c: UnsafeMutablePointer<Float>, ldc: Int
) throws(DNNLError) {
    func letter(_ transpose: Bool) -> CChar { CChar(UInt8(ascii: transpose ? "T" : "N")) }
    try check(
        onednn_sgemm(
            letter(transposeA), letter(transposeB), Int64(m), Int64(n), Int64(k), alpha, a, Int64(lda), b, Int64(ldb), beta, c,
            Int64(ldc)), "sgemm \(m)×\(n)×\(k)")
}
