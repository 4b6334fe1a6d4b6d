extension Network {
    /// The shape of every value (inputs and results of nodes; not constants) for a batch size.
    ///
    /// Sizes are at least 1, a shape has at most 8 dimensions and 2³¹ − 1 elements.
    /// - Throws: `GraphError` naming the first node that does not fit its inputs.
    public func shapes(batch: Int) throws(GraphError) -> [String: [Int]] {
        guard batch >= 1 else { throw GraphError("batch \(batch): at least 1 expected") }
        var shapes: [String: [Int]] = [:]
        for input in inputs {
            try input.checkInput(batch: batch)
            guard shapes.updateValue(input.shape(batch: batch), forKey: input.name) == nil else {
                throw GraphError("two inputs are called `\(input.name)`")
            }
        }
        for node in nodes {
            let shape = try node.outputShape(shapes: shapes, constants: constants, layers: layers)
            guard constants[node.output] == nil, shapes.updateValue(shape, forKey: node.output) == nil else {
                throw GraphError(node: node.name, "its output `\(node.output)` is already the name of another value")
            }
        }
        for output in outputs where shapes[output.name] == nil {
            throw GraphError("output `\(output.name)`: nothing computes it")
        }
        return shapes
    }
}

extension Node {
    /// - Parameters:
    ///   - shapes: of the values computed so far.
    func outputShape(
        shapes: [String: [Int]], constants: [String: Tensor], layers: [String: Layer]
    ) throws(GraphError) -> [Int] {
        var operands: [Operand] = []
        for input in inputs { operands.append(Operand(name: input, shape: try operandShape(input, shapes, constants))) }
        var layer: Layer?
        if case .layer(let name) = operation { layer = layers[name] }
        return try operation.outputShape(node: name, inputs: operands, layer: layer)
    }

    private func operandShape(
        _ input: String, _ shapes: [String: [Int]], _ constants: [String: Tensor]
    ) throws(GraphError) -> [Int] {
        if let shape = shapes[input] { return shape }
        guard let constant = constants[input] else {
            throw GraphError(node: name, "input `\(input)` is not computed before it")
        }
        guard operation.takesConstants else {
            throw GraphError(node: name, "input `\(input)` is a constant; a computed value expected", kind: .unsupported)
        }
        guard let count = elementCount(of: constant.shape), count >= 1, constant.floats?.count == count else {
            throw GraphError(node: name, "constant `\(input)`: \(constant.shape) float elements expected")
        }
        return constant.shape
    }
}

extension ValueInfo {
    /// - Throws: `GraphError` unless this is the shape of an input that can be provided.
    func checkInput(batch: Int) throws(GraphError) {
        guard !shape.dropFirst().contains(.batch) else {
            throw GraphError("input `\(name)`: the batch has to be its first dimension", kind: .unsupported)
        }
        guard shape.count <= TensorLimits.rank else {
            throw GraphError("input `\(name)`: \(shape.count) dimensions; up to \(TensorLimits.rank) are possible")
        }
        let sizes = shape(batch: batch)
        guard let count = elementCount(of: sizes), (1...TensorLimits.count).contains(count) else {
            throw GraphError(
                "input `\(name)`: shape \(sizes); sizes from 1 with a product up to \(TensorLimits.count) expected")
        }
    }
}

extension Operation {
    /// Whether an operand may be a constant.
    fileprivate var takesConstants: Bool {
        switch self {
        case .binary, .prelu, .matrixProduct: true
        default: false
        }
    }
}
