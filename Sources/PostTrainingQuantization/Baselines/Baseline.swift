import MultipointGraph
import MultipointQuantization

/// How a layer is packed by a method that ignores calibration inputs.
enum Baseline {
    case nearest(NearestRounding)
    case subset(bits: Int)

    /// The moment (nil is the identity) and the product measure the output error.
    func pack(
        _ layer: Layer, _ moment: SecondMoment?, _ multiply: @escaping MatrixMultiply, threads: Int
    ) throws(QuantizationError) -> Packing {
        guard case .float(let weights) = layer.weights else { throw QuantizationError("it is packed already") }
        switch self {
        case .nearest(let rounding):
            return try rounding.pack(
                matrix: weights, channels: layer.channels, rowLength: layer.rowLength, secondMoment: moment,
                matrixMultiply: multiply, threads: threads)
        case .subset(let bits):
            return try packSubset(
                matrix: weights, channels: layer.channels, rowLength: layer.rowLength, bits: bits, secondMoment: moment,
                matrixMultiply: multiply, threads: threads)
        }
    }
}

extension QuantizationOptions.Method {
    /// 8-bit weights with a scale per channel, as 8-bit inference has them everywhere.
    public static var w8a8: Self { .nearest(bits: 8, scale: .maximum) }

    /// Nil for methods that are none.
    /// - Throws: `QuantizationError` for widths that the method does not have.
    func baseline(_ position: QuantizationOptions.Position) throws(QuantizationError) -> Baseline? {
        switch self {
        case .greedy, .ladder, .single: return nil
        case .nearest(let bits, let scale, let ends):
            return .nearest(try NearestRounding(bits: ends?.width(position) ?? bits, scale: scale))
        case .subset(let bits, let ends):
            if let width = ends?.width(position) { return .nearest(try NearestRounding(bits: width, scale: .meanSquaredError)) }
            _ = try SubsetQuantization(bits: bits)
            return .subset(bits: bits)
        }
    }
}

extension QuantizationOptions {
    /// Widths of uniform points in the layers at a network's ends: those that read an input without another layer between, and those
    /// whose result reaches an output so.
    public struct EndWidths: Hashable, Sendable {
        public var first: Int
        public var last: Int

        public init(first: Int, last: Int) { (self.first, self.last) = (first, last) }

        /// Nil for a layer between. A layer at both ends has the larger.
        func width(_ position: Position) -> Int? {
            switch position {
            case .inner: nil
            case .first: first
            case .last: last
            case .only: max(first, last)
            }
        }
    }
}
