// BatchNormalization, in its inference form.

/// `y = scale · x + shift` per channel.
struct ChannelAffine {
    /// More than any layer has; each takes several float64 numbers while it is folded.
    static let maximumChannels = 1 << 20

    var scale: [Double]
    var shift: [Double]
}

extension Translation {
    /// Versions 7, 9, 14 and 15: 7 has `spatial`, 14 `training_mode` instead of training by number of outputs.
    ///
    /// Folded into the layer that computes its input where nothing else uses that; otherwise a multiplication and an addition.
    mutating func batchNormalization(_ reader: NodeReader) throws(GraphError) {
        switch reader.version {
        case ..<9: try reader.allowAttributes("epsilon", "momentum", "spatial")
        case ..<14: try reader.allowAttributes("epsilon", "momentum")
        default: try reader.allowAttributes("epsilon", "momentum", "training_mode")
        }
        guard try reader.int("spatial") ?? 1 == 1 else { throw reader.unsupported("spatial = 0 is not supported") }
        guard try !reader.flag("training_mode") else { throw reader.unsupported("training_mode = 1 is not supported") }
        try reader.checkInputCount(5...5)
        let input = try operand(0, reader)
        guard input.shape.count >= 2 else { throw reader.fail("input `\(input.name)` of shape \(input.shape) has no channels") }
        // Four parameters, scale and shift in float64.
        try charge(input.shape[1], words: 12, reader)
        let affine = try batchNormalizationAffine(channels: input.shape[1], reader)
        if let (node, layer) = foldableLayer(computing: input) {
            try chargeReading(layer.channels * layer.rowLength, reader)
            let folded = affine.folded(into: layer)
            try folded.validate()
            absorb(folded, node: node, output: reader.output)
        } else {
            try emit(affine, of: input, reader)
        }
    }

    /// `scale = γ / √(σ² + ε)`, `shift = β − μ · scale`, in float64.
    private func batchNormalizationAffine(channels: Int, _ reader: NodeReader) throws(GraphError) -> ChannelAffine {
        var parameters: [[Double]] = []
        for (index, what) in [(1, "scale"), (2, "bias"), (3, "mean"), (4, "variance")] {
            guard let (shape, values) = try floatsInput(index, what, reader) else {
                throw reader.fail("input \(index) is missing")
            }
            guard shape == [channels] else {
                throw reader.fail("\(what) `\(reader.node.inputs[index])` of shape \(shape); [\(channels)] expected")
            }
            parameters.append(values.map(Double.init))
        }
        let epsilon = Double(try reader.float("epsilon") ?? 1e-5)
        var affine = ChannelAffine(scale: [], shift: [])
        for channel in 0..<channels {
            let variance = parameters[3][channel] + epsilon
            guard variance > 0 else {
                throw reader.fail(
                    "variance \(parameters[3][channel]) of channel \(channel) plus epsilon \(epsilon) is not positive")
            }
            let scale = parameters[0][channel] / variance.squareRoot()
            affine.scale.append(scale)
            affine.shift.append(parameters[1][channel] - parameters[2][channel] * scale)
        }
        return affine
    }

    /// The layer that computes a value of which the node at hand is the only user, if its channels are that value's second
    /// dimension and the layer is not given by a file.
    private func foldableLayer(computing value: Operand) -> (node: Int, Layer)? {
        guard useCounts[value.name] == 1, !quantizedValues.contains(value.name), let index = producers[value.name],
            case .layer(let name) = nodes[index].operation,
            !filedLayers.contains(name), let layer = layers[name]
        else { return nil }
        if case .gemm = layer.operation, value.shape.count != 2 { return nil }
        return (index, layer)
    }

    private mutating func emit(_ affine: ChannelAffine, of input: Operand, _ reader: NodeReader) throws(GraphError) {
        let channels = affine.scale.count
        let shape = [1, channels] + Array(repeating: 1, count: input.shape.count - 2)
        let scale = try constant(reader, "scale", shape: shape, affine.scale.map { Float($0) })
        let shift = try constant(reader, "shift", shape: shape, affine.shift.map { Float($0) })
        let scaled = newValue("\(reader.name)/scaled")
        try emit(.multiply, reader, name: newNode("\(reader.name)/scale"), inputs: [input.name, scale], output: scaled)
        try emit(.add, reader, inputs: [scaled, shift])
    }
}
