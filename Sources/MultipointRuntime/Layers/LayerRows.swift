import MultipointGraph

/// A packed layer as oneDNN multiplies it: int8 rows with one scale each.
///
/// The points of a ladder are folded into one row; an 8-bit vector (an entry beyond ±64) is split into two rows of the same scale,
/// on every CPU alike, because u8·s8 sums saturate in 16 bits on CPUs without VNNI. A channel without points is a zero row of scale 1.
public struct LayerRows: Sendable {
    /// Entries beyond this saturate: 2 · 64 · 255 < 2¹⁵ ≤ 2 · 65 · 255.
    public static let largestEntry: Int = 64

    /// Weights in a row.
    public let rowLength: Int
    /// Output channels.
    public let channelCount: Int
    /// [rows, row length]. Row `c` below `channelCount` belongs to channel `c`; extra rows follow, a channel's second rows in channel
    /// order, then the third ones, and so on.
    public let values: [Int8]
    public let scales: [Float]
    public let channels: [Int32]
    /// Rows that stand for several points.
    public let foldedCount: Int

    public var count: Int { scales.count }
    public var extraCount: Int { count - channelCount }
    /// Rows of the channel that has most.
    public let depth: Int
    /// Σ q of each row.
    let sums: [Int32]
    /// The largest Σ |q| of all rows.
    let largestMagnitude: Int

    public init(_ packed: PackedWeights) {
        var collector = RowCollector(packed)
        for channel in 0..<packed.channels { collector.add(channel: channel) }
        rowLength = packed.rowLength
        channelCount = packed.channels
        (values, scales, channels) = collector.arranged()
        foldedCount = collector.foldedCount
        depth = collector.rowsOfChannel.max() ?? 1
        let (values, length) = (values, rowLength)
        largestMagnitude = scales.indices.reduce(0) { largest, row in
            max(largest, values[(row * length)..<((row + 1) * length)].reduce(0) { $0 + abs(Int($1)) })
        }
        sums = scales.indices.map { row in values[(row * length)..<((row + 1) * length)].reduce(0) { $0 &+ Int32($1) } }
    }
}

/// Gathers each channel's rows in channel order, then arranges them by position within the channel.
private struct RowCollector {
    let packed: PackedWeights
    let length: Int
    /// Vectors of each level used up by the channels so far.
    var consumed: [Int]
    var scaleIndex = 0
    var values: [Int8] = []
    var scales: [Float] = []
    var rowsOfChannel: [Int] = []
    var foldedCount = 0
    private var vector: [Int16]

    init(_ packed: PackedWeights) {
        self.packed = packed
        length = packed.rowLength
        consumed = [Int](repeating: 0, count: packed.levels.count)
        vector = [Int16](repeating: 0, count: packed.rowLength)
        values.reserveCapacity(packed.channels * packed.rowLength)
    }

    mutating func add(channel: Int) {
        let points = Int(packed.points[channel])
        let before = scales.count
        if points == 0 {
            clearVector()
            appendVector(scale: 1)
            if packed.ladder != nil { scaleIndex += 1 }
        } else if let ladder = packed.ladder {
            clearVector()
            for level in 0..<points { accumulate(level: level, ratio: level == 0 ? 1 : Int16(clamping: ladder[level - 1])) }
            if points > 1 { foldedCount += 1 }
            appendVector(scale: packed.scales[scaleIndex])
            scaleIndex += 1
        } else {
            for level in 0..<points {
                clearVector()
                accumulate(level: level, ratio: 1)
                appendVector(scale: packed.scales[scaleIndex])
                scaleIndex += 1
            }
        }
        rowsOfChannel.append(scales.count - before)
    }

    private mutating func clearVector() {
        for index in 0..<length { vector[index] = 0 }
    }

    /// vector ← vector · ratio + q. `PackedWeights` has checked that ladders stay within 8 bits.
    private mutating func accumulate(level: Int, ratio: Int16) {
        let start = consumed[level] * length
        consumed[level] += 1
        packed.levels[level].codebook.withUnsafeBufferPointer { codebook in
            packed.levels[level].codes.withUnsafeBufferPointer { codes in
                vector.withUnsafeMutableBufferPointer { vector in
                    for index in 0..<length {
                        vector[index] = vector[index] &* ratio &+ Int16(codebook[Int(codes[start + index])])
                    }
                }
            }
        }
    }

    /// Appends the vector as one row, or as two that add up to it.
    private mutating func appendVector(scale: Float) {
        let limit = Int16(LayerRows.largestEntry)
        var needsSplit = false
        for index in 0..<length {
            let entry = vector[index]
            let first = max(-limit, min(limit, entry))
            needsSplit = needsSplit || first != entry
            values.append(Int8(truncatingIfNeeded: first))
        }
        scales.append(scale)
        guard needsSplit else { return }
        for index in 0..<length {
            let entry = vector[index]
            values.append(Int8(truncatingIfNeeded: entry - max(-limit, min(limit, entry))))
        }
        scales.append(scale)
    }

    func arranged() -> ([Int8], [Float], [Int32]) {
        let depth = rowsOfChannel.max() ?? 1
        guard depth > 1 else { return (values, scales, rowsOfChannel.indices.map { Int32($0) }) }
        var starts: [Int] = []
        var next = 0
        for rows in rowsOfChannel {
            starts.append(next)
            next += rows
        }
        var order: [(row: Int, channel: Int)] = []
        for position in 0..<depth {
            for (channel, rows) in rowsOfChannel.enumerated() where position < rows {
                order.append((starts[channel] + position, channel))
            }
        }
        var arrangedValues: [Int8] = []
        arrangedValues.reserveCapacity(values.count)
        for (row, _) in order { arrangedValues += values[(row * length)..<((row + 1) * length)] }
        return (arrangedValues, order.map { scales[$0.row] }, order.map { Int32($0.channel) })
    }
}
