import MultipointFormat
import MultipointGraph
import ONNXExport
import ONNXImport

/// Where the layers of a packed file belong in the ONNX network that they were packed from.
struct LayerMatch {
    let packed: PackedFile
    let path: String
    let original: String
    let inputShapes: InputShapeOptions

    /// Of the packed layers; those in float stay the original's nodes.
    /// - Throws: `CommandError` naming a layer that is not the original's.
    func replacements() throws -> [LayerReplacement] {
        guard let network = packed.network else { return try nodeReplacements() }
        return try networkReplacements(network)
    }

    /// Reading the original once more folds into each layer what packing folded: batch normalization, constant factors and terms,
    /// pads. Simplifying keeps what every value's name stands for, so that a layer replaces whatever nodes of the original lead from
    /// the value that it reads to the one that it computes.
    private func networkReplacements(_ network: Network) throws -> [LayerReplacement] {
        let float = try ModelFile.readNetwork(onnx: original, inputShapes)
        let own = Dictionary(
            float.nodes.compactMap { node in layerName(node).map { (Place(node, $0), ()) } }, uniquingKeysWith: { first, _ in first })
        var replacements: [LayerReplacement] = []
        for node in network.nodes {
            guard let name = layerName(node), let layer = network.layers[name], layer.isPacked else { continue }
            guard own[Place(node, name)] != nil, let originalLayer = float.layers[name] else {
                throw mismatch(name, "there it does not lead from `\(node.inputs.first ?? "")` to `\(node.output)`")
            }
            try requireSame(layer, originalLayer)
            replacements.append(LayerReplacement(layer: layer, input: node.inputs.first ?? "", output: node.output))
        }
        return replacements
    }

    private struct Place: Hashable {
        var layer: String
        var input: String?
        var output: String

        init(_ node: Node, _ layer: String) { (self.layer, input, output) = (layer, node.inputs.first, node.output) }
    }

    private func layerName(_ node: Node) -> String? { if case .layer(let name) = node.operation { name } else { nil } }

    /// Weights that were packed node by node.
    private func nodeReplacements() throws -> [LayerReplacement] {
        let own = Dictionary(
            try readLayers(path: original).layers.map { ($0.layer.name, $0) }, uniquingKeysWith: { first, _ in first })
        var replacements: [LayerReplacement] = []
        for layer in packed.layers where layer.isPacked {
            guard let found = own[layer.name] else { throw mismatch(layer.name, "there is no such node with constant weights") }
            try requireSame(layer, found.layer)
            replacements.append(LayerReplacement(layer: layer, input: found.input, output: found.output))
        }
        return replacements
    }

    private func requireSame(_ layer: Layer, _ original: Layer) throws {
        guard layer.operation == original.operation, layer.shape == original.shape else {
            throw mismatch(layer.name, "there it has other attributes, or weights of shape \(original.shape)")
        }
        guard case .packed(let weights) = layer.weights, case .float(let floats) = original.weights else { return }
        // Even 1-bit weights are closer than this; those of another network are not.
        guard squaredDistance(weights.reconstruction(), floats) <= 0.8 * squaredDistance(floats, nil) else {
            throw mismatch(layer.name, "there it has other weights")
        }
    }

    private func squaredDistance(_ values: [Float], _ others: [Float]?) -> Double {
        values.indices.reduce(0) { sum, index in
            let difference = Double(values[index]) - Double(others?[index] ?? 0)
            return sum + difference * difference
        }
    }

    private func mismatch(_ layer: String, _ problem: String) -> CommandError {
        CommandError("layer `\(layer)` of `\(path)` was not packed from `\(original)`: \(problem)")
    }
}
