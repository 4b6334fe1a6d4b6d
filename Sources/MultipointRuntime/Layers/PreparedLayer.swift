import DNNL
import MultipointGraph

/// A layer decoded for execution, shared by every plan and session that runs it.
public final class PreparedLayer: Sendable {
    public enum Weights: Sendable {
        case rows(LayerRows)
        /// In C order of the layer's shape.
        case float([Float])
    }

    /// The layer without its weights: name, operator, shape, bias, quantization.
    public let layer: Layer
    public let weights: Weights
    let cache = BufferCache<ConvolutionWeights.Key>()

    /// About what making one allocates: a few words for each row, more while several rows of a channel are put in order, and for each
    /// channel its place in every level.
    public static func byteCount(_ layer: Layer) -> Int {
        guard case .packed(let packed) = layer.weights else { return 0 }
        let rows = packed.points.reduce(0) { $0 + max(1, Int($1)) }
        return (rows > packed.channels ? 256 : 96) * rows + 4 * packed.levels.count * packed.channels
    }

    /// - Parameter layer: has passed `Layer.validate`.
    public init(_ layer: Layer) {
        var bare = layer
        switch layer.weights {
        case .packed(let packed): weights = .rows(LayerRows(packed))
        case .float(let values): weights = .float(values)
        }
        bare.weights = .float([])
        self.layer = bare
    }

    public var rows: LayerRows? {
        if case .rows(let rows) = weights { rows } else { nil }
    }

    /// How the layer will run, in words.
    public var execution: String {
        guard let rows else { return "in float" }
        if rows.extraCount == 0 { return "one convolution" }
        if layer.group == 1 { return "one convolution with \(rows.extraCount) extra rows, summed" }
        return "\(rows.depth) convolutions, summed"
    }
}
