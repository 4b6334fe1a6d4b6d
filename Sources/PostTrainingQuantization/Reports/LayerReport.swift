import MultipointGraph
import MultipointQuantization

/// A network with packed layers, and what became of each layer.
public struct QuantizedNetwork: Sendable {
    public var network: Network
    /// In the order of the network's layers.
    public var reports: [LayerReport]

    public init(network: Network, reports: [LayerReport]) { (self.network, self.reports) = (network, reports) }
}

/// What became of a layer.
public struct LayerReport: Equatable, Sendable {
    public var name: String
    /// The integers of the first level, by code; nil for a layer kept in float.
    public var codebook: [Int8]?
    /// Number of channels with 0, 1, 2, … points; empty for a layer kept in float.
    public var channelsByPoints: [Int]
    /// Sum of the channels' output errors over the sum of their output powers; 0 for a layer kept in float.
    public var relativeOutputError: Double
    /// Where they were asked for.
    public var curves: ErrorCurves?

    static func float(_ name: String) -> LayerReport {
        LayerReport(name: name, codebook: nil, channelsByPoints: [], relativeOutputError: 0)
    }

    init(name: String, codebook: [Int8]?, channelsByPoints: [Int], relativeOutputError: Double) {
        self.name = name
        self.codebook = codebook
        self.channelsByPoints = channelsByPoints
        self.relativeOutputError = relativeOutputError
    }

    init(name: String, packing: Packing) {
        var histogram = [Int](repeating: 0, count: packing.weights.levels.count + 1)
        for points in packing.weights.points { histogram[Int(points)] += 1 }
        let power = packing.powers.reduce(0, +)
        self.init(
            name: name, codebook: packing.weights.levels.first?.codebook ?? packing.codebooks.first?.values ?? [], channelsByPoints: histogram,
            relativeOutputError: power > 0 ? packing.errors.reduce(0, +) / power : 0)
    }
}
