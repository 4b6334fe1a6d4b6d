import DNNL
import MultipointGraph

/// A packed layer as oneDNN multiplies it: int8 rows with one scale each.
///
/// The points of a ladder are folded into one row; an 8-bit vector (an entry beyond ±64) is split into two rows of the same scale,
/// on every CPU alike, because u8·s8 sums saturate in 16 bits on CPUs without VNNI. A channel without points is a zero row of scale 1.
///
/// Which rows there are is known at once; their values are decoded whenever they are asked for, and not kept.
public struct LayerRows: Sendable {
    /// Entries beyond this saturate: 2 · 64 · 255 < 2¹⁵ ≤ 2 · 65 · 255.
    public static let largestEntry: Int = 64

    /// Weights in a row.
    public let rowLength: Int
    /// Output channels.
    public let channelCount: Int
    /// Row `c` below `channelCount` belongs to channel `c`; extra rows follow, a channel's second rows in channel order, then the
    /// third ones, and so on.
    public let scales: [Float]
    public let channels: [Int32]
    /// Rows that stand for several points.
    public let foldedCount: Int
    /// Rows of the channel that has most.
    public let depth: Int
    private let vectors: RowVectors
    /// Of every row, in order: the vector that it is or is half of.
    private let parts: [RowVectors.Part]

    public var count: Int { scales.count }
    public var extraCount: Int { count - channelCount }

    public init(_ packed: PackedWeights) {
        rowLength = packed.rowLength
        channelCount = packed.channels
        vectors = RowVectors(packed)
        let parts = vectors.parts(packed)
        depth = parts.lazy.map(\.position).max().map { $0 + 1 } ?? 1
        self.parts = depth == 1 ? parts : (0..<depth).flatMap { position in parts.filter { $0.position == position } }
        scales = self.parts.map(\.scale)
        channels = self.parts.map { Int32($0.channel) }
        foldedCount = packed.ladder == nil ? 0 : packed.points.count { $0 > 1 }
    }

    /// [rows, row length].
    public var values: [Int8] { values(threads: 1) }

    /// - Parameter threads: of OpenMP, as in a run with so many: the same holds about fork.
    public func values(threads: Int) -> [Int8] {
        [Int8](unsafeUninitializedCapacity: count * rowLength) { values, initialized in
            guard let base = values.baseAddress else { return }
            initialized = count * rowLength
            decode(to: base, threads: threads)
        }
    }

    /// Writes `values` to uninitialized memory.
    public func decode(to values: UnsafeMutablePointer<Int8>, threads: Int) {
        // Small layers are not worth waking the other threads.
        let threads = count * rowLength >= 1 << 16 ? threads : 1
        let decoding = Decoding(vectors: vectors, parts: parts, values: values)
        Threads.with(threads) { decoding.runAll(threads: threads) }
    }
}

extension LayerRows {
    /// Σ q of each row. Decodes.
    var sums: [Int32] { reduceRows { $0 &+ Int32($1) } }

    /// The largest Σ |q| of all rows. Decodes.
    var largestMagnitude: Int { Int(reduceRows { $0 &+ abs(Int32($1)) }.max() ?? 0) }

    private func reduceRows(_ add: (Int32, Int8) -> Int32) -> [Int32] {
        let values = values(threads: Threads.current)
        return (0..<count).map { row in values[(row * rowLength)..<((row + 1) * rowLength)].reduce(0, add) }
    }
}

/// One decoding of all rows, shared by its threads.
private final class Decoding: SharedWork {
    let vectors: RowVectors
    let parts: [RowVectors.Part]
    let values: UnsafeMutablePointer<Int8>

    init(vectors: RowVectors, parts: [RowVectors.Part], values: UnsafeMutablePointer<Int8>) {
        (self.vectors, self.parts, self.values) = (vectors, parts, values)
        super.init(pieces: parts.count)
    }

    override func run(_ share: Range<Int>) {
        vectors.withScratch { vector in
            for row in share { vectors.decode(parts[row], vector, to: values + row * vectors.length) }
        }
    }
}
