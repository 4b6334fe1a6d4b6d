/// Rounding to the integers of a ladder, eight vectors side by side.
protocol EntryGrid: Sendable {
    typealias Lane = SIMD8<Float>

    /// The entries nearest to x, which is in units of the vectors' scales.
    func nearest(_ x: Lane) -> Lane
}

/// Evenly spaced integers, step · i + offset for i from −half to half − 1: of the ladders odd and with zero.
struct EvenGrid: EntryGrid {
    private let step: Float
    private let offset: Float
    private let inverse: Float
    private let low: Lane
    private let high: Lane

    /// - Parameter half: 2^(B−1) for vectors of B bits.
    init(_ family: RefinementLadder.Family, half: Lane) {
        (step, offset) = family == .odd ? (2, 1) : (1, 0)
        inverse = 1 / step
        (low, high) = (-half, half - 1)
    }

    /// Adding and subtracting 1.5 · 2²³ rounds to an integer.
    @inline(__always)
    func nearest(_ x: Lane) -> Lane {
        let magic = Lane(repeating: 12_582_912)
        var i = (x - offset) * inverse
        i.replace(with: high, where: i .> high)
        // What is not a number becomes the lowest entry: whatever overflowed, there is an entry.
        i.replace(with: low, where: .!(i .>= low))
        i = (i + magic) - magic
        return i * step + offset
    }
}

/// Any integers from −128 to 127. Midpoints between integers are multiples of 1/2, so the nearest entry is a function of ⌊2 x⌋.
struct TableGrid: EntryGrid {
    /// For every lane the entry by ⌊2 x⌋ + 256.
    private let tables: [[Float]]

    init(_ tables: [[Float]]) { self.tables = tables }

    /// - Parameter values: not empty.
    static func table(_ values: [Int]) -> [Float] {
        let sorted = Set(values).sorted()
        var index = 0
        return (-256..<256).map { half in
            // The middle of the interval, of which no end is nearer to another entry.
            let x = Double(half) / 2 + 0.25
            while index + 1 < sorted.count, abs(Double(sorted[index + 1]) - x) < abs(Double(sorted[index]) - x) { index += 1 }
            return Float(sorted[index])
        }
    }

    @inline(__always)
    func nearest(_ x: Lane) -> Lane {
        var result = Lane.zero
        let index = (x + x + 256).rounded(.down)
        for lane in 0..<8 {
            // NaN compares false, so it is 0.
            let i = index[lane] > 0 ? min(511, Int(min(index[lane], 511))) : 0
            result[lane] = tables[lane][i]
        }
        return result
    }
}
