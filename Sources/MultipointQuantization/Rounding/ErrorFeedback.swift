/// Output-aware rounding of weight vectors one coordinate at a time (Frantar, Ashkboos, Hoefler, Alistarh: "GPTQ", arXiv 2210.17323,
/// algorithm 1; there H⁻¹ = Uᵀ U and the error of a coordinate, divided by U_jj, is spread with U's row j).
///
/// With H = L Lᵀ the coordinates are taken from the last to the first, and then U is the inverse of L: no matrix has to be inverted,
/// because ‖Lᵀ(w − ŵ)‖² = Σ_k L_kk² (w_k + t_k − ŵ_k)² with t_k = Σ_{j>k} L_jk (w_j − ŵ_j) / L_kk, a sum over coordinates rounded
/// before. So coordinate k takes the entry nearest to w_k + t_k, and what is left of that is exactly its share of the output error.
///
/// Eight vectors are handled side by side in one `Lane`, each with a scale and a grid of its own.
struct ErrorFeedback<Grid: EntryGrid> {
    typealias Lane = SIMD8<Float>

    /// n × n, row-major; only the lower triangle is read.
    let factor: UnsafePointer<Float>
    let n: Int
    let multiply: @Sendable (MatrixProduct) throws -> Void

    /// Coordinates whose errors are spread one by one before a matrix product spreads them to all others.
    private static var blockSize: Int { 128 }

    /// A block of vectors, transposed: coordinate by coordinate, `width` lanes each.
    struct Vectors {
        let width: Int
        /// [n, width] each: w on entry, the integers of the rounded vectors on return, w − ŵ.
        var w: UnsafePointer<Lane>
        var q: UnsafeMutablePointer<Lane>
        var error: UnsafeMutablePointer<Lane>
        /// [n, width], zeros on entry: Σ_j L_jk (w_j − ŵ_j) of the coordinates done so far.
        var spread: UnsafeMutablePointer<Lane>
        /// [width] each: a, the integers that q is rounded to, and ‖Lᵀ(w − ŵ)‖², which is added to.
        var scales: UnsafePointer<Lane>
        var grids: UnsafePointer<Grid>
        var costs: UnsafeMutablePointer<Lane>
    }

    func round(_ vectors: Vectors) throws {
        var end = n
        while end > 0 {
            let start = max(0, end - Self.blockSize)
            for k in stride(from: end - 1, through: start, by: -1) { round(k, before: end, vectors) }
            if start > 0 { try spread(start..<end, vectors) }
            end = start
        }
    }

    /// Rounds coordinate k; those from k + 1 to `end` are not in `spread` yet.
    private func round(_ k: Int, before end: Int, _ v: Vectors) {
        let diagonal = factor[k * n + k]
        let inverse = 1 / diagonal
        for lane in 0..<v.width {
            var sum = v.spread[k * v.width + lane]
            for j in k + 1..<max(end, k + 1) { sum += factor[j * n + k] * v.error[j * v.width + lane] }
            let w = v.w[k * v.width + lane]
            let target = w + sum * inverse
            let q = v.grids[lane].nearest(target / v.scales[lane])
            let rounded = v.scales[lane] * q
            v.q[k * v.width + lane] = q
            v.error[k * v.width + lane] = w - rounded
            let rest = (target - rounded) * diagonal
            v.costs[lane] += rest * rest
        }
    }

    /// spread[k] += Σ_{j in block} L_jk error_j for every k before the block.
    private func spread(_ block: Range<Int>, _ v: Vectors) throws {
        let m = block.lowerBound
        try withUnsafeTemporaryAllocation(of: Float.self, capacity: block.count * m) { panel in
            guard let base = panel.baseAddress else { return }
            for (row, j) in block.enumerated() { (base + row * m).update(from: factor + j * n, count: m) }
            let columns = v.width * Lane.scalarCount
            let error = UnsafeRawPointer(v.error + block.lowerBound * v.width).assumingMemoryBound(to: Float.self)
            let sums = UnsafeMutableRawPointer(v.spread).assumingMemoryBound(to: Float.self)
            try multiply(
                MatrixProduct(
                    transposeA: true, m: m, n: columns, k: block.count, a: UnsafePointer(base), b: error, c: sums, accumulates: true))
        }
    }
}
