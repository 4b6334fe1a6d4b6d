import Glibc

/// What a quantizer found out about its layers, for people. Optional in a file; nothing depends on it.
///
/// Errors are relative output errors E[‖(w − ŵ)·x‖²] / E[‖w·x‖²] of a layer with all channels at one width, to four digits.
public struct QuantizationRecord: Equatable, Sendable {
    /// How weights became points, in the quantizer's words.
    public var method: String
    /// The widths of all layers' `nearest`, and those of their `rounded`.
    public var nearestBits: [Int]
    public var roundedBits: [Int]
    /// By layer name.
    public var layers: [String: LayerErrors]

    public struct LayerErrors: Equatable, Sendable {
        /// By nearest rounding with the best scale for every channel.
        public var nearest: [Float]
        /// By the rounding of the method, where it has several widths to choose from.
        public var rounded: [Float]

        public init(nearest: [Double], rounded: [Double]) {
            (self.nearest, self.rounded) = (nearest.map(toFourDigits), rounded.map(toFourDigits))
        }
    }

    public init(method: String, nearestBits: [Int], roundedBits: [Int], layers: [String: LayerErrors]) {
        (self.method, self.nearestBits, self.roundedBits, self.layers) = (method, nearestBits, roundedBits, layers)
    }

    /// Whether all numbers are what they claim to be.
    var isSane: Bool {
        (nearestBits + roundedBits).allSatisfy { (1...32).contains($0) }
            && layers.values.allSatisfy { layer in
                layer.nearest.count == nearestBits.count && layer.rounded.count == roundedBits.count
                    && (layer.nearest + layer.rounded).allSatisfy { $0.isFinite && $0 >= 0 }
            }
    }
}

extension QuantizationRecord: Codable {
    private enum CodingKeys: String, CodingKey {
        case method, layers
        case nearestBits = "nearest_bits"
        case roundedBits = "rounded_bits"
    }
}

extension QuantizationRecord.LayerErrors: Codable {}

/// The shortest text of the float nearest to the rounded number has its digits alone.
private func toFourDigits(_ x: Double) -> Float {
    guard x > 0, x.isFinite else { return Float(x) }
    let unit = pow(10, 3 - log10(x).rounded(.down))
    return unit.isFinite ? Float((x * unit).rounded() / unit) : 0
}
