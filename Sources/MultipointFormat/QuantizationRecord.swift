/// What a quantizer found out about its layers, for people. Optional in a file; nothing depends on it.
public struct QuantizationRecord: Codable, Equatable, Sendable {
    /// How weights became points, in the quantizer's words.
    public var method: String
    /// By layer name.
    public var layers: [String: LayerErrors]

    public init(method: String, layers: [String: LayerErrors]) { (self.method, self.layers) = (method, layers) }

    /// A layer's relative output error E[‖(w − ŵ)·x‖²] / E[‖w·x‖²] with all channels at a width.
    public struct LayerErrors: Codable, Equatable, Sendable {
        /// By nearest rounding with the best scale for every channel.
        public var nearest: [Entry]
        /// By the rounding of the method, where it has several widths to choose from.
        public var rounded: [Entry]?

        public init(nearest: [Entry], rounded: [Entry]?) { (self.nearest, self.rounded) = (nearest, rounded) }
    }

    public struct Entry: Codable, Equatable, Sendable {
        public var bits: Int
        public var error: Double

        public init(bits: Int, error: Double) { (self.bits, self.error) = (bits, error) }
    }

    /// Whether all numbers are what they claim to be.
    var isSane: Bool {
        layers.values.allSatisfy { layer in
            (layer.nearest + (layer.rounded ?? [])).allSatisfy { (1...32).contains($0.bits) && $0.error.isFinite && $0.error >= 0 }
        }
    }
}
