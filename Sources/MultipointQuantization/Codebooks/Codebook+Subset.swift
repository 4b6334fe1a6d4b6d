extension Codebook {
    /// A subset with both signs, divided by its greatest common divisor. 0, where the subset has it, takes two codes.
    /// - Parameter magnitudes: 2, 4 or 8 different ones of the universal set, in units of 1/32.
    /// - Throws: `QuantizationError` for anything else.
    public init(subset magnitudes: [Int]) throws(QuantizationError) {
        if let strange = magnitudes.first(where: { !UniversalSet.magnitudes.contains($0) }) {
            throw QuantizationError("subset: magnitudes of \(UniversalSet.magnitudes) expected, found \(strange)")
        }
        let ascending = Set(magnitudes).sorted()
        let bits = ascending.count.trailingZeroBitCount + 1
        guard ascending.count == magnitudes.count, ascending.count.nonzeroBitCount == 1, Family.subset.bits.contains(bits) else {
            throw QuantizationError("subset: 2, 4 or 8 different magnitudes expected, found \(magnitudes)")
        }
        let divisor = ascending.reduce(0, greatestCommonDivisor)
        let divided = ascending.map { Int8($0 / divisor) }
        self.init(family: .subset, bits: bits, values: divided.reversed().map { -$0 } + divided)
    }

    /// The entries that are not negative, ascending: those that a magnitude is rounded to.
    var magnitudes: [Int] { Set(values.lazy.map { Int($0) }.filter { $0 >= 0 }).sorted() }
}

private func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int { b == 0 ? a : greatestCommonDivisor(b, a % b) }
