extension ChannelAffine {
    /// The layer that computes `scale · layer(x) + shift`, its weights computed in float64 and rounded once.
    ///
    /// The layer's weights are float; there are as many scales and shifts as it has channels.
    func folded(into layer: Layer) -> Layer {
        guard case .float(var weights) = layer.weights else { return layer }
        var layer = layer
        let rowLength = layer.rowLength
        var bias: [Float] = []
        bias.reserveCapacity(layer.channels)
        for channel in 0..<layer.channels {
            for index in channel * rowLength..<(channel + 1) * rowLength {
                weights[index] = Float(Double(weights[index]) * scale[channel])
            }
            let base = layer.bias.map { Double($0[channel]) } ?? 0
            bias.append(Float(base * scale[channel] + shift[channel]))
        }
        layer.weights = .float(weights)
        layer.bias = bias
        return layer
    }
}
