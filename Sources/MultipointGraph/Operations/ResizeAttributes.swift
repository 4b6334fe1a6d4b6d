/// ONNX Resize of some axes, with output sizes already computed.
public struct Resize: Hashable, Sendable {
    public enum Mode: Hashable, Sendable {
        case nearest(Rounding)
        case linear
        /// Keys' cubic convolution with coefficient `a` (ONNX's cubic_coeff_a).
        case cubic(a: Float)
    }

    /// Which neighbour `nearest` takes: ONNX's nearest_mode.
    public enum Rounding: Hashable, Sendable {
        case roundPreferFloor, roundPreferCeil, floor, ceil
    }

    /// Where an output sample lies in the input: ONNX's coordinate_transformation_mode. `tf_crop_and_resize` is a slice before.
    public enum Coordinates: Hashable, Sendable {
        case halfPixel, halfPixelSymmetric, pytorchHalfPixel, alignCorners, asymmetric
    }

    /// The axes that are resized; their sizes may stay.
    public var axes: [Int]
    /// Output sizes, at least 1, as many as axes.
    public var sizes: [Int]
    /// Output over input size, as the model states it (not always the quotient of the sizes); positive, as many as axes.
    public var scales: [Float]
    public var mode: Mode
    public var coordinates: Coordinates
    /// Cubic and antialiased filters: weights outside of the input count 0 and the rest is normalized.
    public var excludesOutside: Bool
    /// Downsampling widens linear and cubic filters.
    public var antialiases: Bool

    public init(
        axes: [Int], sizes: [Int], scales: [Float], mode: Mode, coordinates: Coordinates, excludesOutside: Bool = false,
        antialiases: Bool = false
    ) {
        self.axes = axes
        self.sizes = sizes
        self.scales = scales
        self.mode = mode
        self.coordinates = coordinates
        self.excludesOutside = excludesOutside
        self.antialiases = antialiases
    }
}
