import MultipointGraph

/// A base codebook and refinements of it, one bit each: a channel of B bits takes the base's b bits and the first B − b refinements.
/// With V_b the base, V_{d+1}[2 c + r] = ratio · V_d[c] + t_r, t the two entries of the refinement: every level's scale is an integer
/// multiple of the next one's, so that all points of a channel fold exactly into one row.
///
/// - **odd**: from ±1 with refinements 2 · v ± 1. A channel of B bits has all odd integers within ±(2^B − 1).
/// - **with zero**: from {−1, 0} with refinements 2 · v + {0, 1}. B bits are the integers from −2^(B−1) to 2^(B−1) − 1: as many values,
///   with a 0 among them, which layers with many small weights want.
/// - **subset**: from a subset-quantization codebook (`SubsetLadder`) with refinements m · v ± u.
public struct RefinementLadder: Hashable, Sendable {
    public enum Family: String, Hashable, Sendable, CaseIterable { case odd, zero, subset }

    /// ratio · v + low or + high.
    struct Refinement: Hashable, Sendable {
        var ratio: Int
        var low: Int
        var high: Int
    }

    public let family: Family
    /// By code: 2^b integers.
    let base: [Int]
    let refinements: [Refinement]

    init(family: Family, base: [Int], refinements: [Refinement]) {
        (self.family, self.base, self.refinements) = (family, base, refinements)
    }

    /// Rows of odd integers up to ±63.
    public static let odd = RefinementLadder(
        family: .odd, base: [-1, 1], refinements: [Refinement](repeating: Refinement(ratio: 2, low: -1, high: 1), count: 5))

    /// Rows from −64 to 63.
    public static let zero = RefinementLadder(
        family: .zero, base: [-1, 0], refinements: [Refinement](repeating: Refinement(ratio: 2, low: 0, high: 1), count: 6))

    /// Widths that a channel may have.
    public var widths: ClosedRange<Int> { baseBits...baseBits + refinements.count }

    private var baseBits: Int { base.count.trailingZeroBitCount }

    /// The integers of a row of `bits` bits, one of `widths`, by code. The code's upper bits are the coarser levels'.
    func values(bits: Int) -> [Int] {
        refinements.prefix(bits - baseBits).reduce(base) { values, step in
            values.flatMap { [step.ratio * $0 + step.low, step.ratio * $0 + step.high] }
        }
    }

    /// The refinements from one width to a larger one as a single level: the ratio of the scales, and the level's entries by code.
    func level(from bits: Int, to finer: Int) -> (ratio: Int, values: [Int]) {
        refinements[(bits - baseBits)..<(finer - baseBits)].reduce((1, [0])) { level, step in
            (level.0 * step.ratio, level.1.flatMap { [step.ratio * $0 + step.low, step.ratio * $0 + step.high] })
        }
    }
}

extension RefinementLadder {
    /// Bytes of a channel in a file: its codes, each level's on whole bytes, its number of points and its scale.
    /// - Parameter widths: of the layer's levels, ascending: each level goes from one width to the next. 0 bits are no codes.
    public static func byteCount(bits: Int, widths: [Int], rowLength: Int) -> Int {
        var (bytes, last) = (5, 0)
        for width in widths where width <= bits {
            bytes += (rowLength * (width - last) + 7) / 8
            last = width
        }
        return bytes
    }

    /// Bytes of the codebooks of a layer.
    public static func codebookByteCount(widths: [Int]) -> Int {
        zip(widths, [0] + widths).reduce(0) { $0 + 1 << ($1.0 - $1.1) }
    }

    /// Rounded vectors of this ladder, one for every channel in order, as a packed layer. There is a level for every width that
    /// occurs, so that a channel has no more points, and no more unused bits at their ends, than it needs.
    public func pack(_ rounded: RoundedWeights) throws(QuantizationError) -> PackedWeights {
        if let row = rounded.rows.first(where: { !widths.contains($0.bits) && $0.bits != 0 }) {
            throw QuantizationError("channel \(row.channel): \(row.bits) bits in a ladder of \(widths)")
        }
        let bits = rounded.rows.indices.map { rounded.scales[$0] > 0 ? rounded.rows[$0].bits : 0 }
        let used = Set(bits).subtracting([0]).sorted()
        var levels: [PackedWeights.Level] = []
        var ladder: [Int] = []
        for (width, last) in zip(used, [0] + used) {
            let (ratio, values) = last == 0 ? (1, self.values(bits: width)) : level(from: last, to: width)
            if last > 0 { ladder.append(ratio) }
            levels.append(PackedWeights.Level(codebook: values.map { Int8(clamping: $0) }, codes: []))
        }
        for (row, bits) in bits.enumerated() where bits > 0 {
            let codes = codes(of: rounded.entries[row * rounded.rowLength..<(row + 1) * rounded.rowLength], bits: bits)
            for (level, (width, last)) in zip(used, [0] + used).enumerated() where width <= bits {
                let mask = UInt8(truncatingIfNeeded: (1 << (width - last)) - 1)
                levels[level].codes += codes.lazy.map { $0 >> UInt8(bits - width) & mask }
            }
        }
        do {
            return try PackedWeights(
                rowLength: rounded.rowLength, points: bits.map { width in UInt8(used.count { $0 <= width }) }, levels: levels,
                ladder: ladder, scales: rounded.scales.map { $0 > 0 ? $0 : 1 })
        } catch {
            throw QuantizationError("\(error)")
        }
    }

    /// The code of every entry; of two codes for one integer the first.
    private func codes(of entries: ArraySlice<Int8>, bits: Int) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: 256)
        for (index, value) in values(bits: bits).enumerated().reversed() {
            code[Int(UInt8(bitPattern: Int8(clamping: value)))] = UInt8(truncatingIfNeeded: index)
        }
        return entries.map { code[Int(UInt8(bitPattern: $0))] }
    }
}
