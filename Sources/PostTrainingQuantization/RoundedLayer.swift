import MultipointGraph
import MultipointQuantization

/// A layer whose channels are all rounded at several widths.
struct RoundedLayer: Sendable {
    let channels: Int
    let rowLength: Int
    /// Ascending.
    let widths: [Int]
    /// Per channel E[(w · x)²].
    let powers: [Double]
    private let rounded: RoundedWeights
    /// Rows by channel, then width; nil where a channel has no such row.
    private var rowIndex: [[Int?]]

    /// - Throws: `QuantizationError` naming the layer.
    init(
        _ layer: Layer, _ moment: SecondMoment, widths: [Int], _ algebra: LinearAlgebra, threads: Int
    ) throws(QuantizationError) {
        let rows = (0..<layer.channels).flatMap { channel in widths.map { RoundedWeights.Row(channel: channel, bits: $0) } }
        try self.init(layer, moment, drift: nil, rows, algebra, threads: threads)
    }

    /// One width for every channel, and inputs that drifted away from the original network's.
    init(
        _ layer: Layer, _ moment: SecondMoment, drift: InputDrift, bits: [Int], _ algebra: LinearAlgebra, threads: Int
    ) throws(QuantizationError) {
        let rows = bits.enumerated().map { RoundedWeights.Row(channel: $0.offset, bits: $0.element) }
        try self.init(layer, moment, drift: drift, rows, algebra, threads: threads)
    }

    private init(
        _ layer: Layer, _ moment: SecondMoment, drift: InputDrift?, _ rows: [RoundedWeights.Row], _ algebra: LinearAlgebra,
        threads: Int
    ) throws(QuantizationError) {
        guard case .float(let weights) = layer.weights else { throw QuantizationError("layer `\(layer.name)` is packed already") }
        (channels, rowLength) = (layer.channels, layer.rowLength)
        widths = Set(rows.map(\.bits)).sorted()
        rowIndex = [[Int?]](repeating: [Int?](repeating: nil, count: 7), count: layer.channels)
        for (index, row) in rows.enumerated() { rowIndex[row.channel][row.bits] = index }
        do {
            powers = try outputPowers(
                matrix: weights, channels: layer.channels, rowLength: layer.rowLength, secondMoment: moment,
                matrixMultiply: algebra.multiply)
            rounded = try OutputAwareRounding(
                matrix: weights, channels: layer.channels, rowLength: layer.rowLength, secondMoment: moment, drift: drift,
                algebra: algebra, threads: threads
            ).round(rows)
        } catch {
            throw QuantizationError("layer `\(layer.name)`: \(error)", kind: error.kind)
        }
    }

    private func row(_ channel: Int, _ bits: Int) -> Int { rowIndex[channel][bits] ?? 0 }

    func error(channel: Int, bits: Int) -> Double { rounded.errors[row(channel, bits)] }

    /// Whether a channel has no weights worth a point.
    func isZero(channel: Int) -> Bool {
        rowIndex[channel].lazy.compactMap(\.self).allSatisfy { rounded.scales[$0] == 0 }
    }

    /// ŵ with a width for every channel: [channels, rowLength].
    func weights(_ bits: [Int]) -> [Float] { bits.enumerated().flatMap { rounded.vector(row($0.offset, $0.element)) } }

    /// What to add to the bias with a width for every channel.
    func shifts(_ bits: [Int]) -> [Float] { bits.enumerated().map { rounded.shifts[row($0.offset, $0.element)] } }

    /// A float layer with the rounded weights and its bias corrected for the mean of what that changes.
    func applied(to layer: Layer, _ bits: [Int]) -> Layer {
        var layer = layer
        layer.weights = .float(weights(bits))
        layer.bias = bias(layer, bits)
        return layer
    }

    func bias(_ layer: Layer, _ bits: [Int]) -> [Float] {
        zip(layer.bias ?? [Float](repeating: 0, count: channels), shifts(bits)).map { $0 + $1 }
    }

    func error(_ bits: [Int]) -> Double { bits.enumerated().reduce(0) { $0 + error(channel: $1.offset, bits: $1.element) } }

    /// Widths that count in the file: 0 for channels of zeros.
    private func coded(_ bits: [Int]) -> [Int] { bits.enumerated().map { isZero(channel: $0.offset) ? 0 : $0.element } }

    /// Bytes of the layer in a file, without its bias.
    func byteCount(_ bits: [Int]) -> Int {
        let coded = coded(bits)
        let base = RefinementLadder.smallestBase(widths: coded, rowLength: rowLength)
        let codebooks = coded.max().map { $0 == 0 ? 0 : RefinementLadder.codebookByteCount(bits: $0, baseBits: base) } ?? 0
        return coded.reduce(codebooks) {
            $0 + ($1 == 0 ? 5 : RefinementLadder.byteCount(bits: $1, baseBits: base, rowLength: rowLength))
        }
    }

    func packing(_ bits: [Int]) throws(QuantizationError) -> Packing {
        let base = RefinementLadder.smallestBase(widths: coded(bits), rowLength: rowLength)
        let chosen = rounded.selecting(bits.enumerated().map { row($0.offset, $0.element) })
        let packed = try RefinementLadder(baseBits: base).pack(chosen)
        let codebooks = try packed.levels.map { (level) throws(QuantizationError) in try Codebook(.odd, bits: level.bits) }
        return Packing(weights: packed, codebooks: codebooks, errors: chosen.errors, powers: powers)
    }
}

extension QuantizationOptions.Method {
    /// Widths at which a layer is rounded; nil for a method that does not round so.
    var widths: [Int]? {
        switch self {
        case .greedy, .nearest, .subset: nil
        case .single(let bits): [bits]
        case .ladder: Array(LayerAllocation.widths)
        }
    }
}
