import MultipointFormat
import MultipointGraph

/// What is left of a packed layer if every channel keeps at most its first points.
struct Truncation: Equatable {
    /// The most points that a channel keeps.
    var points: Int
    var bitsPerWeight: Double
    /// ‖ŵ − w‖² / ‖w‖², w being the original weights, or all points together where those are not known.
    var relativeError: Double

    /// - Parameter original: [channels, rowLength].
    static func all(_ packed: PackedWeights, original: [Float]?) -> [Truncation] {
        let reference = original ?? packed.reconstruction()
        let power = reference.reduce(0.0) { $0 + Double($1) * Double($1) }
        guard power > 0, !packed.levels.isEmpty else { return [] }
        return (1...packed.levels.count).map { count in
            let error = zip(packed.reconstruction(points: count), reference).reduce(0.0) { sum, pair in
                sum + (Double(pair.0) - Double(pair.1)) * (Double(pair.0) - Double(pair.1))
            }
            return Truncation(
                points: count, bitsPerWeight: packed.bitsPerWeight(points: count), relativeError: error / power)
        }
    }
}

extension PackedWeights {
    /// Of a file in which every channel has at most so many points; numbers of points, scales and codebooks counted.
    func bitsPerWeight(points count: Int) -> Double {
        var bytes = points.count
        for index in 0..<min(count, levels.count) { bytes += codesByteCount(level: index) + levels[index].codebook.count }
        bytes += 4 * (ladder == nil ? points.reduce(0) { $0 + min(Int($1), count) } : points.count)
        return Double(bytes) * 8 / Double(channels * rowLength)
    }

    /// Of the codes alone.
    var codeBitsPerWeight: Double {
        let bits = levels.indices.reduce(0) { sum, level in
            sum + levels[level].bits * points.count(where: { Int($0) > level })
        }
        return Double(bits) / Double(channels)
    }
}
