import DNNL
import MultipointGraph

/// Operations that choose, join and move elements: floats or bytes, as they come.
extension NetworkCompiler {
    mutating func emitConcat(_ node: Node, axis: Int) throws {
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

    /// The same elements in C order under another shape.
    mutating func emitReshape(_ node: Node) throws {
        let stored = try value(node.inputs[0])
        let isQuantized = stored.type == .uint8 && storage(of: node.output) != .float
        var input = try converted(node.inputs[0], .dense, isQuantized ? .uint8 : .float32, isQuantized ? stored.quantization : nil)
        input.shape = try shape(node.output)
        values[node.output] = input
    }

    mutating func emitTranspose(_ node: Node, _ permutation: [Int]) throws {
        let stored = try value(node.inputs[0])
        let isQuantized = stored.type == .uint8 && storage(of: node.output) != .float
        let input = isQuantized ? stored : try float(node.inputs[0], stored.layout)
        let shape = try self.shape(node.output)
        // NHWC to NCHW and back: the elements stay where they are, if they lie so already.
        if shape.count == 4, input.layout == .dense, permutation == [0, 3, 1, 2] {
            return values[node.output] = input.relabelled(shape, .channelsLast)
        }
        if shape.count == 4, input.layout == .channelsLast, permutation == [0, 2, 3, 1] {
            return values[node.output] = input.relabelled(shape, .dense)
        }
        let result = try builder.value(shape, .dense, input.type, input.quantization)
        let strides = input.strides
        let (from, to) = (
            try MemoryDescriptor(shape, input.type, strides: permutation.map { strides[$0] }), try result.descriptor()
        )
        try builder.append(
            reorder(from: from, to: to), name: node.name, operation: operationName(node),
            [(.source, from, input.buffer), (.destination, to, result.buffer)])
        values[node.output] = result
    }

    mutating func emitSlice(_ node: Node, _ starts: [Int], _ ends: [Int], _ axes: [Int], _ steps: [Int]) throws {
        let input = try passed(node.inputs[0], storage(of: node.output))
        let shape = try self.shape(node.output)
        let strides = input.strides
        var copied = zip(shape, strides).map { CopyAxis(size: $0, stride: $1) }
        var offset = 0
        for (index, axis) in axes.enumerated() {
            let range = SliceRange(start: starts[index], end: ends[index], step: steps[index], size: input.shape[axis])
            guard let range, range.count == shape[axis] else {
                throw RuntimeError(.invalidArgument, "node `\(node.name)`: its bounds do not fit axis \(axis) of shape \(input.shape)")
            }
            offset += range.first * strides[axis]
            // A step that is never taken may be as large as an integer gets.
            if range.count > 1 { copied[axis].stride = strides[axis] * range.step }
        }
        try rearrange(node, input, copied, offset: offset)
    }

    mutating func emitExpand(_ node: Node) throws {
        var input = try passed(node.inputs[0], storage(of: node.output))
        let shape = try self.shape(node.output)
        if input.shape.count < shape.count {
            // Ones in front of a tensor in C order are only a relabelling.
            input = try converted(node.inputs[0], .dense, input.type, input.quantization)
            input.shape = [Int](repeating: 1, count: shape.count - input.shape.count) + input.shape
        }
        let strides = input.strides
        try rearrange(node, input, shape.indices.map { CopyAxis(size: shape[$0], stride: input.shape[$0] == 1 ? 0 : strides[$0]) })
    }

    mutating func emitGather(_ node: Node, _ indices: [Int], _ indexShape: [Int], axis: Int) throws {
        var input = try passed(node.inputs[0], storage(of: node.output))
        let shape = try self.shape(node.output)
        // Positions along one axis are one axis of the result, whichever way it is laid out; along several, in C order only.
        if indexShape.count != 1 { input = try converted(node.inputs[0], .dense, input.type, input.quantization) }
        let strides = input.strides
        try chargeTable(indices.count, node)
        var axes = zip(input.shape, strides).map { CopyAxis(size: $0, stride: $1) }
        axes[axis] = CopyAxis(positions: indices, stride: strides[axis])
        guard indexShape.count != 1 else { return try rearrange(node, input, axes) }
        let result = try builder.value(shape, .dense, input.type, input.quantization)
        rearrange(node, input, axes, to: result)
        values[node.output] = result
    }

    /// Margins that repeat elements.
    mutating func emitPad(_ node: Node, _ pads: [Int], mirrored padding: Padding) throws {
        let input = try passed(node.inputs[0], storage(of: node.output))
        let shape = try self.shape(node.output)
        let strides = input.strides
        for axis in shape.indices { try chargeTable(shape[axis], node) }
        let axes = shape.indices.map { axis in
            let size = input.shape[axis]
            let positions = (0..<shape[axis]).map { padding.source(of: $0 - pads[axis], size: size) }
            return CopyAxis(positions: positions, stride: strides[axis])
        }
        try rearrange(node, input, axes)
    }

    /// [N, by · bx · C, H, W] to [N, C, H · by, W · bx], channels in either order.
    mutating func emitDepthToSpace(_ node: Node, _ block: Int, _ order: DepthOrder) throws {
        let input = try passed(node.inputs[0], storage(of: node.output))
        let shape = try self.shape(node.output)
        let (n, c, h, w) = (input.strides[0], input.strides[1], input.strides[2], input.strides[3])
        let channelStride = order == .depthColumnRow ? c : c * block * block
        let blockStride = order == .depthColumnRow ? c * shape[1] : c
        let result = try builder.value(shape, .channelsLast, input.type, input.quantization)
        rearrange(
            node, input,
            [
                CopyAxis(size: shape[0], stride: n), CopyAxis(size: input.shape[2], stride: h),
                CopyAxis(size: block, stride: blockStride * block), CopyAxis(size: input.shape[3], stride: w),
                CopyAxis(size: block, stride: blockStride), CopyAxis(size: shape[1], stride: channelStride),
            ], to: result)
        values[node.output] = result
    }

    /// [N, C, H, W] to [N, by · bx · C, H / by, W / bx].
    mutating func emitSpaceToDepth(_ node: Node, _ block: Int) throws {
        let input = try passed(node.inputs[0], storage(of: node.output))
        let shape = try self.shape(node.output)
        let (n, c, h, w) = (input.strides[0], input.strides[1], input.strides[2], input.strides[3])
        let result = try builder.value(shape, .channelsLast, input.type, input.quantization)
        rearrange(
            node, input,
            [
                CopyAxis(size: shape[0], stride: n), CopyAxis(size: shape[2], stride: h * block),
                CopyAxis(size: shape[3], stride: w * block), CopyAxis(size: block, stride: h), CopyAxis(size: block, stride: w),
                CopyAxis(size: input.shape[1], stride: c),
            ], to: result)
        values[node.output] = result
    }

    /// - Parameter axes: of the result, in ONNX order; it is laid out as its rank wants.
    mutating func rearrange(_ node: Node, _ input: StoredValue, _ axes: [CopyAxis], offset: Int = 0) throws {
        let shape = axes.map(\.size)
        let result = try builder.value(shape, shape.count == 4 ? .channelsLast : .dense, input.type, input.quantization)
        rearrange(node, input, result.memoryOrder.map { axes[$0] }, offset: offset, to: result)
        values[node.output] = result
    }

    /// - Parameter axes: in the order of the result's memory.
    func rearrange(_ node: Node, _ input: StoredValue, _ axes: [CopyAxis], offset: Int = 0, to result: StoredValue) {
        builder.append(
            RearrangeStep(
                name: node.name, operation: operationName(node), source: input.buffer, sourceOffset: offset, destination: result.buffer,
                axes: axes, elementByteCount: input.type.byteCount, threads: builder.threads))
    }
}

extension StoredValue {
    /// The same memory read another way.
    func relabelled(_ shape: [Int], _ layout: Layout) -> StoredValue {
        var result = self
        (result.shape, result.layout) = (shape, layout)
        return result
    }

    /// Axes from the outermost in memory to the innermost.
    var memoryOrder: [Int] { layout == .dense || shape.count < 3 ? Array(shape.indices) : [0] + (2..<shape.count) + [1] }
}

extension Padding {
    /// Which of `size` elements stands at a position, which may lie outside.
    fileprivate func source(of position: Int, size: Int) -> Int {
        switch self {
        case .constant, .edge: max(0, min(size - 1, position))
        case .reflect: position < 0 ? -position : position < size ? position : 2 * (size - 1) - position
        case .wrap: (position % size + size) % size
        }
    }
}
