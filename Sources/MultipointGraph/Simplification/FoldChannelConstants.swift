extension Network {
    /// Folds a multiplication by, or an addition of, one constant per channel into the layer before it.
    mutating func foldChannelConstants(keeping filedLayers: Set<String>) {
        guard let shapes = try? shapes(batch: 1) else { return }
        var uses = ValueUses(self)
        var removed: Set<Int> = []
        // What follows may be folded into the same layer, which then computes the output of the folded node.
        var shapeOf = shapes
        for index in nodes.indices {
            guard let (value, affine) = channelAffine(nodes[index], uses, shapeOf, filedLayers),
                let producer = uses.producers[value], case .layer(let name) = nodes[producer].operation,
                let layer = layers[name]
            else { continue }
            let folded = affine.folded(into: layer)
            // Overflow is not worth an error: the node stays.
            guard (try? folded.validate()) != nil else { continue }
            layers[name] = folded
            nodes[producer].output = nodes[index].output
            uses.rename(value, to: nodes[index].output)
            shapeOf[nodes[index].output] = shapeOf.removeValue(forKey: value)
            removed.insert(index)
        }
        nodes = nodes.indices.filter { !removed.contains($0) }.map { nodes[$0] }
    }

    /// What a node does to the channels of a layer whose result nothing else uses.
    private func channelAffine(
        _ node: Node, _ uses: ValueUses, _ shapes: [String: [Int]], _ filedLayers: Set<String>
    ) -> (value: String, ChannelAffine)? {
        guard node.operation == .add || node.operation == .multiply, node.inputs.count == 2,
            let constantIndex = node.inputs.firstIndex(where: { constants[$0] != nil }),
            let tensor = constants[node.inputs[constantIndex]]
        else { return nil }
        let value = node.inputs[1 - constantIndex]
        guard uses.counts[value] == 1, quantization[value] == nil, let shape = shapes[value],
            let producer = uses.producers[value], case .layer(let name) = nodes[producer].operation,
            !filedLayers.contains(name), let layer = layers[name], layer.outputQuantization == nil,
            let factors = tensor.perChannel(layer, resultRank: shape.count)
        else { return nil }
        let neutral = Array(repeating: node.operation == .add ? 1.0 : 0.0, count: layer.channels)
        return (
            value,
            node.operation == .add ? ChannelAffine(scale: neutral, shift: factors) : ChannelAffine(scale: factors, shift: neutral)
        )
    }
}

extension Tensor {
    /// One number per output channel of a layer, or nil if the tensor broadcasts to its result in another way.
    fileprivate func perChannel(_ layer: Layer, resultRank: Int) -> [Double]? {
        guard let floats, shape.count <= resultRank else { return nil }
        if floats.count == 1 { return Array(repeating: Double(floats[0]), count: layer.channels) }
        // Positions from the end: Conv's channels are the second of four dimensions, Gemm's the last.
        let fromEnd = if case .convolution = layer.operation { 3 } else { 1 }
        let axis = shape.count - fromEnd
        guard axis >= 0, shape[axis] == layer.channels, floats.count == layer.channels else { return nil }
        return floats.map(Double.init)
    }
}
