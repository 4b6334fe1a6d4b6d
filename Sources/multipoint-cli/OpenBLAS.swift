import COpenBLAS
import MultipointQuantization

extension LinearAlgebra {
    /// OpenBLAS on the calling thread alone: rounding calls it from several threads, and sums do not depend on their number.
    static var openBLAS: LinearAlgebra {
        openblas_set_num_threads(1)
        return LinearAlgebra(multiply: multiplyWithBLAS, factorize: factorizeWithLAPACK, solve: solveWithLAPACK)
    }
}

private func multiplyWithBLAS(_ product: MatrixProduct) throws {
    let (m, n, k) = (Int32(clamping: product.m), Int32(clamping: product.n), Int32(clamping: product.k))
    func order(_ transpose: Bool) -> Int32 { Int32(transpose ? multipoint_transpose : multipoint_no_transpose) }
    cblas_sgemm(
        Int32(multipoint_row_major), order(product.transposeA), order(product.transposeB), m, n, k, 1, product.a,
        product.transposeA ? m : k, product.b, product.transposeB ? k : n, product.accumulates ? 1 : 0, product.c, n)
}

/// LAPACK is column-major: the lower triangle by rows is its upper one, A = Uᵀ U with U = Lᵀ.
private func factorizeWithLAPACK(_ n: Int, _ a: UnsafeMutablePointer<Float>) throws -> Bool {
    var size = Int32(clamping: n)
    var info: Int32 = 0
    spotrf_("U", &size, a, &size, &info, 1)
    return info == 0
}

/// Rows of right-hand sides are LAPACK's columns.
private func solveWithLAPACK(_ n: Int, _ l: UnsafePointer<Float>, _ rows: Int, _ b: UnsafeMutablePointer<Float>) throws {
    var (size, columns) = (Int32(clamping: n), Int32(clamping: rows))
    var info: Int32 = 0
    spotrs_("U", &size, &columns, l, &size, b, &size, &info, 1)
    if info != 0 { throw CommandError("LAPACK's spotrs: argument \(-info) is wrong") }
}
