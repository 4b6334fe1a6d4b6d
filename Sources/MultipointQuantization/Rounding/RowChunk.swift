/// Some vectors of a group that are rounded side by side, block of inputs after block of inputs.
struct RowChunk: Sendable {
    private typealias Lane = SIMD8<Float>

    private let ladder: RefinementLadder
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

    init(
        _ ladder: RefinementLadder, _ rows: ArraySlice<RoundedWeights.Row>, _ matrix: [Float], _ rowLength: Int, _ diagonal: [Float]
    ) {
        (self.ladder, self.rows, self.rowLength) = (ladder, Array(rows), rowLength)
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
            scales.append(row.bits > 0 ? search?.scale.best(ladder, bits: row.bits) : nil)
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
        try include(best.q, h, matrix, fitsScale: scaleFactors.count > 1, algebra)
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
        switch ladder.family {
        case .odd, .zero: try feedback(w, h, factor: factor, evenGrids, algebra)
        case .subset: try feedback(w, h, factor: factor, tableGrids, algebra)
        }
    }

    private var evenGrids: [EvenGrid] {
        (0..<width).map { lane in
            var half = Lane(repeating: 1)
            for (i, row) in rows[8 * lane..<min(rows.count, 8 * lane + 8)].enumerated() where row.bits > 0 {
                half[i] = Float(1 << (row.bits - 1))
            }
            return EvenGrid(ladder.family, half: half)
        }
    }

    private var tableGrids: [TableGrid] {
        let tables = Dictionary(uniqueKeysWithValues: Set(rows.map(\.bits)).map { ($0, table(bits: $0)) })
        return (0..<width).map { lane in
            TableGrid((8 * lane..<8 * lane + 8).map { tables[$0 < rows.count ? rows[$0].bits : 0] ?? table(bits: 0) })
        }
    }

    private func feedback<Grid: EntryGrid>(
        _ w: [Lane], _ h: FactorizedMoment, factor: Float, _ grids: [Grid], _ algebra: LinearAlgebra
    ) throws -> (q: [Float], costs: [Double]) {
        let (n, width) = (h.inputs.count, width)
        var a = [Lane](repeating: .one, count: width)
        for row in rows.indices { a[row / 8][row % 8] = (scales[row] ?? 1) * factor }
        var costs = [Lane](repeating: .zero, count: width)
        // q, the errors and what they spread.
        var work = [Lane](repeating: .zero, count: 3 * n * width)
        try h.factor.withUnsafeBufferPointer { l in
            try w.withUnsafeBufferPointer { w in
                try work.withUnsafeMutableBufferPointer { work in
                    guard let l = l.baseAddress, let w = w.baseAddress, let work = work.baseAddress else { return }
                    try a.withUnsafeBufferPointer { a in
                        try grids.withUnsafeBufferPointer { grids in
                            try costs.withUnsafeMutableBufferPointer { costs in
                                guard let a = a.baseAddress, let grids = grids.baseAddress, let costs = costs.baseAddress else { return }
                                try ErrorFeedback<Grid>(factor: l, n: n, multiply: algebra.multiply).round(
                                    ErrorFeedback<Grid>.Vectors(
                                        width: width, w: w, q: work, error: work + n * width, spread: work + 2 * n * width,
                                        scales: a, grids: grids, costs: costs))
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

    /// Improves the block's q once more, stores it and adds up what the least-squares scale needs.
    private mutating func include(
        _ q: [Float], _ h: FactorizedMoment, _ matrix: [Float], fitsScale: Bool, _ algebra: LinearAlgebra
    ) throws {
        let n = h.inputs.count
        let w = rows.flatMap { matrix[$0.channel * rowLength..<($0.channel + 1) * rowLength][offset: h.inputs] }
        var (q, z, y) = (q, try product(w, h, algebra), try product(q, h, algebra))
        descend(h, w, z, &q, &y, fitsScale: fitsScale)
        // Of a vector that becomes zeros w itself is the error.
        var d = w
        for row in rows.indices {
            let a = scales[row] ?? 0
            for k in row * n..<(row + 1) * n { d[k] -= a * q[k] }
        }
        z = try product(d, h, algebra)
        for row in rows.indices {
            for k in row * n..<(row + 1) * n {
                errors[row] += Double(d[k]) * Double(z[k])
                guard scales[row] != nil else { continue }
                products[row] += Double(w[k]) * Double(y[k])
                squares[row] += Double(q[k]) * Double(y[k])
                entries[row * rowLength + h.inputs.lowerBound + k - row * n] = Int8(q[k])
            }
        }
    }

    /// Vectors times H: [rows, n].
    private func product(_ vectors: [Float], _ h: FactorizedMoment, _ algebra: LinearAlgebra) throws -> [Float] {
        let n = h.inputs.count
        var result = [Float](repeating: 0, count: vectors.count)
        try vectors.withUnsafeBufferPointer { v in
            try h.h.withUnsafeBufferPointer { h in
                try result.withUnsafeMutableBufferPointer { result in
                    guard let v = v.baseAddress, let h = h.baseAddress, let result = result.baseAddress else { return }
                    try algebra.multiply(MatrixProduct(m: rows.count, n: n, k: n, a: v, b: h, c: result))
                }
            }
        }
        return result
    }

    private mutating func descend(
        _ h: FactorizedMoment, _ w: [Float], _ z: [Float], _ q: inout [Float], _ y: inout [Float], fitsScale: Bool
    ) {
        let n = h.inputs.count
        let grids = Dictionary(uniqueKeysWithValues: Set(rows.map(\.bits)).map { ($0, ScalarGrid(table(bits: $0))) })
        h.h.withUnsafeBufferPointer { matrix in
            w.withUnsafeBufferPointer { w in
                z.withUnsafeBufferPointer { z in
                    q.withUnsafeMutableBufferPointer { q in
                        y.withUnsafeMutableBufferPointer { y in
                            guard let matrix = matrix.baseAddress, let w = w.baseAddress, let z = z.baseAddress,
                                let q = q.baseAddress, let y = y.baseAddress
                            else { return }
                            for (row, place) in rows.enumerated() {
                                guard let a = scales[row], let grid = grids[place.bits] else { continue }
                                let descent = CoordinateDescent(
                                    h: matrix, damping: h.damping, n: n, grid: grid, fitsScale: fitsScale)
                                let first = row * n
                                scales[row] = descent.improve(w + first, z + first, q + first, y + first, scale: a)
                            }
                        }
                    }
                }
            }
        }
    }

    private func table(bits: Int) -> [Float] { TableGrid.table(bits > 0 ? ladder.values(bits: bits) : [0]) }

    /// With the least-squares scale a' the error falls by (a' − a)² qᵀ H q.
    func result() -> RoundedWeights {
        var result = RoundedWeights(ladder: ladder, rowLength: rowLength, rows: rows)
        result.entries = entries
        for row in rows.indices {
            guard let a = scales[row] else {
                result.errors[row] = max(0, errors[row])
                continue
            }
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

extension ArraySlice {
    /// Elements at places counted from the slice's start.
    fileprivate subscript(offset range: Range<Int>) -> ArraySlice { self[startIndex + range.lowerBound..<startIndex + range.upperBound] }
}

extension SIMD8<Float> {
    fileprivate static var one: Self { Self(repeating: 1) }
}
