import MultipointGraph

/// The smallest and largest value of an activation over a calibration.
public struct ActivationRange: Equatable, Sendable {
    /// Nothing seen: infinity and −infinity.
    public private(set) var minimum = Float.infinity
    public private(set) var maximum = -Float.infinity

    public init() {}

    public init(minimum: Float, maximum: Float) {
        self.minimum = minimum
        self.maximum = maximum
    }

    /// Widens the range.
    /// - Throws: `QuantizationError` with the place of a number that is not finite; the range is then unchanged.
    public mutating func include(_ values: UnsafeBufferPointer<Float>) throws(QuantizationError) {
        guard let base = values.baseAddress else { return }
        var (low, high) = (SIMD8<Float>(repeating: minimum), SIMD8<Float>(repeating: maximum))
        var strange = SIMDMask<SIMD8<Int32>>(repeating: false)
        let whole = values.count & ~7
        for i in stride(from: 0, to: whole, by: 8) {
            let x = UnsafeRawPointer(base + i).loadUnaligned(as: SIMD8<Float>.self)
            low.replace(with: x, where: x .< low)
            high.replace(with: x, where: x .> high)
            // x − x is 0 for finite numbers and NaN for the others.
            strange .|= (x - x) .!= 0
        }
        var isFinite = !any(strange)
        for value in values[whole...] {
            low[0] = Swift.min(low[0], value)
            high[0] = Swift.max(high[0], value)
            isFinite = isFinite && value.isFinite
        }
        guard isFinite else {
            let index = values.firstIndex { !$0.isFinite } ?? 0
            throw QuantizationError("element \(index) is \(values[index]); finite numbers are expected")
        }
        (minimum, maximum) = (low.min(), high.max())
    }

    public mutating func formUnion(_ other: ActivationRange) {
        minimum = Swift.min(minimum, other.minimum)
        maximum = Swift.max(maximum, other.maximum)
    }

    /// 8 unsigned bits over the range and 0: zero point 0 if no value is negative. A range of zeros (or nothing) gets scale 1.
    public var quantization: AffineQuantization {
        let (low, high) = (Double(Swift.min(0, minimum)), Double(Swift.max(0, maximum)))
        let scale = (high - low) / 255
        guard scale.isFinite, scale >= Double(Float.leastNormalMagnitude) else { return AffineQuantization(scale: 1, zeroPoint: 0) }
        let zeroPoint = (-low / scale).rounded()
        return AffineQuantization(scale: Float(scale), zeroPoint: UInt8(Swift.min(255, Swift.max(0, zeroPoint))))
    }
}
