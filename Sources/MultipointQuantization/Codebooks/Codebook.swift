/// The 2^bits signed integers that a code selects.
public struct Codebook: Hashable, Sendable {
    public enum Family: Hashable, Sendable, CaseIterable {
        /// −(2^b − 1), …, −3, −1, 1, 3, …, 2^b − 1: every code is used; 1 to 6 bits, so that entries stay within ±63.
        case odd
        /// −(2^(b−1) − 1), …, −1, 0, 1, …, 2^(b−1) − 1, and 0 once more in the code that is left; 2 to 8 bits.
        case uniform
        /// ±m for 2^(b−1) magnitudes m out of a universal set, chosen for the weights at hand (`SubsetQuantization`); 2 to 4 bits.
        case subset

        /// Widths that the family has.
        public var bits: ClosedRange<Int> {
            switch self {
            case .odd: 1...6
            case .uniform: 2...8
            case .subset: 2...4
            }
        }

        /// The default at a width: odd where there is one.
        public static func standard(bits: Int) -> Family { Family.odd.bits.contains(bits) ? .odd : .uniform }
    }

    public let family: Family
    public let bits: Int
    /// Indexed by code; ascending but for the uniform family's spare last code.
    public let values: [Int8]
    /// The largest magnitude Q. Every family is symmetric: with q it has −q.
    public let largest: Int

    init(family: Family, bits: Int, values: [Int8]) {
        self.family = family
        self.bits = bits
        self.values = values
        largest = values.lazy.map { Int($0) }.max() ?? 0
    }

    /// - Parameter family: nil means the default of that width.
    /// - Throws: `QuantizationError` for a width that the family does not have, and for subsets, which are not determined by it.
    public init(_ family: Family? = nil, bits: Int) throws(QuantizationError) {
        let family = try Codebook.validated(family, bits: bits)
        let values: [Int8]
        switch family {
        case .odd:
            let largest = (1 << bits) - 1
            values = stride(from: -largest, through: largest, by: 2).map { Int8($0) }
        case .uniform:
            let largest = (1 << (bits - 1)) - 1
            values = (-largest...largest).map { Int8($0) } + [0]
        case .subset:
            throw QuantizationError("codebook subset: the values of \(bits) bits are chosen for weights, of which there are none here")
        }
        self.init(family: family, bits: bits, values: values)
    }

    /// The family, or the default of the width.
    /// - Throws: `QuantizationError` for a width that the family does not have.
    static func validated(_ family: Family?, bits: Int) throws(QuantizationError) -> Family {
        guard (1...8).contains(bits) else { throw QuantizationError("bits: 1 to 8 expected, found \(bits)") }
        let family = family ?? .standard(bits: bits)
        guard family.bits.contains(bits) else {
            throw QuantizationError(
                "bits: \(family.bits.lowerBound) to \(family.bits.upperBound) expected for codebook \(family), found \(bits)")
        }
        return family
    }
}
