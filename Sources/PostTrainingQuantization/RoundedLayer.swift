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
    /// Rows by channel, then width.
    private let rounded: RoundedWeights

    /// - Throws: `QuantizationError` naming the layer.
    init(
        _ layer: Layer, _ moment: SecondMoment, widths: [Int], _ algebra: LinearAlgebra, threads: Int
    ) throws(QuantizationError) {
        guard case .float(let weights) = layer.weights else { throw QuantizationError("layer `\(layer.name)` is packed already") }
        (channels, rowLength, self.widths) = (layer.channels, layer.rowLength, widths)
        do {
            powers = try outputPowers(
                matrix: weights, channels: layer.channels, rowLength: layer.rowLength, secondMoment: moment,
                matrixMultiply: algebra.multiply)
            rounded = try OutputAwareRounding(
                matrix: weights, channels: layer.channels, rowLength: layer.rowLength, secondMoment: moment, algebra: algebra,
                threads: threads
            ).round(widths: widths)
        } catch {
            throw QuantizationError("layer `\(layer.name)`: \(error)", kind: error.kind)
        }
    }

    private func row(_ channel: Int, _ bits: Int) -> Int { channel * widths.count + (widths.firstIndex(of: bits) ?? 0) }

    func error(channel: Int, bits: Int) -> Double { rounded.errors[row(channel, bits)] }

    /// Whether a channel has no weights worth a point.
    func isZero(channel: Int) -> Bool { rounded.scales[row(channel, widths.last ?? 1)] == 0 }

    /// ŵ with a width for every channel: [channels, rowLength].
    func weights(_ bits: [Int]) -> [Float] { bits.enumerated().flatMap { rounded.vector(row($0.offset, $0.element)) } }

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
        return Packing(weights: try RefinementLadder(baseBits: base).pack(chosen), errors: chosen.errors, powers: powers)
    }
}

extension QuantizationOptions.Method {
    /// Widths at which a layer is rounded; nil for a method that does not round so.
    var widths: [Int]? {
        switch self {
        case .greedy: nil
        case .single(let bits): [bits]
        case .ladder: Array(LayerAllocation.widths)
        }
    }
}
