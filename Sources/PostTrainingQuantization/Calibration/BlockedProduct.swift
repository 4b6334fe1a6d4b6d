import DNNL
import MultipointQuantization

/// A matrix product by several threads whose result does not depend on their number: oneDNN's sgemm on one thread each, over
/// blocks of C's rows that follow from the shapes alone. (Its own threads may share out k, and then sums differ in their last bits.)
struct BlockedProduct {
    private let product: MatrixProduct
    private let blockRows: Int
    private let blockCount: Int
    private let failures: UnsafeMutableBufferPointer<DNNLError?>

    /// What one block has at least, so that handing it to a thread pays and B is not read too often.
    private static var leastRows: Int { 96 }
    private static var leastOperations: Int { 1 << 22 }
    private static var mostBlocks: Int { 16 }

    static func multiply(_ product: MatrixProduct, threads: Int) throws(DNNLError) {
        let perRow = Double(product.n) * Double(product.k)
        let worthwhile = Int((Double(leastOperations) / max(1, perRow)).rounded(.up))
        let rows = max(leastRows, worthwhile, (product.m + mostBlocks - 1) / mostBlocks)
        let blocks = (product.m + rows - 1) / rows
        let failures = UnsafeMutableBufferPointer<DNNLError?>.allocate(capacity: blocks)
        failures.initialize(repeating: nil)
        defer {
            failures.deinitialize()
            failures.deallocate()
        }
        var work = BlockedProduct(product: product, blockRows: rows, blockCount: blocks, failures: failures)
        withUnsafeMutablePointer(to: &work) { work in
            Threads.parallel(min(threads, blocks), UnsafeMutableRawPointer(work)) { context in
                guard let work = context?.assumingMemoryBound(to: BlockedProduct.self) else { return }
                let place = Threads.place
                for block in stride(from: place.thread, to: work.pointee.blockCount, by: place.of) { work.pointee.run(block) }
            }
        }
        if let failure = failures.lazy.compactMap(\.self).first { throw failure }
    }

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
