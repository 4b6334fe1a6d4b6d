import DNNL
import MultipointGraph

/// Operations that have no weights. They run on floats, but for those that only pass values on, which also do so in 8 bits.
extension NetworkCompiler {
    mutating func emit(_ node: Node) throws {
        switch node.operation {
        case .layer: throw RuntimeError(.unsupported, "node `\(node.name)`: a layer outside of any group")
        case .relu: try emitEltwise(node, .relu(alpha: 0))
        case .leakyRelu(let alpha): try emitEltwise(node, .relu(alpha: alpha))
        case .clip(let minimum, let maximum): try emitEltwise(node, .clip(minimum: minimum, maximum: maximum))
        case .sigmoid: try emitEltwise(node, .sigmoid)
        case .add: try emitBinary(node, .add)
        case .multiply: try emitBinary(node, .multiply)
        case .maxPool(let pooling): try emitPooling(node, .max, pooling, storage(of: node.output).quantization)
        case .averagePool(let pooling, let countsPadding):
            try emitPooling(node, countsPadding ? .averageIncludingPadding : .averageExcludingPadding, pooling)
        case .globalAveragePool: try emitGlobalAveragePool(node)
        case .concat(let axis): try emitConcat(node, axis: axis)
        case .softmax(let axis): try emitSoftmax(node, axis: axis)
        case .flatten, .reshape, .squeeze, .unsqueeze: try emitReshape(node)
        case .transpose(let permutation): try emitTranspose(node, permutation)
        case .slice(let starts, let ends, let axes, let steps): try emitSlice(node, starts, ends, axes, steps)
        case .pad(let pads, let value): try emitPad(node, pads, value)
        }
    }

    private func operationName(_ node: Node) -> String { node.operation.operatorType(layers: network.layers) }

    private mutating func emitEltwise(_ node: Node, _ operation: PostOperation.Eltwise) throws {
        let input = try float(node.inputs[0], value(node.inputs[0]).layout)
        let result = try builder.value(input.shape, input.layout, .float32)
        // The order of elements does not matter, so the tensor is one long vector.
        let flat = try MemoryDescriptor([input.count], .float32)
        builder.append(
            try eltwise(operation, flat), name: node.name, operation: operationName(node),
            [(.source, flat, input.buffer), (.destination, flat, result.buffer)])
        values[node.output] = result
    }

    // MARK: binary

    private mutating func emitBinary(_ node: Node, _ algorithm: BinaryAlgorithm) throws {
        let shape = try self.shape(node.output)
        let layout: Layout = shape.count == 4 ? .channelsLast : .dense
        var (first, second) = (try operand(node.inputs[0], shape, layout), try operand(node.inputs[1], shape, layout))
        if first.shape != shape { swap(&first, &second) }
        if first.shape != shape { first = try broadcast(first, to: shape, layout, node) }
        let result = try builder.value(shape, layout, .float32)
        let (a, b, to) = (try first.descriptor(), try second.descriptor(), try result.descriptor())
        builder.append(
            try binary(algorithm, a, b, destination: to), name: node.name, operation: operationName(node),
            [(.source, a, first.buffer), (.secondSource, b, second.buffer), (.destination, to, result.buffer)])
        values[node.output] = result
    }

    /// An operand with as many dimensions as the result (NumPy broadcasting: ones are put in front).
    private mutating func operand(_ name: String, _ shape: [Int], _ layout: Layout) throws -> StoredValue {
        var value: StoredValue
        if let constant = network.constants[name] {
            value = try constantValue(constant, name)
        } else {
            // A value of fewer dimensions gets ones in front, which is only a relabelling in C order.
            let full = try self.shape(name).count == shape.count
            value = try float(name, full ? layout : .dense)
        }
        value.shape = [Int](repeating: 1, count: shape.count - value.shape.count) + value.shape
        return value
    }

    private func constantValue(_ tensor: Tensor, _ name: String) throws -> StoredValue {
        guard let floats = tensor.floats else {
            throw RuntimeError(.unsupported, "constant `\(name)` holds integers; floats are expected")
        }
        let buffer = try AlignedBuffer(byteCount: floats.count * 4)
        buffer.base.copyMemory(from: floats, byteCount: floats.count * 4)
        return StoredValue(shape: tensor.shape, layout: .dense, type: .float32, buffer: builder.buffer(.constant(buffer)))
    }

    /// A full copy of a value that is repeated along some axes.
    private func broadcast(_ value: StoredValue, to shape: [Int], _ layout: Layout, _ node: Node) throws -> StoredValue {
        let result = try builder.value(shape, layout, .float32)
        let strides = zip(value.shape, value.strides).map { $0 == 1 ? 0 : $1 }
        copy(node, value, strides, 0, result, result.strides, 0, shape)
        return result
    }

    // MARK: pooling

    /// - Parameter quantization: of an 8-bit result, for the maximum only.
    private mutating func emitPooling(
        _ node: Node, _ algorithm: PoolingAlgorithm, _ pooling: Pooling, _ quantization: AffineQuantization? = nil
    ) throws {
        var input = try image(node.inputs[0], quantization)
        let shape = try self.shape(node.output)
        var (algorithm, pads) = (algorithm, pooling.pads)
        var ends = pooling.windowEnds(input: input.shape, output: shape)
        // The divisor counts declared padding, not what ceil_mode adds beyond it: make the declared part real.
        if algorithm == .averageIncludingPadding, ends[0] > pads[2] || ends[1] > pads[3] {
            input = try pad(input, [0, 0, pads[0], pads[1]], [0, 0, pads[2], pads[3]], 0, node)
            (algorithm, ends) = (.averageExcludingPadding, [ends[0] - pads[2], ends[1] - pads[3]])
            pads = [0, 0, 0, 0]
        }
        let window = Window(
            kernel: pooling.kernel, strides: pooling.strides, pads: [pads[0], pads[1], ends[0], ends[1]],
            dilations: pooling.dilations)
        try emitPooling(node, algorithm, input, shape, window)
    }

    private mutating func emitGlobalAveragePool(_ node: Node) throws {
        let input = try image(node.inputs[0])
        guard input.shape.count == 4 else {
            throw RuntimeError(.unsupported, "node `\(node.name)`: 4 dimensions expected, found shape \(input.shape)")
        }
        let window = Window(
            kernel: Array(input.shape[2...]), strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1])
        try emitPooling(node, .averageExcludingPadding, input, shape(node.output), window)
    }

    private mutating func emitPooling(
        _ node: Node, _ algorithm: PoolingAlgorithm, _ input: StoredValue, _ shape: [Int], _ window: Window
    ) throws {
        let result = try builder.value(shape, .channelsLast, input.type, input.quantization)
        let (from, to) = (try input.descriptor(), try result.descriptor())
        builder.append(
            try pooling(algorithm, source: from, destination: to, window: window), name: node.name, operation: operationName(node),
            [(.source, from, input.buffer), (.destination, to, result.buffer)])
        values[node.output] = result
    }

    // MARK: concatenation, softmax

    private mutating func emitConcat(_ node: Node, axis: Int) throws {
        let quantization = try shape(node.output).count == 4 ? storage(of: node.output).quantization : nil
        let inputs = try node.inputs.map { try image($0, quantization) }
        guard inputs.count > 1 else {
            values[node.output] = inputs.first
            return
        }
        let shape = try self.shape(node.output)
        let result = try builder.value(
            shape, shape.count == 4 ? .channelsLast : .dense, quantization == nil ? .float32 : .uint8, quantization)
        let (from, to) = (try inputs.map { try $0.descriptor() }, try result.descriptor())
        var operands: [(Argument, MemoryDescriptor, BufferID)] = [(.destination, to, result.buffer)]
        for (index, input) in inputs.enumerated() { operands.append((.multiple(index), from[index], input.buffer)) }
        builder.append(
            try concatenation(from, axis: axis, destination: to), name: node.name, operation: operationName(node), operands)
        values[node.output] = result
    }

    private mutating func emitSoftmax(_ node: Node, axis: Int) throws {
        let input = try float(node.inputs[0], .dense)
        let result = try builder.value(input.shape, .dense, .float32)
        let descriptor = try input.descriptor()
        builder.append(
            try softmax(descriptor, axis: axis), name: node.name, operation: operationName(node),
            [(.source, descriptor, input.buffer), (.destination, descriptor, result.buffer)])
        values[node.output] = result
    }

    // MARK: moving elements

    /// The same elements in C order under another shape.
    private mutating func emitReshape(_ node: Node) throws {
        var input = try float(node.inputs[0], .dense)
        input.shape = try shape(node.output)
        values[node.output] = input
    }

    private mutating func emitTranspose(_ node: Node, _ permutation: [Int]) throws {
        let input = try float(node.inputs[0], value(node.inputs[0]).layout)
        let shape = try self.shape(node.output)
        let result = try builder.value(shape, .dense, .float32)
        let strides = input.strides
        let (from, to) = (
            try MemoryDescriptor(shape, .float32, strides: permutation.map { strides[$0] }), try result.descriptor()
        )
        builder.append(
            try reorder(from: from, to: to), name: node.name, operation: operationName(node),
            [(.source, from, input.buffer), (.destination, to, result.buffer)])
        values[node.output] = result
    }

    private mutating func emitSlice(_ node: Node, _ starts: [Int], _ ends: [Int], _ axes: [Int], _ steps: [Int]) throws {
        let input = try image(node.inputs[0])
        let shape = try self.shape(node.output)
        let result = try builder.value(shape, input.layout, .float32)
        var (strides, offset) = (input.strides, 0)
        for (index, axis) in axes.enumerated() {
            let range = SliceRange(start: starts[index], end: ends[index], step: steps[index], size: input.shape[axis])
            guard let range, range.count == shape[axis] else {
                throw RuntimeError(.invalidArgument, "node `\(node.name)`: its bounds do not fit axis \(axis) of shape \(input.shape)")
            }
            offset += range.first * strides[axis]
            // A step that is never taken may be as large as an integer gets.
            if range.count > 1 { strides[axis] *= range.step }
        }
        copy(node, input, strides, offset, result, result.strides, 0, shape)
        values[node.output] = result
    }

    private mutating func emitPad(_ node: Node, _ pads: [Int], _ value: Float) throws {
        let input = try image(node.inputs[0])
        let rank = input.shape.count
        values[node.output] = try pad(input, Array(pads[..<rank]), Array(pads[rank...]), value, node)
    }

    private func pad(_ input: StoredValue, _ begins: [Int], _ ends: [Int], _ value: Float, _ node: Node) throws -> StoredValue {
        let shape = input.shape.indices.map { input.shape[$0] + begins[$0] + ends[$0] }
        let result = try builder.value(shape, input.layout, .float32)
        let offset = zip(begins, result.strides).reduce(0) { $0 + $1.0 * $1.1 }
        copy(node, input, input.strides, 0, result, result.strides, offset, input.shape, fill: (value, result.count))
        return result
    }

    private func copy(
        _ node: Node, _ source: StoredValue, _ sourceStrides: [Int], _ sourceOffset: Int, _ destination: StoredValue,
        _ destinationStrides: [Int], _ destinationOffset: Int, _ shape: [Int], fill: (value: Float, count: Int)? = nil
    ) {
        // The innermost loop runs over the axis that is contiguous in the destination.
        let order = shape.indices.sorted { (destinationStrides[$0], $1) > (destinationStrides[$1], $0) }
        builder.append(
            StridedCopyStep(
                name: node.name, operation: operationName(node), source: source.buffer, destination: destination.buffer,
                shape: order.map { shape[$0] }, sourceStrides: order.map { sourceStrides[$0] }, sourceOffset: sourceOffset,
                destinationStrides: order.map { destinationStrides[$0] }, destinationOffset: destinationOffset, fill: fill))
    }
}

extension Pooling {
    /// Bottom and right padding that make the output's last windows fit.
    func windowEnds(input: [Int], output: [Int]) -> [Int] {
        (0..<2).map { axis in
            let extent = (kernel[axis] - 1) * dilations[axis] + 1
            return max(0, (output[axis + 2] - 1) * strides[axis] + extent - input[axis + 2] - pads[axis])
        }
    }
}
