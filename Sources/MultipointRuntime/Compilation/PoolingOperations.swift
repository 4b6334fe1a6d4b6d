import CElementwise
import DNNL
import MultipointGraph

/// Windows over images.
extension NetworkCompiler {
    mutating func emitMaximumPool(_ node: Node, _ pooling: Pooling) throws {
        let input = try passed(node.inputs[0], storage(of: node.output))
        let shape = try self.shape(node.output)
        let result = try builder.value(shape, .channelsLast, input.type, input.quantization)
        try emitPool(node, .max, pooling.window(input.shape, shape), input, result)
    }

    mutating func emitAveragePool(_ node: Node, _ pooling: Pooling, countsPadding: Bool) throws {
        let stored = try value(node.inputs[0])
        let shape = try self.shape(node.output)
        let ends = pooling.windowEnds(input: stored.shape, output: shape)
        let isPadded = (pooling.pads + ends).contains { $0 > 0 }
        // A window that is partly padding divides by what it covers, which leaves the zero point of real zeros out of the sum.
        if !countsPadding || !isPadded, try emitAverage(node, pooling.window(stored.shape, shape)) { return }
        var input = try image(node.inputs[0])
        // The divisor counts declared padding, not what ceil_mode adds beyond it: make the declared part real.
        if countsPadding, ends[0] > pooling.pads[2] || ends[1] > pooling.pads[3] {
            let pads = pooling.pads
            input = try pad(input, [0, 0, pads[0], pads[1]], [0, 0, pads[2], pads[3]], 0, node)
            var rest = pooling.window(stored.shape, shape)
            rest.pads = [0, 0, ends[0] - pads[2], ends[1] - pads[3]]
            return try emitFloatAverage(node, .averageExcludingPadding, input, rest)
        }
        try emitFloatAverage(
            node, countsPadding ? .averageIncludingPadding : .averageExcludingPadding, input, pooling.window(stored.shape, shape))
    }

    mutating func emitGlobalAveragePool(_ node: Node) throws {
        let shape = try self.shape(node.inputs[0])
        guard shape.count == 4 else {
            throw RuntimeError(.unsupported, "node `\(node.name)`: 4 dimensions expected, found shape \(shape)")
        }
        let window = Window(kernel: Array(shape[2...]), strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1])
        if try emitAverage(node, window) { return }
        try emitFloatAverage(node, .averageExcludingPadding, image(node.inputs[0]), window)
    }

    /// From 8 bits to 8 bits, of another quantization where the reader wants it. False if the operand or the result is float, or oneDNN
    /// has nothing better than its reference implementation.
    mutating func emitAverage(_ node: Node, _ window: Window, resultShape: [Int]? = nil) throws -> Bool {
        let stored = try value(node.inputs[0])
        let storage = storage(of: node.output)
        guard storage != .float, let from = stored.quantization else { return false }
        let to = storage.quantization ?? from
        try to.requireInverse(node.name)
        let input = try passed(node.inputs[0], storage)
        let result = try builder.value(resultShape ?? shape(node.output), .channelsLast, .uint8, to)
        var attributes = Attributes()
        if from != to {
            let factor = from.scale / to.scale
            let shift = Float(to.zeroPoint) - factor * Float(from.zeroPoint)
            attributes.postOperations = [.eltwise(.linear(scale: factor, shift: shift))]
        }
        let primitive = try pool(.averageExcludingPadding, window, input, result, attributes)
        guard !primitive.isReference else { return false }
        try append(primitive, node, window, input, result)
        values[node.output] = result
        return true
    }

    private mutating func emitFloatAverage(
        _ node: Node, _ algorithm: PoolingAlgorithm, _ input: StoredValue, _ window: Window
    ) throws {
        // oneDNN adds up a window one by one in float32: over a large image that costs digits, which our sums in double precision keep.
        // Small ones take oneDNN a third of the time.
        let isWhole = window.kernel == Array(input.shape[2...]) && window.pads.allSatisfy { $0 == 0 }
        if isWhole, window.kernel[0] * window.kernel[1] > 512 {
            return try emitAlong(node, [2, 3], .reduce(MULTIPOINT_REDUCE_MEAN), input)
        }
        let result = try builder.value(shape(node.output), .channelsLast, .float32)
        try emitPool(node, algorithm, window, input, result)
    }

    /// By oneDNN, or by our own loop where it has its reference implementation only.
    private mutating func emitPool(
        _ node: Node, _ algorithm: PoolingAlgorithm, _ window: Window, _ input: StoredValue, _ result: StoredValue
    ) throws {
        values[node.output] = result
        let primitive = try pool(algorithm, window, input, result)
        guard primitive.isReference else { return try append(primitive, node, window, input, result) }
        builder.append(
            PoolStep(
                name: node.name, operation: operationName(node), algorithm: algorithm, window: window, source: input,
                destination: result, threads: builder.threads))
    }

    private func pool(
        _ algorithm: PoolingAlgorithm, _ window: Window, _ input: StoredValue, _ result: StoredValue,
        _ attributes: Attributes = Attributes()
    ) throws -> Primitive {
        try pooling(
            algorithm, source: input.descriptor(), destination: result.descriptor(), window: window, attributes)
    }

    private func append(
        _ pooling: Primitive, _ node: Node, _ window: Window, _ input: StoredValue, _ result: StoredValue
    ) throws {
        try builder.append(
            pooling, name: node.name, operation: operationName(node),
            [(.source, input.descriptor(), input.buffer), (.destination, result.descriptor(), result.buffer)],
            visits: window.visits(of: result.shape))
    }
}

extension Pooling {
    /// The window with bottom and right padding that make the output's last windows fit.
    fileprivate func window(_ input: [Int], _ output: [Int]) -> Window {
        let ends = windowEnds(input: input, output: output)
        return Window(kernel: kernel, strides: strides, pads: [pads[0], pads[1], ends[0], ends[1]], dilations: dilations)
    }

    /// Bottom and right padding that make the output's last windows fit.
    func windowEnds(input: [Int], output: [Int]) -> [Int] {
        (0..<2).map { axis in
            let extent = (kernel[axis] - 1) * dilations[axis] + 1
            return max(0, (output[axis + 2] - 1) * strides[axis] + extent - input[axis + 2] - pads[axis])
        }
    }
}
