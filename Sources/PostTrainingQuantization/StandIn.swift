import MultipointGraph

/// A packed network in place of what `quantize` would make: its layers and values have the forms that packed ones have, with numbers
/// that mean nothing. For finding out, without any images, how the network would be executed.
/// - Parameter network: has only float layers.
/// - Throws: `GraphError` if its shapes contradict each other.
public func packedStandIn(for network: Network) throws -> Network {
    let names = packableLayers(network), shapes = try network.shapes(batch: 1)
    let quantization = AffineQuantization(scale: 1.0 / 16, zeroPoint: 128)
    var result = network
    let values = LayerResults(network, shapes: shapes).storedValues(
        LayerUses(network), layers: network.layerOrder.filter(names.contains))
    for value in values { result.quantization[value] = quantization }
    for name in names {
        guard var layer = network.layers[name] else { continue }
        layer.weights = .packed(try onePoint(channels: layer.channels, rowLength: layer.rowLength))
        layer.inputQuantization = quantization
        result.layers[name] = layer
    }
    return result
}

/// A point for the first channel; the others are zeros.
private func onePoint(channels: Int, rowLength: Int) throws -> PackedWeights {
    let level = PackedWeights.Level(codebook: [-1, 1], codes: [UInt8](repeating: 0, count: rowLength))
    return try PackedWeights(
        rowLength: rowLength, points: [1] + [UInt8](repeating: 0, count: channels - 1), levels: [level], ladder: nil, scales: [1])
}
