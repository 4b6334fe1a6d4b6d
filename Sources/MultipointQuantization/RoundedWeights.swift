/// Vectors of a layer as scaled odd integers: ŵ = a q, q within ±(2^B − 1).
public struct RoundedWeights: Sendable {
    /// A weight vector and the width B that it is rounded to, 1 to 6.
    public struct Row: Hashable, Sendable {
        public var channel: Int
        public var bits: Int

        public init(channel: Int, bits: Int) {
            self.channel = channel
            self.bits = bits
        }
    }

    public let rowLength: Int
    public let rows: [Row]
    /// [rows, rowLength].
    public internal(set) var entries: [Int8]
    /// One per row; 0 for a vector of zeros, or one too small for its scale to be a float: ŵ = 0.
    public internal(set) var scales: [Float]
    /// Per row: E[((w − ŵ) · x)²].
    public internal(set) var errors: [Double]
    /// Per row: the error's mean E[(w − ŵ) · x], for the layer's bias to take up; 0 where E[x] is not known.
    public internal(set) var shifts: [Float]

    init(rowLength: Int, rows: [Row]) {
        (self.rowLength, self.rows) = (rowLength, rows)
        entries = [Int8](repeating: 0, count: rows.count * rowLength)
        scales = [Float](repeating: 0, count: rows.count)
        errors = [Double](repeating: 0, count: rows.count)
        shifts = [Float](repeating: 0, count: rows.count)
    }

    mutating func take(_ row: Int, from other: RoundedWeights, _ otherRow: Int) {
        (scales[row], errors[row], shifts[row]) = (other.scales[otherRow], other.errors[otherRow], other.shifts[otherRow])
        let (to, from) = (row * rowLength, otherRow * rowLength)
        for k in 0..<rowLength { entries[to + k] = other.entries[from + k] }
    }

    /// ŵ of a row.
    public func vector(_ row: Int) -> [Float] {
        entries[row * rowLength..<(row + 1) * rowLength].map { scales[row] * Float($0) }
    }

    /// Some of the rows, in the order given.
    public func selecting(_ chosen: [Int]) -> RoundedWeights {
        var result = RoundedWeights(rowLength: rowLength, rows: chosen.map { rows[$0] })
        for (row, index) in chosen.enumerated() { result.take(row, from: self, index) }
        return result
    }
}
