/// A value that goes into an operation.
struct Operand {
    var name: String
    var shape: [Int]
}

/// Bounds of every tensor in a network.
enum TensorLimits {
    /// Dimensions, `MULTIPOINT_MAX_RANK` of the C header.
    static let rank = 8
    /// Elements: what 32-bit indices reach.
    static let count = Int(Int32.max)
    /// Elements of a constant that a translation makes.
    static let computedCount = 1 << 26
    /// Strides, dilations, kernel sizes and pads; keeps products of two of them far from overflow.
    static let attribute = 1 << 20
    /// Pads of a convolution. oneDNN writes code for every padded column: half a kilobyte and some microseconds each, and eight times as
    /// much for some kernels. A file of a few bytes could ask for gigabytes.
    static let convolutionPad = 1 << 14
}

extension Operation {
    /// The shape of the operation's result.
    ///
    /// Nothing is assumed of the attributes: a `Network` can be built by hand.
    /// - Parameters:
    ///   - node: the node's name, for messages.
    ///   - layer: the layer that a `.layer` operation names.
    /// - Throws: `GraphError` naming the node, what was expected and what was found.
    func outputShape(node: String, inputs: [Operand], layer: Layer?) throws(GraphError) -> [Int] {
        let rule = ShapeRule(node: node, inputs: inputs)
        let shape = try outputShape(rule, layer: layer)
        try rule.checkSize(shape)
        return shape
    }

    private func outputShape(_ rule: ShapeRule, layer: Layer?) throws(GraphError) -> [Int] {
        switch self {
        case .layer(let name):
            guard let layer else { throw rule.fail("there is no layer `\(name)`") }
            return try rule.layer(layer)
        case .elementwise(let function): return try rule.elementwise(function)
        case .binary: return try rule.broadcast()
        case .prelu: return try rule.prelu()
        case .matrixProduct: return try rule.matrixProduct()
        case .maxPool(let pooling), .averagePool(let pooling, countsPadding: _): return try rule.pool(pooling)
        case .globalAveragePool: return try rule.globalPool()
        case .reduce(_, let axes, let keeps): return try rule.reduce(axes: axes, keepsDimensions: keeps)
        case .argument(_, let axis, let keeps, _): return try rule.reduce(axes: [axis], keepsDimensions: keeps)
        case .softmax(let axis), .logSoftmax(let axis): return try rule.along(axis: axis)
        case .layerNormalization(let axis, let epsilon): return try rule.layerNormalization(axis: axis, epsilon: epsilon)
        case .localResponseNormalization(let size, let alpha, let beta, let bias):
            return try rule.localResponseNormalization(size: size, [alpha, beta, bias])
        case .concat(let axis): return try rule.concat(axis: axis)
        case .flatten(let axis): return try rule.flatten(axis: axis)
        case .reshape(let target, let allowZero): return try rule.reshape(target, allowZero: allowZero)
        case .squeeze(let axes): return try rule.squeeze(axes: axes)
        case .unsqueeze(let axes): return try rule.unsqueeze(axes: axes)
        case .transpose(let permutation): return try rule.transpose(permutation)
        case .slice(let starts, let ends, let axes, let steps):
            return try rule.slice(starts: starts, ends: ends, axes: axes, steps: steps)
        case .expand(let shape): return try rule.expand(shape)
        case .gather(let indices, let shape, let axis): return try rule.gather(indices, shape: shape, axis: axis)
        case .pad(let pads, let padding): return try rule.pad(pads, padding)
        case .resize(let resize): return try rule.resize(resize)
        case .depthToSpace(let blockSize, _): return try rule.depthToSpace(blockSize)
        case .spaceToDepth(let blockSize): return try rule.spaceToDepth(blockSize)
        }
    }
}

/// One node under shape inference; the rules are in extensions, a file per family of operators.
struct ShapeRule {
    let node: String
    let inputs: [Operand]

    func fail(_ problem: String) -> GraphError { GraphError(node: node, problem) }

    /// The operand of an operation that has one.
    func only() throws(GraphError) -> Operand {
        guard inputs.count == 1 else { throw fail("one input expected, found \(inputs.count)") }
        return inputs[0]
    }

    /// The operand of an operation over images.
    func onlyImage() throws(GraphError) -> Operand {
        let input = try only()
        guard input.shape.count == 4 else {
            throw fail("an input of 4 dimensions (N, C, H, W) expected, `\(input.name)` has shape \(input.shape)")
        }
        return input
    }

    func checkAxis(_ axis: Int, of input: Operand) throws(GraphError) {
        guard input.shape.indices.contains(axis) else {
            throw fail("axis \(axis) does not exist in `\(input.name)` of shape \(input.shape)")
        }
    }

    /// Axes that are not repeated and all exist in `rank` dimensions.
    func checkAxes(_ axes: [Int], rank: Int, _ whose: String) throws(GraphError) {
        guard axes.allSatisfy({ (0..<rank).contains($0) }), Set(axes).count == axes.count else {
            throw fail("axes \(axes): different numbers from 0 to \(rank - 1) expected for \(whose)")
        }
    }

    func checkSize(_ shape: [Int]) throws(GraphError) {
        guard shape.count <= TensorLimits.rank else {
            throw fail("a result of \(shape.count) dimensions; up to \(TensorLimits.rank) are possible")
        }
        guard let count = elementCount(of: shape), count >= 1 else {
            throw fail("the result is empty or too large: shape \(shape)")
        }
        guard count <= TensorLimits.count else {
            throw fail("a result of shape \(shape) has \(count) elements; up to \(TensorLimits.count) are possible")
        }
    }
}
