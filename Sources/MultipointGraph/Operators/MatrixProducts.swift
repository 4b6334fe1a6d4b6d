// Gemm, MatMul: layers where the right operand is a constant matrix, products of matrices otherwise.

extension Translation {
    /// Versions 7, 9, 11 and 13: the summand C became optional in 11.
    mutating func gemm(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes("alpha", "beta", "transA", "transB")
        try reader.checkInputCount(2...3)
        let left = try matrixOperand(0, transposed: try reader.flag("transA"), reader)
        guard shapes[reader.node.inputs[1]] == nil else { return try computedGemm(left, reader) }
        guard shapes[left] != nil else { throw reader.unsupported("both matrices are constants") }
        let alpha = try reader.float("alpha") ?? 1
        let weights = try matrix(1, transposed: try !reader.flag("transB"), reader), channels = weights.shape[0]
        if reader.hasInput(2), try !isRow(2, channels: channels, reader) {
            let product = newValue("\(reader.name)/product")
            try emit(shape: weights.shape, layer: weights.layer(reader.name, alpha: alpha), reader, input: left, output: product)
            return try addScaled(to: product, reader)
        }
        let bias = try gemmBias(channels: channels, reader)
        try emit(shape: weights.shape, layer: weights.layer(reader.name, alpha: alpha, bias), reader, input: left)
    }

    /// `alpha · A B + beta · C` with a computed B.
    private mutating func computedGemm(_ left: String, _ reader: NodeReader) throws(GraphError) {
        let right = try matrixOperand(1, transposed: try reader.flag("transB"), reader)
        let alpha = try reader.float("alpha") ?? 1
        if alpha == 1, !reader.hasInput(2) { return try emit(.matrixProduct, reader, inputs: [left, right]) }
        var product = try step(.matrixProduct, reader, "product", inputs: [left, right])
        if alpha != 1 {
            let factor = try constant(reader, "alpha", [alpha])
            if !reader.hasInput(2) { return try emit(.multiply, reader, inputs: [product, factor]) }
            product = try step(.multiply, reader, "scaled", inputs: [product, factor])
        }
        try addScaled(to: product, reader)
    }

    /// `product + beta · C`, the result of the node.
    private mutating func addScaled(to product: String, _ reader: NodeReader) throws(GraphError) {
        let beta = try reader.float("beta") ?? 1, result = shapes[product]
        var summand = reader.node.inputs[2]
        if shapes[summand] == nil {
            guard let (shape, values) = try floatsInput(2, "bias", reader) else { throw reader.fail("input 2 is missing") }
            summand = try constant(reader, "bias", shape: shape, values.map { $0 * beta })
        } else if beta != 1 {
            let factor = try constant(reader, "beta", [beta])
            summand = try step(.multiply, reader, "summand", inputs: [summand, factor])
        }
        try emit(.add, reader, name: shapes[product] != nil && layers[reader.name] != nil ? newNode("\(reader.name)/add") : nil, inputs: [product, summand])
        guard shapes[reader.output] == result else {
            throw reader.fail("`\(reader.node.inputs[2])` of shape \(shape(of: reader.node.inputs[2]) ?? []) does not broadcast to \(result ?? [])")
        }
    }

    /// The name of an operand of two dimensions, after a Transpose if one is asked for.
    private mutating func matrixOperand(_ index: Int, transposed: Bool, _ reader: NodeReader) throws(GraphError) -> String {
        let name = reader.node.inputs[index]
        guard let shape = shape(of: name) else { throw reader.fail("input \(index) is missing") }
        guard shape.count == 2, shape.allSatisfy({ $0 >= 1 }) else {
            throw reader.fail("an input of 2 dimensions expected, `\(name)` has shape \(shape)")
        }
        guard transposed else { return name }
        if shapes[name] != nil { return try step(.transpose(permutation: [1, 0]), reader, "transposed", inputs: [name]) }
        guard let (shape, values) = try floatsInput(index, "matrix", reader) else { throw reader.fail("input \(index) is missing") }
        return try constant(reader, "transposed", shape: [shape[1], shape[0]], values.transposed(rows: shape[0], columns: shape[1]))
    }

    /// NumPy's matmul.
    mutating func matrixProduct(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes()
        try reader.checkInputCount(2...2)
        let (left, right) = (reader.node.inputs[0], reader.node.inputs[1])
        guard shapes[left] != nil || shapes[right] != nil else { throw reader.unsupported("both matrices are constants") }
        if shapes[left] != nil, constants[right]?.shape.count == 2 {
            let weights = try matrix(1, transposed: true, reader)
            return try emit(shape: weights.shape, layer: weights.layer(reader.name), reader)
        }
        for index in 0..<2 where shapes[reader.node.inputs[index]] == nil { _ = try floatsInput(index, "matrix", reader) }
        try emit(.matrixProduct, reader, inputs: [left, right])
    }

    /// A constant matrix as [out, in].
    /// - Parameter transposed: whether it is stored as [in, out].
    private func matrix(_ index: Int, transposed: Bool, _ reader: NodeReader) throws(GraphError) -> ConstantMatrix {
        guard let (shape, values) = try floatsInput(index, "weights", reader) else { throw reader.fail("it has no weights") }
        guard shape.count == 2, shape.allSatisfy({ $0 >= 1 }) else {
            throw reader.fail("weights `\(reader.node.inputs[index])` of shape \(shape): a matrix expected")
        }
        return ConstantMatrix(stored: shape, values: values, isTransposed: transposed)
    }

    /// Whether a summand is the same for every row of the result, and constant.
    private func isRow(_ index: Int, channels: Int, _ reader: NodeReader) throws(GraphError) -> Bool {
        guard let shape = constants[reader.node.inputs[index]]?.shape else { return false }
        return shape.count <= 1 || shape.count == 2 && shape[0] == 1
    }

    /// `beta · C`, where C is the same for every row of the result.
    private mutating func gemmBias(channels: Int, _ reader: NodeReader) throws(GraphError) -> [Float]? {
        guard let (shape, values) = try floatsInput(2, "bias", reader) else { return nil }
        let beta = try reader.float("beta") ?? 1
        guard values.count == 1 || values.count == channels else {
            throw reader.fail("bias `\(reader.node.inputs[2])` of shape \(shape) does not broadcast to \(channels) features")
        }
        try charge(channels, reader)
        let bias = values.count == 1 ? Array(repeating: values[0], count: channels) : values
        return beta == 1 ? bias : bias.map { $0 * beta }
    }
}

/// A constant that becomes a layer's weights.
private struct ConstantMatrix {
    var stored: [Int]
    var values: [Float]
    /// Stored as [in, out].
    var isTransposed: Bool

    /// [out, in].
    var shape: [Int] { isTransposed ? stored.reversed() : stored }

    /// A Gemm with the weights times `alpha`.
    func layer(_ name: String, alpha: Float = 1, _ bias: [Float]? = nil) -> Layer {
        var weights = isTransposed ? values.transposed(rows: stored[0], columns: stored[1]) : values
        if alpha != 1 { for index in weights.indices { weights[index] *= alpha } }
        return Layer(name: name, operation: .gemm, shape: shape, weights: .float(weights), bias: bias)
    }
}
