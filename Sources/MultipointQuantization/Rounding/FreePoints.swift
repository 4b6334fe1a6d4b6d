import MultipointGraph

/// Odd points with free scales, rounded output-aware: a 2-bit base, then points of 1 bit. Every further point is what
/// `OutputAwareRounding` makes of the residual w − Σ a_i q_i, and then all scales of the channel become the least-squares ones in the H
/// norm, (Q H Qᵀ) a = Q H w, Q with a point in every row. A channel of B bits has the first B − 1 points, with scales of its own.
///
/// Greedy like the published points, which look for the nearest vector instead of the nearest output.
public struct FreePoints: RoundedRows {
    /// Points as many as the widest row has: what `vectors` and `codes` are made of.
    private struct Level {
        var bits: Int
        /// [channels, rowLength].
        var entries: [Int8]
    }

    public let rowLength: Int
    public let rows: [RoundedRow]
    public private(set) var errors: [Double]
    public private(set) var shifts: [Float]
    private var levels: [Level] = []
    /// Per row the scales of its points. One may be negative: its point then is stored with the opposite sign.
    private var scales: [[Float]]

    /// Widths that a channel may have.
    public static let widths = 2...6
    private static var baseBits: Int { 2 }

    /// - Parameter rounding: of the layer's weights. Its channels are rounded to the widths that `rows` have.
    init(_ rounding: OutputAwareRounding, rows: [RoundedRow]) throws(QuantizationError) {
        if let row = rows.first(where: { !(0..<rounding.channels).contains($0.channel) || ($0.bits != 0 && !Self.widths.contains($0.bits)) }) {
            throw QuantizationError(
                "channel \(row.channel), \(row.bits) bits: channels 0 to \(rounding.channels - 1), widths \(Self.widths) expected")
        }
        (rowLength, self.rows) = (rounding.rowLength, rows)
        (errors, shifts) = ([Double](repeating: 0, count: rows.count), [Float](repeating: 0, count: rows.count))
        scales = [[Float]](repeating: [], count: rows.count)
        do {
            try find(rounding)
        } catch {
            throw QuantizationError("output-aware rounding: \(error)", kind: .computation)
        }
    }

    private static func points(_ bits: Int) -> Int { bits == 0 ? 0 : bits - baseBits + 1 }

    private mutating func find(_ rounding: OutputAwareRounding) throws {
        let count = rows.map { Self.points($0.bits) }.max() ?? 0
        var residual = rounding.targets
        var fits = (0..<rounding.channels).map { _ in PointFit() }
        try settle(rounding, fits, points: 0, residual: residual)
        for level in 0..<count {
            let bits = level == 0 ? Self.baseBits : 1
            let all = (0..<rounding.channels).map { RoundedRow(channel: $0, bits: bits) }
            let found = try rounding.rounding(residual).round(all)
            levels.append(Level(bits: bits, entries: found.entries))
            let entries = found.entries.map { Float($0) }
            let product = try rounding.timesMoment(entries)
            residual = rounding.targets
            for channel in 0..<rounding.channels {
                let row = channel * rowLength..<(channel + 1) * rowLength
                fits[channel].add(Array(entries[row]), timesMoment: product[row], target: rounding.targets[row])
                fits[channel].subtract(from: &residual, at: row.lowerBound)
            }
            try settle(rounding, fits, points: level + 1, residual: residual)
        }
    }

    /// What the rows with a number of points have become.
    private mutating func settle(_ rounding: OutputAwareRounding, _ fits: [PointFit], points: Int, residual: [Float]) throws {
        let product = try rounding.timesMoment(residual)
        for (index, row) in rows.enumerated() where Self.points(row.bits) == points {
            let place = row.channel * rowLength..<(row.channel + 1) * rowLength
            scales[index] = fits[row.channel].scales.contains(where: \.isNormal) ? fits[row.channel].scales : []
            errors[index] = max(0, zip(residual[place], product[place]).reduce(0) { $0 + Double($1.0) * Double($1.1) })
            shifts[index] = rounding.shift(channel: row.channel, vector: vector(index))
        }
    }

    public func isEmpty(_ row: Int) -> Bool { scales[row].isEmpty }

    public func vector(_ row: Int) -> [Float] {
        var result = [Float](repeating: 0, count: rowLength)
        let first = rows[row].channel * rowLength
        for (level, scale) in zip(levels, scales[row]) {
            for k in 0..<rowLength { result[k] += scale * Float(level.entries[first + k]) }
        }
        return result
    }

    public func byteCount(ofRow row: Int) -> Int {
        zip(levels, scales[row]).reduce(1) { $0 + ($1.0.bits * rowLength + 7) / 8 + 4 }
    }

    public func byteCount(ofLayer rows: [Int]) -> Int {
        let points = rows.map { scales[$0].count }.max() ?? 0
        return levels.prefix(points).reduce(0) { $0 + 1 << $1.bits } + rows.reduce(0) { $0 + byteCount(ofRow: $1) }
    }

    public func packed(_ chosen: [Int]) throws(QuantizationError) -> PackedWeights {
        var packed: [PackedWeights.Level] = []
        for (index, level) in levels.enumerated() where chosen.contains(where: { scales[$0].count > index }) {
            let codebook = try Codebook(.odd, bits: level.bits)
            var codes: [UInt8] = []
            for row in chosen where scales[row].count > index {
                let sign: Float = scales[row][index] < 0 ? -1 : 1
                let first = rows[row].channel * rowLength
                codes += level.entries[first..<first + rowLength].map { codebook.code(nearest: sign * Float($0)) }
            }
            packed.append(PackedWeights.Level(codebook: codebook.values, codes: codes))
        }
        do {
            return try PackedWeights(
                rowLength: rowLength, points: chosen.map { UInt8(scales[$0].count) }, levels: packed,
                scales: chosen.flatMap { scales[$0].map { max(abs($0), .leastNormalMagnitude) } })
        } catch {
            throw QuantizationError("\(error)")
        }
    }
}

/// The least-squares scales of the points of one channel.
private struct PointFit {
    private(set) var scales: [Float] = []
    private var points: [[Float]] = []
    /// Q H Qᵀ, its lower triangle by rows, and Q H w.
    private var gram: [[Double]] = []
    private var products: [Double] = []

    mutating func add(_ q: [Float], timesMoment hq: ArraySlice<Float>, target w: ArraySlice<Float>) {
        points.append(q)
        gram.append(points.map { dot($0[...], hq) })
        products.append(dot(w, hq))
        // A point that adds nothing to the others leaves the system singular; it gets no part.
        if let solution = solve() { scales = solution.map { Float($0) } } else { scales.append(0) }
    }

    func subtract(from vectors: inout [Float], at first: Int) {
        for (scale, q) in zip(scales, points) {
            for k in q.indices { vectors[first + k] -= scale * q[k] }
        }
    }

    private func dot(_ a: ArraySlice<Float>, _ b: ArraySlice<Float>) -> Double {
        zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }

    /// By Cholesky's factorisation; nil if it breaks down.
    private func solve() -> [Double]? {
        var (l, y) = (gram, products)
        for i in gram.indices {
            for j in 0...i {
                var sum = gram[i][j]
                for k in 0..<j { sum -= l[i][k] * l[j][k] }
                if i == j {
                    guard sum > 1e-9 * gram[i][i], sum.isFinite else { return nil }
                    l[i][i] = sum.squareRoot()
                } else {
                    l[i][j] = sum / l[j][j]
                }
            }
            for k in 0..<i { y[i] -= l[i][k] * y[k] }
            y[i] /= l[i][i]
        }
        for i in gram.indices.reversed() {
            for k in gram.indices where k > i { y[i] -= l[k][i] * y[k] }
            y[i] /= l[i][i]
        }
        return y
    }
}
