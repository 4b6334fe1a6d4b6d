import DNNL
import MultipointGraph

/// Operations that have no weights. Those that pass values on, average them or compute single ones run in 8 bits where their operands
/// and readers are, the others on floats.
extension NetworkCompiler {
    mutating func emit(_ node: Node) throws {
        switch node.operation {
        case .layer: throw RuntimeError(.unsupported, "node `\(node.name)`: a layer outside of any group")
        case .elementwise(.relu): try emitEltwise(node, .relu(alpha: 0))
        case .elementwise(.leakyRelu(let alpha)): try emitEltwise(node, .relu(alpha: alpha))
        case .elementwise(.clip(let minimum, let maximum)): try emitEltwise(node, .clip(minimum: minimum, maximum: maximum))
        case .elementwise(.sigmoid): try emitEltwise(node, .sigmoid)
        case .binary(.add): try emitBinary(node, .add)
        case .binary(.multiply): try emitBinary(node, .multiply)
        case .maxPool(let pooling): try emitMaximumPool(node, pooling)
        case .averagePool(let pooling, let countsPadding): try emitAveragePool(node, pooling, countsPadding: countsPadding)
        case .globalAveragePool: try emitGlobalAveragePool(node)
        case .concat(let axis): try emitConcat(node, axis: axis)
        case .softmax(let axis): try emitSoftmax(node, axis: axis)
        case .flatten, .reshape, .squeeze, .unsqueeze: try emitReshape(node)
        case .transpose(let permutation): try emitTranspose(node, permutation)
        case .slice(let starts, let ends, let axes, let steps): try emitSlice(node, starts, ends, axes, steps)
        case .pad(let pads, .constant(let value)): try emitPad(node, pads, value)
        default: throw RuntimeError(.unsupported, "node `\(node.name)`: \(operationName(node)) cannot be run yet")
        }
    }

    private func operationName(_ node: Node) -> String { node.operation.operatorType(layers: network.layers) }

    private mutating func emitEltwise(_ node: Node, _ operation: PostOperation.Eltwise) throws {
        if try emitTable(node) { return }
        let input = try float(node.inputs[0], value(node.inputs[0]).layout)
        let result = try builder.value(input.shape, input.layout, .float32)
        // The order of elements does not matter, so the tensor is one long vector.
        let flat = try MemoryDescriptor([input.count], .float32)
        builder.append(
            try eltwise(operation, flat), name: node.name, operation: operationName(node),
            [(.source, flat, input.buffer), (.destination, flat, result.buffer)])
        values[node.output] = result
    }

    /// An activation from 8 bits to 8 bits. False if the operand or the result is float.
    private mutating func emitTable(_ node: Node) throws -> Bool {
        let input = try value(node.inputs[0])
        guard let from = input.quantization, let to = storage(of: node.output).quantization, let activation = node.operation.activation
        else { return false }
        try to.requireInverse(node.name)
        let result = try builder.value(input.shape, input.layout, .uint8, to)
        builder.append(
            LookUpStep(
                name: node.name, operation: operationName(node), source: input.buffer, destination: result.buffer, count: input.count,
                table: LookUpStep.table(from: from, to: to) { activation($0) }, threads: builder.threads))
        values[node.output] = result
        return true
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

    private mutating func emitMaximumPool(_ node: Node, _ pooling: Pooling) throws {
        let input = try passed(node.inputs[0], storage(of: node.output))
        let shape = try self.shape(node.output)
        let result = try builder.value(shape, .channelsLast, input.type, input.quantization)
        try append(pool(.max, pooling.window(input.shape, shape), input, result), node, input, result)
        values[node.output] = result
    }

    private mutating func emitAveragePool(_ node: Node, _ pooling: Pooling, countsPadding: Bool) throws {
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

    private mutating func emitGlobalAveragePool(_ node: Node) throws {
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
    private mutating func emitAverage(_ node: Node, _ window: Window) throws -> Bool {
        let stored = try value(node.inputs[0])
        let storage = storage(of: node.output)
        guard storage != .float, let from = stored.quantization else { return false }
        let to = storage.quantization ?? from
        try to.requireInverse(node.name)
        let input = try passed(node.inputs[0], storage)
        let result = try builder.value(shape(node.output), .channelsLast, .uint8, to)
        var attributes = Attributes()
        if from != to {
            let factor = from.scale / to.scale
            let shift = Float(to.zeroPoint) - factor * Float(from.zeroPoint)
            attributes.postOperations = [.eltwise(.linear(scale: factor, shift: shift))]
        }
        let primitive = try pool(.averageExcludingPadding, window, input, result, attributes)
        guard !primitive.isReference else { return false }
        try append(primitive, node, input, result)
        values[node.output] = result
        return true
    }

    private mutating func emitFloatAverage(
        _ node: Node, _ algorithm: PoolingAlgorithm, _ input: StoredValue, _ window: Window
    ) throws {
        let result = try builder.value(shape(node.output), .channelsLast, .float32)
        try append(pool(algorithm, window, input, result), node, input, result)
        values[node.output] = result
    }

    private func pool(
        _ algorithm: PoolingAlgorithm, _ window: Window, _ input: StoredValue, _ result: StoredValue,
        _ attributes: Attributes = Attributes()
    ) throws -> Primitive {
        try pooling(
            algorithm, source: input.descriptor(), destination: result.descriptor(), window: window, attributes)
    }

    private func append(_ pooling: Primitive, _ node: Node, _ input: StoredValue, _ result: StoredValue) throws {
        builder.append(
            pooling, name: node.name, operation: operationName(node),
            [(.source, try input.descriptor(), input.buffer), (.destination, try result.descriptor(), result.buffer)])
    }

    // MARK: concatenation, softmax

    private mutating func emitConcat(_ node: Node, axis: Int) throws {
        let storage = storage(of: node.output)
        let shape = try self.shape(node.output)
        let layout: Layout = shape.count == 4 ? .channelsLast : .dense
        var inputs = try node.inputs.map { try passed($0, storage) }
        // All in one quantization, or all in float: nobody knows the range of operands that differ, where the file does not tell.
        let common = inputs.allSatisfy { $0.quantization == inputs.first?.quantization } ? inputs.first?.quantization : nil
        let quantization = inputs.allSatisfy { $0.type == .uint8 } ? storage.quantization ?? common : nil
        inputs = try node.inputs.map { try converted($0, layout, quantization == nil ? .float32 : .uint8, quantization) }
        guard inputs.count > 1 else {
            values[node.output] = inputs.first
            return
        }
        let result = try builder.value(shape, layout, quantization == nil ? .float32 : .uint8, quantization)
        // Axes in the order of memory: what lies inside of the joined one is copied with it.
        let order = layout == .dense ? Array(shape.indices) : [0] + (2..<shape.count) + [1]
        let place = order.firstIndex(of: axis) ?? 0
        let inner = order[place...]
        builder.append(
            ConcatStep(
                name: node.name,
                sources: inputs.map { input in
                    (input.buffer, inner.reduce(input.type.byteCount) { $0 * input.shape[$1] })
                }, destination: result.buffer, outer: order[..<place].reduce(1) { $0 * shape[$1] }, threads: builder.threads))
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
        let stored = try value(node.inputs[0])
        let isQuantized = stored.type == .uint8 && storage(of: node.output) != .float
        var input = try converted(node.inputs[0], .dense, isQuantized ? .uint8 : .float32, isQuantized ? stored.quantization : nil)
        input.shape = try shape(node.output)
        values[node.output] = input
    }

    private mutating func emitTranspose(_ node: Node, _ permutation: [Int]) throws {
        let stored = try value(node.inputs[0])
        let isQuantized = stored.type == .uint8 && storage(of: node.output) != .float
        let input = isQuantized ? stored : try float(node.inputs[0], stored.layout)
        let shape = try self.shape(node.output)
        let result = try builder.value(shape, .dense, input.type, input.quantization)
        let strides = input.strides
        let (from, to) = (
            try MemoryDescriptor(shape, input.type, strides: permutation.map { strides[$0] }), try result.descriptor()
        )
        builder.append(
            try reorder(from: from, to: to), name: node.name, operation: operationName(node),
            [(.source, from, input.buffer), (.destination, to, result.buffer)])
        values[node.output] = result
    }

    private mutating func emitSlice(_ node: Node, _ starts: [Int], _ ends: [Int], _ axes: [Int], _ steps: [Int]) throws {
        let input = try passed(node.inputs[0], storage(of: node.output))
        let shape = try self.shape(node.output)
        let result = try builder.value(shape, input.layout, input.type, input.quantization)
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
        let storage = storage(of: node.output)
        var input = try passed(node.inputs[0], storage)
        if let quantization = input.quantization, !quantization.covers(value) {
            // The elements that it adds are beyond the input's range.
            let wider = storage.quantization.flatMap { $0.covers(value) ? $0 : nil }
            input = try wider.map { try converted(node.inputs[0], input.layout, .uint8, $0) } ?? float(node.inputs[0], input.layout)
        }
        let rank = input.shape.count
        values[node.output] = try pad(input, Array(pads[..<rank]), Array(pads[rank...]), value, node)
    }

    private func pad(_ input: StoredValue, _ begins: [Int], _ ends: [Int], _ value: Float, _ node: Node) throws -> StoredValue {
        let shape = input.shape.indices.map { input.shape[$0] + begins[$0] + ends[$0] }
        let result = try builder.value(shape, input.layout, input.type, input.quantization)
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
                destinationStrides: order.map { destinationStrides[$0] }, destinationOffset: destinationOffset,
                fill: fill.map { (source.element($0.value), $0.count) }, elementByteCount: source.type.byteCount))
    }
}

extension StoredValue {
    /// A real number as the value's elements hold it, in the low bits.
    fileprivate func element(_ real: Float) -> UInt32 {
        guard let quantization else { return real.bitPattern }
        let stored = (real / quantization.scale).rounded(.toNearestOrEven) + Float(quantization.zeroPoint)
        return UInt32(max(0, min(255, stored.isNaN ? 0 : stored)))
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

extension AffineQuantization {
    /// Whether 8 bits hold a value without cutting it off.
    fileprivate func covers(_ value: Float) -> Bool {
        let stored = value / scale + Float(zeroPoint)
        return stored >= -0.5 && stored <= 255.5
    }
}
