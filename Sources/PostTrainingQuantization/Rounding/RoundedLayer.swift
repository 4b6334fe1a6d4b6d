import MultipointGraph
import MultipointQuantization

/// A layer whose channels are all rounded at several widths.
struct RoundedLayer: Sendable {
    /// What a channel's points may be.
    enum Points: Hashable, Sendable {
        case ladder(RefinementLadder)
        case free

        /// Widths that a channel may have.
        var widths: ClosedRange<Int> {
            switch self {
            case .ladder(let ladder): ladder.widths
            case .free: FreePoints.widths
            }
        }
    }

    /// Widths that a channel may get, of which a layer has those that its points have. A channel of 0 bits is one of zeros.
    static let widths = 0...7

    let points: Points
    let channels: Int
    let rowLength: Int
    /// Ascending.
    let widths: [Int]
    /// Per channel E[(w · x)²].
    let powers: [Double]
    private let rounded: any RoundedRows
    /// Rows by channel, then width; nil where a channel has no such row.
    private var rowIndex: [[Int?]]

    /// Every channel at every width.
    /// - Throws: `QuantizationError` naming the layer.
    init(
        _ layer: Layer, _ moment: SecondMoment, _ points: Points, widths: [Int], _ algebra: LinearAlgebra, threads: Int
    ) throws(QuantizationError) {
        let rows = (0..<layer.channels).flatMap { channel in widths.map { RoundedRow(channel: channel, bits: $0) } }
        try self.init(layer, moment, drift: nil, points, rows, algebra, threads: threads)
    }

    /// One width for every channel, and inputs that drifted away from the original network's.
    init(
        _ layer: Layer, _ moment: SecondMoment, drift: InputDrift?, _ points: Points, bits: [Int], _ algebra: LinearAlgebra,
        threads: Int
    ) throws(QuantizationError) {
        let rows = bits.enumerated().map { RoundedRow(channel: $0.offset, bits: $0.element) }
        try self.init(layer, moment, drift: drift, points, rows, algebra, threads: threads)
    }

    private init(
        _ layer: Layer, _ moment: SecondMoment, drift: InputDrift?, _ points: Points, _ rows: [RoundedRow],
        _ algebra: LinearAlgebra, threads: Int
    ) throws(QuantizationError) {
        guard case .float(let weights) = layer.weights else { throw QuantizationError("layer `\(layer.name)` is packed already") }
        (self.points, channels, rowLength) = (points, layer.channels, layer.rowLength)
        widths = Set(rows.map(\.bits)).sorted()
        rowIndex = [[Int?]](repeating: [Int?](repeating: nil, count: 8), count: layer.channels)
        for (index, row) in rows.enumerated() { rowIndex[row.channel][row.bits] = index }
        do {
            powers = try outputPowers(
                matrix: weights, channels: layer.channels, rowLength: layer.rowLength, secondMoment: moment,
                matrixMultiply: algebra.multiply)
            let rounding = try OutputAwareRounding(
                matrix: weights, channels: layer.channels, rowLength: layer.rowLength, secondMoment: moment, drift: drift,
                algebra: algebra, threads: threads)
            rounded =
                switch points {
                case .ladder(let ladder): try rounding.round(rows, ladder: ladder)
                case .free: try rounding.freePoints(rows)
                }
        } catch {
            throw QuantizationError("layer `\(layer.name)`: \(error)", kind: error.kind)
        }
    }

    private func row(_ channel: Int, _ bits: Int) -> Int { rowIndex[channel][bits] ?? 0 }

    private func chosen(_ bits: [Int]) -> [Int] { bits.enumerated().map { row($0.offset, $0.element) } }

    func error(channel: Int, bits: Int) -> Double { rounded.errors[row(channel, bits)] }

    func error(_ bits: [Int]) -> Double { bits.enumerated().reduce(0) { $0 + error(channel: $1.offset, bits: $1.element) } }

    /// Ways to store a channel, with the damage of a unit of output error.
    func choices(channel: Int, sensitivity: Double) -> [BitAllocation.Choice] {
        widths.map { bits in
            BitAllocation.Choice(
                bits: bits, bytes: rounded.byteCount(ofRow: row(channel, bits)),
                damage: error(channel: channel, bits: bits) * sensitivity)
        }
    }

    /// A float layer with the rounded weights and its bias corrected for the mean of what that changes.
    func applied(to layer: Layer, _ bits: [Int]) -> Layer {
        var layer = layer
        layer.weights = .float(chosen(bits).flatMap(rounded.vector))
        layer.bias = bias(layer, bits)
        return layer
    }

    func bias(_ layer: Layer, _ bits: [Int]) -> [Float] {
        zip(layer.bias ?? [Float](repeating: 0, count: channels), chosen(bits)).map { $0 + rounded.shifts[$1] }
    }

    /// Bytes of the layer in a file, without its bias.
    func byteCount(_ bits: [Int]) -> Int { rounded.byteCount(ofLayer: chosen(bits)) }

    func packing(_ bits: [Int]) throws(QuantizationError) -> Packing {
        let chosen = chosen(bits)
        return Packing(
            weights: try rounded.packed(chosen), codebooks: [], errors: chosen.map { rounded.errors[$0] }, powers: powers)
    }
}
