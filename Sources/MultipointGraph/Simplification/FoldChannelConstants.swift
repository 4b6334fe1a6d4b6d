extension Network {
    /// Folds a multiplication by, or an addition of, one constant per channel into the layer before it.
    mutating func foldChannelConstants(keeping filedLayers: Set<String>) {
        guard let shapes = try? shapes(batch: 1) else { return }
        var uses = ValueUses(self)
        var removed: Set<Int> = []
        // What follows may be folded into the same layer, which then computes the output of the folded node.
        var shapeOf = shapes
        /// Weights that may still be gone through: a layer that thousands of nodes follow is not worth folding them all.
        var rest = layers.values.reduce(1 << 24) { $0 + 8 * $1.channels * $1.rowLength }
        for index in nodes.indices {
            guard let (value, affine, layer) = channelAffine(nodes[index], uses, shapeOf, filedLayers, &rest),
                let producer = uses.producers[value]
            else { continue }
            let folded = affine.folded(into: layer)
            // Overflow is not worth an error: the node stays.
            guard (try? folded.validate()) != nil else { continue }
            layers[layer.name] = folded
            nodes[producer].output = nodes[index].output
            uses.rename(value, to: nodes[index].output)
            shapeOf[nodes[index].output] = shapeOf.removeValue(forKey: value)
            removed.insert(index)
        }
        nodes = nodes.indices.filter { !removed.contains($0) }.map { nodes[$0] }
    }

    /// What a node does to the channels of a layer whose result nothing else uses; `value` is that result, maybe moved.
    private func channelAffine(
        _ node: Node, _ uses: ValueUses, _ shapes: [String: [Int]], _ filedLayers: Set<String>, _ rest: inout Int
    ) -> (value: String, ChannelAffine, Layer)? {
        guard node.operation == .add || node.operation == .multiply, node.inputs.count == 2,
            let constantIndex = node.inputs.firstIndex(where: { constants[$0] != nil }),
            let tensor = constants[node.inputs[constantIndex]]
        else { return nil }
        let value = node.inputs[1 - constantIndex]
        guard let (layer, share) = layer(behind: value, uses, shapes, filedLayers, &rest),
            layer.outputQuantization == nil, layer.channels <= ChannelAffine.maximumChannels, let shape = shapes[value],
            let factors = tensor.perChannel(axis: layer.isConvolution ? 1 : shape.count - 1, of: shape)
        else { return nil }
        let weights = layer.channels * layer.rowLength
        guard weights <= rest else { return nil }
        rest -= weights
        let layerFactors = (0..<layer.channels).map { factors[$0 / share] }
        let neutral = Array(repeating: node.operation == .add ? 1.0 : 0.0, count: layer.channels)
        let affine =
            node.operation == .add
            ? ChannelAffine(scale: neutral, shift: layerFactors) : ChannelAffine(scale: layerFactors, shift: neutral)
        return (value, affine, layer)
    }

    /// The layer whose result a value is, and how many of its channels become one channel of the value, in order. In between may be
    /// what moves elements within images.
    private func layer(
        behind value: String, _ uses: ValueUses, _ shapes: [String: [Int]], _ filedLayers: Set<String>, _ rest: inout Int
    ) -> (Layer, share: Int)? {
        var value = value
        var share = 1, isMoved = false
        while rest > 0, uses.counts[value] == 1, quantization[value] == nil, let producer = uses.producers[value] {
            rest -= 1
            switch nodes[producer].operation {
            case .layer(let name):
                guard !filedLayers.contains(name), let layer = layers[name], layer.isConvolution || !isMoved else { return nil }
                return (layer, share)
            case .depthToSpace(let block, .columnRowDepth):
                // The shapes bound blocks; a share beyond integers would be one of more channels than there are.
                let (product, overflow) = share.multipliedReportingOverflow(by: block * block)
                guard !overflow else { return nil }
                share = product
            case .slice(_, _, let axes, _) where axes.allSatisfy({ $0 > 1 }): break
            case .squeeze(let axes?) where axes.allSatisfy({ $0 > 1 }): break
            default: return nil
            }
            isMoved = true
            value = nodes[producer].inputs[0]
        }
        return nil
    }
}

extension Layer {
    fileprivate var isConvolution: Bool { if case .convolution = operation { true } else { false } }
}

extension Tensor {
    /// One number for each position along an axis of a result, or nil if the tensor broadcasts to it in another way.
    fileprivate func perChannel(axis: Int, of result: [Int]) -> [Double]? {
        guard let floats, shape.count <= result.count, result.indices.contains(axis) else { return nil }
        let channels = result[axis]
        if floats.count == 1 { return Array(repeating: Double(floats[0]), count: channels) }
        let own = axis - (result.count - shape.count)
        guard own >= 0, shape[own] == channels, floats.count == channels else { return nil }
        return floats.map(Double.init)
    }
}
