import DNNL
import MultipointQuantization

/// A matrix product by several threads whose result does not depend on their number: oneDNN's sgemm on one thread each, over
/// blocks of C's rows that follow from the shapes alone. (Its own threads may share out k, and then sums differ in their last bits.)
final class BlockedProduct: SharedWork {
    private let product: MatrixProduct
    private let blockRows: Int
    private let failures: UnsafeMutableBufferPointer<DNNLError?>

    /// What one block has at least, so that handing it to a thread pays and B is not read too often.
    private static var leastRows: Int { 96 }
    private static var leastOperations: Int { 1 << 22 }
    private static var mostBlocks: Int { 16 }

    static func multiply(_ product: MatrixProduct, threads: Int) throws(DNNLError) {
        let work = BlockedProduct(product)
        work.runAll(threads: min(threads, work.pieces))
        if let failure = work.failures.lazy.compactMap(\.self).first { throw failure }
    }

    private init(_ product: MatrixProduct) {
        let perRow = Double(product.n) * Double(product.k)
        let worthwhile = Int((Double(BlockedProduct.leastOperations) / max(1, perRow)).rounded(.up))
        let most = (product.m + BlockedProduct.mostBlocks - 1) / BlockedProduct.mostBlocks
        let rows = max(BlockedProduct.leastRows, worthwhile, most)
        let blocks = (product.m + rows - 1) / rows
        self.product = product
        blockRows = rows
        failures = .allocate(capacity: blocks)
        failures.initialize(repeating: nil)
        super.init(pieces: blocks)
    }

    deinit {
        failures.deinitialize()
        failures.deallocate()
    }

    override func run(_ share: Range<Int>) { for block in share { run(block) } }

    private func run(_ block: Int) {
        let (p, first) = (product, block * blockRows)
        do throws(DNNLError) {
            try Threads.with(1) { () throws(DNNLError) in
                try sgemm(
                    transposeA: p.transposeA, transposeB: p.transposeB, m: min(blockRows, p.m - first), n: p.n, k: p.k, alpha: 1,
                    a: p.a + (p.transposeA ? first : first * p.k), lda: p.transposeA ? p.m : p.k, b: p.b,
                    ldb: p.transposeB ? p.k : p.n, beta: p.accumulates ? 1 : 0, c: p.c + first * p.n, ldc: p.n)
            }
        } catch {
            failures[block] = error
        }
    }
}
