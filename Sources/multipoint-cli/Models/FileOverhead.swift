import MultipointFormat
import MultipointGraph
import PostTrainingQuantization

extension PackedFile {
    /// About what a packed file of a float network takes besides its packed layers' codes, scales, codebooks and numbers of points:
    /// header, graph, biases, float constants.
    ///
    /// Measured on a file of the same network whose layers have three levels, every value with a quantization, all numbers as long as
    /// they get, and hardly any codes.
    static func overhead(of network: Network, packing names: Set<String>, producer: String) throws -> Int {
        var skeleton = network
        let quantization = AffineQuantization(scale: 0.123_456_79, zeroPoint: 255)
        for value in network.inputs.map(\.name) + network.nodes.map(\.output) { skeleton.quantization[value] = quantization }
        var packedBytes = 0
        for (name, layer) in network.layers where names.contains(name) {
            var layer = layer
            let packed = try emptyLadder(channels: layer.channels, rowLength: layer.rowLength)
            layer.weights = .packed(packed)
            layer.bias = layer.bias ?? [Float](repeating: 0, count: layer.channels)
            (layer.inputQuantization, layer.outputQuantization) = (quantization, quantization)
            skeleton.layers[name] = layer
            var unbiased = layer
            unbiased.bias = nil
            packedBytes += unbiased.storedByteCount
        }
        let file = PackedFile(
            network: skeleton, producer: producer,
            relativeOutputErrors: Dictionary(names.map { ($0, 0.012_345_678_901_234_567) }, uniquingKeysWith: { first, _ in first }))
        return try file.encoded().count - packedBytes
    }

    /// One channel with three points, the others with none.
    private static func emptyLadder(channels: Int, rowLength: Int) throws -> PackedWeights {
        let level = PackedWeights.Level(codebook: [-1, 1], codes: [UInt8](repeating: 0, count: rowLength))
        return try PackedWeights(
            rowLength: rowLength, points: [3] + [UInt8](repeating: 0, count: channels - 1),
            levels: [PackedWeights.Level](repeating: level, count: 3), ladder: [2, 2],
            scales: [Float](repeating: 1, count: channels))
    }
}
