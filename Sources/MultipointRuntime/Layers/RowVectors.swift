import MultipointGraph

/// Decodes a packed layer's points to vectors, and vectors to rows.
struct RowVectors: Sendable {
    /// A row: all of a vector, or one half of a vector that is too wide for one row.
    struct Part: Sendable {
        enum Half { case whole, low, rest }

        var channel: Int
        /// Among the rows of its channel.
        var position: Int
        var scale: Float
        /// The points that fold into it: levels from `firstLevel`, none for a row of zeros.
        var firstLevel: Int
        var levelCount: Int
        var half: Half
    }

    let length: Int
    private let reader: PackedWeights.VectorReader
    private let ladder: [Int]
    /// [level][channel]: which of the level's vectors the channel's is.
    private let places: [[Int32]]

    init(_ packed: PackedWeights) {
        length = packed.rowLength
        reader = PackedWeights.VectorReader(packed)
        ladder = packed.ladder ?? []
        // Levels that no channel has need none.
        places = (0..<Int(packed.points.max() ?? 0)).map { level in
            var next: Int32 = 0
            return packed.points.map { points in
                let place = next
                if Int(points) > level { next += 1 }
                return place
            }
        }
    }

    /// Every channel's rows, channel by channel.
    func parts(_ packed: PackedWeights) -> [Part] {
        var parts: [Part] = []
        parts.reserveCapacity(packed.channels)
        var nextScale = 0
        withScratch { vector in
            for (channel, points) in packed.points.enumerated() {
                let points = Int(points)
                var position = 0
                func append(scale: Float, firstLevel: Int, levelCount: Int) {
                    let whole = Part(
                        channel: channel, position: position, scale: scale, firstLevel: firstLevel, levelCount: levelCount, half: .whole)
                    let halves: [Part.Half] = needsSplit(whole, packed, vector) ? [.low, .rest] : [.whole]
                    for half in halves {
                        var part = whole
                        (part.half, part.position) = (half, position)
                        parts.append(part)
                        position += 1
                    }
                }
                if points == 0 {
                    append(scale: 1, firstLevel: 0, levelCount: 0)
                    if packed.ladder != nil { nextScale += 1 }
                } else if packed.ladder != nil {
                    append(scale: packed.scales[nextScale], firstLevel: 0, levelCount: points)
                    nextScale += 1
                } else {
                    for level in 0..<points { append(scale: packed.scales[nextScale + level], firstLevel: level, levelCount: 1) }
                    nextScale += points
                }
            }
        }
        return parts
    }

    /// Looks at the vector only where its codebooks leave the question open.
    private func needsSplit(_ part: Part, _ packed: PackedWeights, _ vector: UnsafeMutablePointer<Int16>) -> Bool {
        var bound = 0
        for level in part.firstLevel..<(part.firstLevel + part.levelCount) {
            let largest = packed.levels[level].codebook.lazy.map { abs(Int($0)) }.max() ?? 0
            bound = bound * (level > part.firstLevel ? ladder[level - 1] : 0) + largest
        }
        guard bound > LayerRows.largestEntry else { return false }
        read(part, vector)
        return (0..<length).contains { abs(Int(vector[$0])) > LayerRows.largestEntry }
    }

    /// Memory for one vector.
    func withScratch<R>(_ body: (UnsafeMutablePointer<Int16>) -> R) -> R {
        let groups = UnsafeMutablePointer<SIMD8<Int16>>.allocate(capacity: reader.paddedLength / 8)
        groups.initialize(repeating: SIMD8(), count: reader.paddedLength / 8)
        defer { groups.deallocate() }
        return groups.withMemoryRebound(to: Int16.self, capacity: reader.paddedLength, body)
    }

    /// Horner's rule over the levels, coarse to fine. `PackedWeights` has checked that ladders stay within 8 bits.
    private func read(_ part: Part, _ vector: UnsafeMutablePointer<Int16>) {
        if part.levelCount == 0 { vector.update(repeating: 0, count: length) }
        for level in part.firstLevel..<(part.firstLevel + part.levelCount) {
            let ratio = level > part.firstLevel ? Int16(clamping: ladder[level - 1]) : 0
            reader.add(level: level, vector: Int(places[level][part.channel]), ratio: ratio, to: vector)
        }
    }

    func decode(_ part: Part, _ vector: UnsafeMutablePointer<Int16>, to row: UnsafeMutablePointer<Int8>) {
        read(part, vector)
        let limit = Int16(LayerRows.largestEntry)
        switch part.half {
        case .whole: for index in 0..<length { row[index] = Int8(truncatingIfNeeded: vector[index]) }
        case .low: for index in 0..<length { row[index] = Int8(truncatingIfNeeded: max(-limit, min(limit, vector[index]))) }
        case .rest:
            for index in 0..<length {
                row[index] = Int8(truncatingIfNeeded: vector[index] - max(-limit, min(limit, vector[index])))
            }
        }
    }
}
