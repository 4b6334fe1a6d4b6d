/// Some vectors of a group that are rounded side by side, block of inputs after block of inputs.
struct RowChunk: Sendable {
    private typealias Lane = ErrorFeedback.Lane

    private let rows: [RoundedWeights.Row]
    private let rowLength: Int
    /// a of the search; nil for a vector of zeros.
    private var scales: [Float?]
    /// [rows, rowLength].
    private var entries: [Int8]
    /// Per row, summed over the blocks: wᵀ H q, qᵀ H q and the error with the scale of the search, dᵀ H d.
    private var products: [Double]
    private var squares: [Double]
    private var errors: [Double]

    init(_ rows: ArraySlice<RoundedWeights.Row>, _ matrix: [Float], _ rowLength: Int, _ diagonal: [Float]) {
        (self.rows, self.rowLength) = (Array(rows), rowLength)
        entries = [Int8](repeating: 0, count: rows.count * rowLength)
        (products, squares) = ([Double](repeating: 0, count: rows.count), [Double](repeating: 0, count: rows.count))
        errors = products
        scales = []
        var search: (channel: Int, scale: WeightedScale)?
        for row in rows {
            if search?.channel != row.channel {
                let weights = matrix[row.channel * rowLength..<(row.channel + 1) * rowLength]
                search = (row.channel, WeightedScale(weights, h: diagonal))
            }
            scales.append(search?.scale.best(bits: row.bits))
        }
    }

    /// Rounds the inputs of a block.
    mutating func round(_ h: FactorizedMoment, _ matrix: [Float], scaleFactors: [Float], _ algebra: LinearAlgebra) throws {
        let n = h.inputs.count
        let w = gather(matrix, h)
        var best = try feedback(w, h, factor: scaleFactors.first ?? 1, algebra)
        var factors = [Float](repeating: scaleFactors.first ?? 1, count: rows.count)
        for factor in scaleFactors.dropFirst() {
            let other = try feedback(w, h, factor: factor, algebra)
            for row in rows.indices where other.costs[row] < best.costs[row] {
                best.costs[row] = other.costs[row]
                factors[row] = factor
                for k in 0..<n { best.q[row * n + k] = other.q[row * n + k] }
            }
        }
        for row in rows.indices { scales[row] = scales[row].map { $0 * factors[row] } }
        try include(best.q, costs: best.costs, h, matrix, algebra)
    }

    private var width: Int { (rows.count + 7) / 8 }

    /// The block's weights in the order of rounding, transposed: [n, width].
    private func gather(_ matrix: [Float], _ h: FactorizedMoment) -> [Lane] {
        var w = [Lane](repeating: .zero, count: h.inputs.count * width)
        for (row, place) in rows.enumerated() where scales[row] != nil {
            let first = place.channel * rowLength + h.inputs.lowerBound
            for (k, input) in h.order.enumerated() { w[k * width + row / 8][row % 8] = matrix[first + input] }
        }
        return w
    }

    /// q, [rows, n] in the order of the inputs, and ‖Lᵀ(w − a q)‖² for the search's scales times a factor.
    private func feedback(
        _ w: [Lane], _ h: FactorizedMoment, factor: Float, _ algebra: LinearAlgebra
    ) throws -> (q: [Float], costs: [Double]) {
        let (n, width) = (h.inputs.count, width)
        var (a, largest) = ([Lane](repeating: .one, count: width), [Lane](repeating: .one, count: width))
        for (row, place) in rows.enumerated() {
            a[row / 8][row % 8] = (scales[row] ?? 1) * factor
            largest[row / 8][row % 8] = Float((1 << place.bits) - 1)
        }
        var costs = [Lane](repeating: .zero, count: width)
        // q, the errors and what they spread.
        var work = [Lane](repeating: .zero, count: 3 * n * width)
        try h.factor.withUnsafeBufferPointer { l in
            try w.withUnsafeBufferPointer { w in
                try work.withUnsafeMutableBufferPointer { work in
                    guard let l = l.baseAddress, let w = w.baseAddress, let work = work.baseAddress else { return }
                    try a.withUnsafeBufferPointer { a in
                        try largest.withUnsafeBufferPointer { largest in
                            try costs.withUnsafeMutableBufferPointer { costs in
                                guard let a = a.baseAddress, let largest = largest.baseAddress, let costs = costs.baseAddress
                                else { return }
                                try ErrorFeedback(factor: l, n: n, multiply: algebra.multiply).round(
                                    ErrorFeedback.Vectors(
                                        width: width, w: w, q: work, error: work + n * width, spread: work + 2 * n * width,
                                        scales: a, largest: largest, costs: costs))
                            }
                        }
                    }
                }
            }
        }
        var q = [Float](repeating: 0, count: rows.count * n)
        for (k, input) in h.order.enumerated() {
            for row in rows.indices { q[row * n + input] = work[k * width + row / 8][row % 8] }
        }
        return (q, rows.indices.map { Double(costs[$0 / 8][$0 % 8]) })
    }

    /// Stores the block's q and adds up what the least-squares scale needs.
    private mutating func include(
        _ q: [Float], costs: [Double], _ h: FactorizedMoment, _ matrix: [Float], _ algebra: LinearAlgebra
    ) throws {
        let n = h.inputs.count
        var y = [Float](repeating: 0, count: rows.count * n)
        try q.withUnsafeBufferPointer { q in
            try h.h.withUnsafeBufferPointer { h in
                try y.withUnsafeMutableBufferPointer { y in
                    guard let q = q.baseAddress, let h = h.baseAddress, let y = y.baseAddress else { return }
                    try algebra.multiply(MatrixProduct(m: rows.count, n: n, k: n, a: q, b: h, c: y))
                }
            }
        }
        for (row, place) in rows.enumerated() {
            guard let a = scales[row] else { continue }
            let first = place.channel * rowLength + h.inputs.lowerBound
            var distance = 0.0
            for k in 0..<n {
                let (w, entry, hq) = (Double(matrix[first + k]), Double(q[row * n + k]), Double(y[row * n + k]))
                products[row] += w * hq
                squares[row] += entry * hq
                distance += (w - Double(a) * entry) * (w - Double(a) * entry)
                entries[row * rowLength + h.inputs.lowerBound + k] = Int8(entry)
            }
            // The factor is that of H + λ I.
            errors[row] += max(0, costs[row] - Double(h.damping) * distance)
        }
    }

    /// With the least-squares scale a' the error falls by (a' − a)² qᵀ H q.
    func result() -> RoundedWeights {
        var result = RoundedWeights(rowLength: rowLength, rows: rows)
        result.entries = entries
        for row in rows.indices {
            guard let a = scales[row] else { continue }
            let best = Float(products[row] / squares[row])
            guard squares[row] > 0, best.isNormal, best > 0 else {
                (result.scales[row], result.errors[row]) = (a, errors[row])
                continue
            }
            let change = products[row] / squares[row] - Double(a)
            result.scales[row] = best
            result.errors[row] = max(0, errors[row] - change * change * squares[row])
        }
        return result
    }
}

extension SIMD8<Float> {
    fileprivate static var one: Self { Self(repeating: 1) }
}
