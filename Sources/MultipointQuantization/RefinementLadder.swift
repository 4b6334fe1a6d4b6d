import MultipointGraph

/// The refinement ladder: an odd integer q of B bits, split exactly into a base of b bits and B − b refinements of 1 bit, each at half
/// the scale of the level before. As q runs over ±1, ±3, …, ±(2^B − 1), u = (q + 2^B − 1) / 2 runs over all B-bit codes; the base's
/// code is u's upper b bits, every refinement's the next one: 2 · (2 v − (2^b − 1)) ± 1 = 2 (2 v + r) − (2^(b+1) − 1) for a
/// refinement r of 0 or 1, so folding the levels, row ← 2 · row + entry, gives q back.
public struct RefinementLadder: Hashable, Sendable {
    /// b.
    public let baseBits: Int

    /// Widths that a channel may have in all: folded entries stay within ±63.
    public static let widths = 1...6

    public init(baseBits: Int) { self.baseBits = baseBits }

    /// Levels of a channel of B bits: 1 base and its refinements.
    func levels(bits: Int) -> Int { 1 + bits - baseBits }

    func bits(ofLevel level: Int) -> Int { level == 0 ? baseBits : 1 }

    /// The code in a level of an entry of B bits.
    func code(_ entry: Int8, bits: Int, level: Int) -> UInt8 {
        let u = UInt8(clamping: (Int(entry) + (1 << bits) - 1) / 2)
        return level == 0 ? u >> UInt8(bits - baseBits) : u >> UInt8(bits - baseBits - level) & 1
    }

    /// Bytes of a channel of B bits in a file: its codes, each level's on whole bytes, its number of points and its scale.
    public static func byteCount(bits: Int, baseBits: Int, rowLength: Int) -> Int {
        (rowLength * baseBits + 7) / 8 + (bits - baseBits) * ((rowLength + 7) / 8) + 5
    }

    /// Bytes of the codebooks of a layer whose widest channel has B bits.
    public static func codebookByteCount(bits: Int, baseBits: Int) -> Int { (1 << baseBits) + 2 * (bits - baseBits) }

    /// The base with the smallest file for channels of these widths (0 is a channel of zeros).
    public static func smallestBase(widths: [Int], rowLength: Int) -> Int {
        let coded = widths.filter { $0 > 0 }
        guard let least = coded.min(), let most = coded.max() else { return 1 }
        func bytes(_ base: Int) -> Int {
            coded.reduce(codebookByteCount(bits: most, baseBits: base)) {
                $0 + byteCount(bits: $1, baseBits: base, rowLength: rowLength)
            }
        }
        return (1...least).min { (bytes($0), -$0) < (bytes($1), -$1) } ?? least
    }

    /// Rounded vectors, one for every channel in order, as a packed layer. No width is below the base's.
    public func pack(_ rounded: RoundedWeights) throws(QuantizationError) -> PackedWeights {
        if let row = rounded.rows.first(where: { $0.bits < baseBits }) {
            throw QuantizationError("channel \(row.channel): \(row.bits) bits with a base of \(baseBits)")
        }
        let points = rounded.rows.indices.map { rounded.scales[$0] > 0 ? levels(bits: rounded.rows[$0].bits) : 0 }
        var packed: [PackedWeights.Level] = []
        for level in 0..<(points.max() ?? 0) {
            var codes: [UInt8] = []
            for (row, place) in rounded.rows.enumerated() where points[row] > level {
                let entries = rounded.entries[row * rounded.rowLength..<(row + 1) * rounded.rowLength]
                codes += entries.lazy.map { code($0, bits: place.bits, level: level) }
            }
            packed.append(PackedWeights.Level(codebook: try Codebook(.odd, bits: bits(ofLevel: level)).values, codes: codes))
        }
        do {
            return try PackedWeights(
                rowLength: rounded.rowLength, points: points.map { UInt8($0) }, levels: packed,
                ladder: [Int](repeating: 2, count: max(0, packed.count - 1)),
                scales: rounded.scales.map { $0 > 0 ? $0 : 1 })
        } catch {
            throw QuantizationError("\(error)")
        }
    }
}
