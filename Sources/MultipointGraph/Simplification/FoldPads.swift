extension Network {
    /// Folds padding of height and width with zeros into the convolution that follows.
    mutating func foldPads(keeping filedLayers: Set<String>) {
        let uses = ValueUses(self)
        for index in nodes.indices {
            guard case .layer(let name) = nodes[index].operation, !filedLayers.contains(name), var layer = layers[name],
                case .convolution(var attributes) = layer.operation
            else { continue }
            while let (input, pads) = zeroPads(nodes[index].inputs[0], uses, attributes.pads) {
                attributes.pads = pads
                nodes[index].inputs = [input]
            }
            layer.operation = .convolution(attributes)
            layers[name] = layer
        }
        removeUnused()
    }

    /// The input and the sum of pads, if `value` is a padded image that nothing else uses.
    private func zeroPads(_ value: String, _ uses: ValueUses, _ existing: [Int]) -> (input: String, pads: [Int])? {
        guard uses.counts[value] == 1, quantization[value] == nil, let producer = uses.producers[value],
            case .pad(let pads, .constant(0)) = nodes[producer].operation, pads.count == 8,
            [0, 1, 4, 5].allSatisfy({ pads[$0] == 0 })
        else { return nil }
        let sums = zip(existing, [pads[2], pads[3], pads[6], pads[7]]).map { $0 + $1 }
        guard sums.allSatisfy({ $0 <= TensorLimits.attribute }) else { return nil }
        return (nodes[producer].inputs[0], sums)
    }
}
