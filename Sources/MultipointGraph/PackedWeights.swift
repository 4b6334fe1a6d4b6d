/// Weights of one layer as sums of scaled low-bit vectors.
///
/// Channel `c` with `n = points[c]` points has the weight vector `w ≈ Σ_{l<n} a_l q_l`, where `q_l` is the channel's vector in
/// level `l`, its entries codebook values of that level.
public struct PackedWeights: Equatable, Sendable {
    /// The `l`-th points of every channel that has more than `l`.
    public struct Level: Equatable, Sendable {
        /// The `2^bits` integers that a code selects.
        public var codebook: [Int8]
        var storage: Codes

        enum Codes: Sendable {
            /// One per byte.
            case unpacked([UInt8])
            /// As in a file, which takes less memory and less time to read.
            case packed([UInt8], BitPacking, vectors: Int)
        }

        public init(codebook: [Int8], codes: [UInt8]) {
            self.codebook = codebook
            storage = .unpacked(codes)
        }

        /// - Parameters:
        ///   - codebook: 2^bits values, bits 1 to 8.
        ///   - packedCodes: [vectors, bytes of a vector], as `BitPacking` lays them out.
        public init(codebook: [Int8], packedCodes: [UInt8], vectors: Int, vectorLength: Int) {
            self.codebook = codebook
            storage = .packed(
                packedCodes, BitPacking(bits: codebook.count.trailingZeroBitCount, vectorLength: vectorLength), vectors: vectors)
        }

        /// One code per weight, unpacked: [channels with more than `l` points, row length], in channel order.
        public var codes: [UInt8] {
            get {
                switch storage {
                case .unpacked(let codes): codes
                case .packed(let bytes, let packing, let vectors): bytes.withUnsafeBytes { packing.unpack($0, vectors: vectors) }
                }
            }
            // In place, without a copy of those that are there.
            _modify {
                var codes = codes
                storage = .unpacked([])
                defer { storage = .unpacked(codes) }
                yield &codes
            }
        }

        public static func == (a: Level, b: Level) -> Bool { a.codebook == b.codebook && a.codes == b.codes }

        /// Width of a code: log2 of the codebook's length.
        public var bits: Int { codebook.count.trailingZeroBitCount }
    }

    /// Weights in one channel's vector.
    public var rowLength: Int
    /// Points of each channel; 0 is allowed and means a channel of zeros.
    public var points: [UInt8]
    public var levels: [Level]
    /// The ratio of each level's scale to the next finer one's, `levels.count - 1` of them; nil where scales are free.
    public var ladder: [Int]?
    /// With a ladder: per channel, the scale of its finest point. Without: per point, channel by channel, levels in order.
    public var scales: [Float]

    public var channels: Int { points.count }

    /// Checks everything that the runtime relies on.
    /// - Throws: `PackedWeightsError` naming the first thing that does not agree.
    public init(rowLength: Int, points: [UInt8], levels: [Level], ladder: [Int]? = nil, scales: [Float]) throws(PackedWeightsError) {
        self.rowLength = rowLength
        self.points = points
        self.levels = levels
        self.ladder = ladder
        self.scales = scales
        try validate()
    }

    /// The longest row whose products with 8-bit inputs cannot overflow 32-bit sums: 64 · 255 · K < 2³¹.
    public static let maximumRowLength = 131_586

    private func validate() throws(PackedWeightsError) {
        guard rowLength >= 1, !points.isEmpty else {
            throw PackedWeightsError("\(points.count) channels of \(rowLength) weights: at least one of each is expected")
        }
        guard levels.count <= 255, points.allSatisfy({ Int($0) <= levels.count }) else {
            throw PackedWeightsError(
                "a channel has \(points.max() ?? 0) points, but there are \(levels.count) levels (at most 255)")
        }
        for (index, level) in levels.enumerated() { try validate(level, index: index) }
        try validateLadder()
        try validateScales()
    }

    private func validate(_ level: Level, index: Int) throws(PackedWeightsError) {
        let size = level.codebook.count
        guard (2...256).contains(size), size & (size - 1) == 0 else {
            throw PackedWeightsError("level \(index): a codebook of \(size) values; 2, 4, 8, ... 256 expected")
        }
        let (expected, overflow) = points.count(where: { Int($0) > index }).multipliedReportingOverflow(by: rowLength)
        guard !overflow else { throw PackedWeightsError("level \(index): more codes than memory holds") }
        let (found, largest) = level.codeCountAndLargest
        guard found == expected else { throw PackedWeightsError("level \(index): \(expected) codes expected, found \(found)") }
        if largest >= size { throw PackedWeightsError("level \(index): code \(largest) in a codebook of \(size) values") }
    }

    /// Rows of a ladder are sums of up to `levels.count` codebook values times products of ratios; they have to fit 8 bits.
    private func validateLadder() throws(PackedWeightsError) {
        guard let ladder else { return }
        guard ladder.count == max(0, levels.count - 1), ladder.allSatisfy({ (1...255).contains($0) }) else {
            throw PackedWeightsError(
                "ladder \(ladder): \(max(0, levels.count - 1)) ratios from 1 to 255 expected for \(levels.count) levels")
        }
        var largest = 0
        for (index, level) in levels.enumerated() {
            let magnitude = level.codebook.lazy.map { abs(Int($0)) }.max() ?? 0
            largest = index == 0 ? magnitude : largest * ladder[index - 1] + magnitude
            guard largest <= 128 else {
                throw PackedWeightsError(
                    "ladder \(ladder): folded rows reach \(largest) at level \(index); they must fit 8 bits (128)")
            }
        }
    }

    private func validateScales() throws(PackedWeightsError) {
        let expected = ladder == nil ? points.reduce(0) { $0 + Int($1) } : points.count
        guard scales.count == expected else {
            throw PackedWeightsError("\(expected) scales expected, found \(scales.count)")
        }
        if let index = scales.firstIndex(where: { !($0.isFinite && $0 > 0) }) {
            throw PackedWeightsError("scale \(index) is \(scales[index]); a finite positive number is expected")
        }
    }
}

extension PackedWeights.Level {
    /// How many codes there are, and the largest of them or a bound that the codebook does not fall below.
    fileprivate var codeCountAndLargest: (Int, Int) {
        switch storage {
        case .unpacked(let codes): (codes.count, Int(codes.max() ?? 0))
        case .packed(let bytes, let packing, let vectors):
            // Whatever its bits are, a code of this width selects something.
            bytes.count == vectors * packing.vectorByteCount ? (vectors * packing.vectorLength, 0) : (0, 0)
        }
    }
}

/// What is wrong with packed weights.
public struct PackedWeightsError: Error, Equatable, CustomStringConvertible, Sendable {
    public var description: String
    public init(_ description: String) { self.description = description }
}
