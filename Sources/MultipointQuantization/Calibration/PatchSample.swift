/// An even, deterministic sample of `maximum` out of `total` positions: the i-th is in the i-th of `maximum` equal intervals, at a
/// place that the golden ratio's low-discrepancy sequence gives. (Always the same place would meet the same column of every
/// image row where the interval divides the width.)
struct PatchSample: Sendable {
    let total: Int
    let count: Int
    private(set) var taken = 0
    private var offset = 0

    init(total: Int, maximum: Int) {
        // Beyond 2⁵² positions a Double would not tell them apart.
        self.total = max(0, min(total, 1 << 52))
        count = min(self.total, max(1, maximum))
    }

    private func position(_ i: Int) -> Int {
        if count == total { return i }
        let place = Double(UInt32(truncatingIfNeeded: (UInt64(i) &* 0x9E37_79B9_7F4A_7C15) >> 32)) / 4_294_967_296
        return min(total - 1, Int((Double(i) + place) * (Double(total) / Double(count))))
    }

    /// The sampled ones among the next `positions`, counted from their start.
    mutating func next(_ positions: Int) -> [Int] {
        var result: [Int] = []
        while taken < count {
            let index = position(taken) - offset
            guard index < positions else { break }
            result.append(index)
            taken += 1
        }
        offset += positions
        return result
    }
}
