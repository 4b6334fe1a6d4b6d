import MultipointGraph

/// Vectors of a layer as scaled integers of a refinement ladder: ŵ = a q.
public struct RoundedWeights: RoundedRows {
    public typealias Row = RoundedRow

    public let ladder: RefinementLadder
    public let rowLength: Int
    public let rows: [Row]
    /// [rows, rowLength].
    public internal(set) var entries: [Int8]
    /// One per row; 0 for a vector of zeros, or one too small for its scale to be a float: ŵ = 0.
    public internal(set) var scales: [Float]
    public internal(set) var errors: [Double]
    public internal(set) var shifts: [Float]

    init(ladder: RefinementLadder = .odd, rowLength: Int, rows: [Row]) {
        (self.ladder, self.rowLength, self.rows) = (ladder, rowLength, rows)
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

    public func isEmpty(_ row: Int) -> Bool { scales[row] == 0 }

    public func vector(_ row: Int) -> [Float] {
        entries[row * rowLength..<(row + 1) * rowLength].map { scales[row] * Float($0) }
    }

    private func bits(_ row: Int) -> Int { isEmpty(row) ? 0 : rows[row].bits }

    public func byteCount(ofRow row: Int) -> Int {
        RefinementLadder.byteCount(bits: bits(row), widths: [bits(row)], rowLength: rowLength)
    }

    public func byteCount(ofLayer rows: [Int]) -> Int {
        let bits = rows.map(bits)
        let widths = Set(bits).subtracting([0]).sorted()
        return bits.reduce(RefinementLadder.codebookByteCount(widths: widths)) {
            $0 + RefinementLadder.byteCount(bits: $1, widths: widths, rowLength: rowLength)
        }
    }

    public func packed(_ rows: [Int]) throws(QuantizationError) -> PackedWeights { try ladder.pack(selecting(rows)) }

    /// Some of the rows, in the order given.
    func selecting(_ chosen: [Int]) -> RoundedWeights {
        var result = RoundedWeights(ladder: ladder, rowLength: rowLength, rows: chosen.map { rows[$0] })
        for (row, index) in chosen.enumerated() { result.take(row, from: self, index) }
        return result
    }
}
