extension ShapeRule {
    func layer(_ layer: Layer) throws(GraphError) -> [Int] {
        switch layer.operation {
        case .convolution(let attributes): return try convolution(layer, attributes)
        case .gemm: return try gemm(layer)
        }
    }

    /// ONNX Conv over [N, C, H, W].
    private func convolution(_ layer: Layer, _ attributes: ConvolutionAttributes) throws(GraphError) -> [Int] {
        try layer.validateShape()
        let input = try onlyImage()
        guard input.shape[1] == layer.inputChannels else {
            throw fail("\(layer.inputChannels) channels expected, input `\(input.name)` has \(input.shape[1])")
        }
        let window = Window(
            kernel: Array(layer.shape[2...]), strides: attributes.strides, pads: attributes.pads,
            dilations: attributes.dilations)
        return [input.shape[0], layer.channels] + (try windowCounts(window, over: input))
    }

    /// `y = x Wᵀ + b` on the last axis.
    private func gemm(_ layer: Layer) throws(GraphError) -> [Int] {
        try layer.validateShape()
        let input = try only()
        guard let features = input.shape.last else { throw fail("input `\(input.name)` is a scalar; features expected") }
        guard features == layer.inputChannels else {
            throw fail("\(layer.inputChannels) features expected, input `\(input.name)` has \(features) (shape \(input.shape))")
        }
        return input.shape.dropLast() + [layer.channels]
    }
}
