import MultipointGraph
import MultipointQuantization

/// What a layer's output error would be at several widths.
public struct ErrorCurves: Equatable, Sendable {
    /// All channels at a width, and the sum of their output errors over the sum of their output powers.
    public struct Entry: Equatable, Sendable {
        public var bits: Int
        public var relativeError: Double
    }

    /// By nearest rounding with the best scale for every channel, 2 to 8 bits.
    public var nearest: [Entry] = []
    /// By output-aware rounding, at the widths that the layer's points have.
    public var rounded: [Entry] = []

    /// - Throws: `QuantizationError` if the matrix product fails.
    init(
        _ layer: Layer, _ moment: SecondMoment, rounded: RoundedLayer?, _ multiply: @escaping MatrixMultiply, threads: Int
    ) throws(QuantizationError) {
        guard case .float(let weights) = layer.weights else { return }
        for bits in Codebook.Family.uniform.bits {
            let packing = try NearestRounding(bits: bits, scale: .meanSquaredError).pack(
                matrix: weights, channels: layer.channels, rowLength: layer.rowLength, secondMoment: moment,
                matrixMultiply: multiply, threads: threads)
            let power = packing.powers.reduce(0, +)
            guard power > 0 else { return }
            nearest.append(Entry(bits: bits, relativeError: packing.errors.reduce(0, +) / power))
        }
        guard let rounded else { return }
        let power = rounded.powers.reduce(0, +)
        self.rounded = rounded.widths.filter { $0 >= 2 || rounded.widths.count == 1 }.map { bits in
            Entry(bits: bits, relativeError: rounded.error([Int](repeating: bits, count: layer.channels)) / power)
        }
    }
}
