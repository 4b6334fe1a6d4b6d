import MultipointGraph

extension Network {
    /// The same network with the weights of its packed layers as floats: inputs of layers are then not rounded to 8 bits either.
    public var unpacked: Network {
        var result = self
        result.quantization = [:]
        for (name, layer) in layers {
            result.layers[name]?.inputQuantization = nil
            result.layers[name]?.outputQuantization = nil
            guard case .packed(let packed) = layer.weights else { continue }
            result.layers[name]?.weights = .float(LayerRows(packed).weights)
        }
        return result
    }
}

extension LayerRows {
    /// ŵ: the sum of every channel's rows times their scales, [channels, rowLength].
    public var weights: [Float] {
        let values = values
        var weights = [Float](repeating: 0, count: channelCount * rowLength)
        for (row, (scale, channel)) in zip(scales, channels).enumerated() {
            for k in 0..<rowLength { weights[Int(channel) * rowLength + k] += scale * Float(values[row * rowLength + k]) }
        }
        return weights
    }
}
