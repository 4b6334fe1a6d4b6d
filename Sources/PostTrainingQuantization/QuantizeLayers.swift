import MultipointGraph
import MultipointQuantization

/// Packs layers without their network: weights are rounded for themselves, every input counted alike, and nothing is known of the
/// activations, whose quantization is left to whoever runs the layers.
///
/// The layers come back in their order; those with more than `PackedWeights.maximumRowLength` weights in a channel, and those
/// that `options` names, stay in float.
/// - Parameters:
///   - layers: float.
///   - options: `.greedy`, or one of the baselines; all layers count as inner ones.
///   - progress: called with the fraction done; false cancels.
/// - Throws: `QuantizationError`, for the methods that need calibration inputs too.
public func quantizeLayers(
    _ layers: [Layer], options: QuantizationOptions, progress: (Double) -> Bool = { _ in true }
) throws(QuantizationError) -> (layers: [Layer], reports: [LayerReport]) {
    try options.validate()
    try options.requireFloatLayers(among: layers.map(\.name))
    switch options.method {
    case .greedy, .nearest, .subset: break
    case .ladder, .single: throw QuantizationError("output-aware rounding needs calibration inputs: choose another method")
    }
    var result = layers
    var reports: [LayerReport] = []
    for index in layers.indices {
        guard progress(Double(index) / Double(layers.count)) else { throw QuantizationError.cancelled }
        guard layers[index].rowLength <= PackedWeights.maximumRowLength, !options.floatLayers.contains(layers[index].name) else {
            reports.append(.float(layers[index].name))
            continue
        }
        let packing = try packing(of: layers[index], options)
        result[index].weights = .packed(packing.weights)
        reports.append(LayerReport(name: layers[index].name, packing: packing))
    }
    return (result, reports)
}

private func packing(of layer: Layer, _ options: QuantizationOptions) throws(QuantizationError) -> Packing {
    guard case .float(let weights) = layer.weights else { throw QuantizationError("layer `\(layer.name)` is packed already") }
    do {
        let threads = max(1, options.threads)
        if let baseline = try options.method.baseline(.inner) {
            return try baseline.pack(layer, nil, multiplyMatrices, threads: threads)
        }
        var packing = options.packing(.inner)
        packing.threads = threads
        return try packWeights(matrix: weights, channels: layer.channels, rowLength: layer.rowLength, options: packing)
    } catch {
        throw QuantizationError("layer `\(layer.name)`: \(error)", kind: error.kind)
    }
}
