// Operators with weights: Conv, Gemm, MatMul.

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

    private mutating func emit(layer: Layer, _ reader: NodeReader) throws(GraphError) {
        guard layers[layer.name] == nil else { throw reader.fail("there is another layer `\(layer.name)`") }
        try layer.validate()
        keep(layer)
        try emit(.layer(layer.name), reader, inputs: [try operand(0, reader).name])
    }

    /// Versions 1, 11 and 22 differ in wording and element types.
    mutating func convolution(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
        try reader.checkInputCount(2...3)
        guard let (shape, weights) = try floatsInput(1, "weights", reader) else { throw reader.fail("it has no weights") }
        guard shape.count == 4 else {
            throw reader.unsupported(
                "weights `\(reader.node.inputs[1])` of shape \(shape): only kernels of two dimensions are supported")
        }
        let kernel = Array(shape[2...])
        if let stated = try reader.ints("kernel_shape"), stated != kernel {
            throw reader.fail("kernel_shape \(stated) does not agree with weights of shape \(shape)")
        }
        let attributes = ConvolutionAttributes(
            strides: try reader.strides(), pads: try reader.pads(over: try image(0, reader), kernel: kernel).pads,
            dilations: try reader.dilations(), group: try reader.int("group") ?? 1)
        let bias = try floatsInput(2, "bias", reader)
        if let bias, bias.shape != [shape[0]] {
            throw reader.fail("bias `\(reader.node.inputs[2])` of shape \(bias.shape); [\(shape[0])] expected")
        }
        try emit(
            layer: Layer(
                name: reader.name, operation: .convolution(attributes), shape: shape, weights: .float(weights), bias: bias?.values
            ),
            reader)
    }

    /// Versions 7, 9, 11 and 13: the bias became optional in 11.
    mutating func gemm(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes("alpha", "beta", "transA", "transB")
        try reader.checkInputCount(2...3)
        let input = try operand(0, reader)
        guard input.shape.count == 2 else {
            throw reader.fail("an input of 2 dimensions expected, `\(input.name)` has shape \(input.shape)")
        }
        guard try !reader.flag("transA") else { throw reader.unsupported("transA = 1 is not supported") }
        let alpha = try reader.float("alpha") ?? 1
        var (shape, weights) = try matrix(1, transposed: try !reader.flag("transB"), reader)
        if alpha != 1 { weights = weights.map { $0 * alpha } }
        let bias = try gemmBias(channels: shape[0], rows: input.shape[0], reader)
        try emit(layer: Layer(name: reader.name, operation: .gemm, shape: shape, weights: .float(weights), bias: bias), reader)
    }

    /// A product with constant weights [in, out] on the right.
    mutating func matrixProduct(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes()
        try reader.checkInputCount(2...2)
        let (shape, weights) = try matrix(1, transposed: true, reader)
        try emit(layer: Layer(name: reader.name, operation: .gemm, shape: shape, weights: .float(weights)), reader)
    }

    /// A constant matrix as [out, in].
    /// - Parameter transposed: whether it is stored as [in, out].
    private func matrix(_ index: Int, transposed: Bool, _ reader: NodeReader) throws(GraphError) -> (
        shape: [Int], values: [Float]
    ) {
        guard let (shape, values) = try floatsInput(index, "weights", reader) else { throw reader.fail("it has no weights") }
        guard shape.count == 2, shape.allSatisfy({ $0 >= 1 }) else {
            throw reader.unsupported("weights `\(reader.node.inputs[index])` of shape \(shape): only matrices are supported")
        }
        return transposed ? ([shape[1], shape[0]], values.transposed(rows: shape[0], columns: shape[1])) : (shape, values)
    }

    /// `beta · C`, where C is the same for every row of the result.
    private func gemmBias(channels: Int, rows: Int, _ reader: NodeReader) throws(GraphError) -> [Float]? {
        guard let (shape, values) = try floatsInput(2, "bias", reader) else { return nil }
        let beta = try reader.float("beta") ?? 1
        guard shape.count <= 2, shape.last == 1 || shape.last == channels || shape.isEmpty else {
            throw reader.fail("bias `\(reader.node.inputs[2])` of shape \(shape) does not broadcast to [\(rows), \(channels)]")
        }
        guard shape.count < 2 || shape[0] == 1 else {
            throw reader.unsupported(
                "bias `\(reader.node.inputs[2])` of shape \(shape): only one per output feature is supported")
        }
        let bias = values.count == 1 ? Array(repeating: values[0], count: channels) : values
        return beta == 1 ? bias : bias.map { $0 * beta }
    }
}

extension [Float] {
    /// A matrix in C order, transposed. The count is `rows · columns`.
    fileprivate func transposed(rows: Int, columns: Int) -> [Float] {
        var result: [Float] = []
        result.reserveCapacity(count)
        for column in 0..<columns {
            for row in 0..<rows { result.append(self[row * columns + column]) }
        }
        return result
    }
}
