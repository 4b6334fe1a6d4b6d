// Operators with weights: Conv, and the layers of a packed file.

extension Translation {
    /// A node whose weights and attributes are a layer of the packed file.
    mutating func filedLayer(_ reader: NodeReader, _ name: String) throws(GraphError) {
        guard filedLayers.contains(name), let layer = layers[name] else { throw reader.fail("there is no layer `\(name)`") }
        switch (layer.operation, reader.node.operatorType) {
        case (.convolution, "Conv"), (.gemm, "Gemm"), (.gemm, "MatMul"): break
        case (.convolution, _): throw reader.fail("layer `\(name)` is for a Conv")
        case (.gemm, _): throw reader.fail("layer `\(name)` is for a Gemm")
        }
        guard reader.node.attributes.isEmpty else { throw reader.fail("its attributes belong to layer `\(name)`") }
        try reader.checkInputCount(1...1)
        try emit(.layer(name), reader, inputs: [try operand(0, reader).name])
    }

    /// Appends a node for a new layer.
    /// - Parameters:
    ///   - shape: of the weights, which are charged before the layer is made.
    ///   - input: nil for the reader's first.
    ///   - output: nil for the reader's.
    mutating func emit(
        shape: [Int], layer: @autoclosure () -> Layer, _ reader: NodeReader, input: String? = nil, output: String? = nil
    ) throws(GraphError) {
        let count = elementCount(of: shape)
        try charge(count, reader)
        // Biases.
        try charge(shape.first, reader)
        try chargeReading(count ?? 0, reader)
        let layer = layer()
        guard layers[layer.name] == nil else { throw reader.fail("there is another layer `\(layer.name)`") }
        try layer.validate()
        keep(layer)
        let name = if let input { input } else { try operand(0, reader).name }
        try emit(.layer(layer.name), reader, inputs: [name], output: output)
    }

    /// Versions 1, 11 and 22 differ in wording and element types.
    mutating func convolution(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
        try reader.checkInputCount(2...3)
        let input = try image(0, reader)
        let (shape, weights) = try kernel(over: input, reader)
        let attributes = ConvolutionAttributes(
            strides: try reader.strides(input), pads: try reader.pads(over: input, kernel: Array(shape[2...])).pads,
            dilations: try reader.dilations(input), group: try reader.int("group") ?? 1)
        let layer = Layer(
            name: reader.name, operation: .convolution(attributes), shape: shape, weights: .float(weights),
            bias: try bias(channels: shape[0], reader))
        guard input.isSignal else { return try emit(shape: shape, layer: layer, reader) }
        let image = try step(.unsqueeze(axes: [2]), reader, "image", inputs: [input.name])
        let result = newValue("\(reader.name)/result")
        try emit(shape: shape, layer: layer, reader, input: image, output: result)
        try emit(.squeeze(axes: [2]), reader, name: newNode("\(reader.name)/signal"), inputs: [result])
    }

    /// The weights of Conv or ConvTranspose, a signal's as those of an image of height 1. The attribute `kernel_shape` agrees.
    func kernel(over input: Image, _ reader: NodeReader) throws(GraphError) -> (shape: [Int], weights: [Float]) {
        guard let (stated, weights) = try floatsInput(1, "weights", reader) else { throw reader.fail("it has no weights") }
        let rank = input.isSignal ? 3 : 4
        guard stated.count == rank else {
            throw reader.fail(
                "weights `\(reader.node.inputs[1])` of shape \(stated): \(rank) dimensions expected for input `\(input.name)`")
        }
        if let kernel = try reader.ints("kernel_shape"), kernel != Array(stated[2...]) {
            throw reader.fail("kernel_shape \(kernel) does not agree with weights of shape \(stated)")
        }
        let shape = input.isSignal ? [stated[0], stated[1], 1, stated[2]] : stated
        // Before anything is computed with them.
        guard shape.allSatisfy({ (1...TensorLimits.count).contains($0) }), shape[2...].allSatisfy({ $0 <= TensorLimits.attribute }) else {
            throw reader.fail("weights `\(reader.node.inputs[1])` of shape \(stated): positive sizes expected")
        }
        return (shape, weights)
    }

    /// One number per output channel.
    func bias(channels: Int, _ reader: NodeReader) throws(GraphError) -> [Float]? {
        guard let bias = try floatsInput(2, "bias", reader) else { return nil }
        guard bias.shape == [channels] else {
            throw reader.fail("bias `\(reader.node.inputs[2])` of shape \(bias.shape); [\(channels)] expected")
        }
        return bias.values
    }
}

extension [Float] {
    /// A matrix in C order, transposed. The count is `rows · columns`.
    func transposed(rows: Int, columns: Int) -> [Float] {
        var result: [Float] = []
        result.reserveCapacity(count)
        for column in 0..<columns {
            for row in 0..<rows { result.append(self[row * columns + column]) }
        }
        return result
    }
}
