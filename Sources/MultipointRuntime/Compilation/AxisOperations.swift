import CElementwise
import DNNL
import MultipointGraph

/// Operations over whole axes.
extension NetworkCompiler {
    // MARK: reductions

    mutating func emitReduction(_ node: Node, _ reduction: Reduction, axes: [Int], keeps: Bool) throws {
        let shape = try self.shape(node.inputs[0])
        if reduction == .mean, shape.count == 4, Set(axes) == [2, 3], try emitGlobalMean(node, keeps: keeps) { return }
        let isExtremum = reduction == .maximum || reduction == .minimum
        let input = isExtremum ? try passed(node.inputs[0], storage(of: node.output)) : try image(node.inputs[0])
        guard input.type == .uint8 else {
            return try emitAlong(node, axes, .reduce(reduction.kind), input)
        }
        try emitAlong(node, axes, .extremum(isMaximum: reduction == .maximum), input)
    }

    mutating func emitArgument(_ node: Node, _ extremum: Extremum, axis: Int, _ selectsLast: Bool) throws {
        let input = try image(node.inputs[0])
        try emitAlong(node, [axis], .argument(isMaximum: extremum == .maximum, selectsLast: selectsLast), input)
    }

    /// The mean over height and width as global average pooling, which runs in 8 bits. False if it would not.
    private mutating func emitGlobalMean(_ node: Node, keeps: Bool) throws -> Bool {
        let shape = try self.shape(node.inputs[0])
        let window = Window(kernel: Array(shape[2...]), strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1])
        guard try emitAverage(node, window, resultShape: [shape[0], shape[1], 1, 1]) else { return false }
        if !keeps { values[node.output] = try value(node.output).relabelled(self.shape(node.output), .dense) }
        return true
    }

    /// One number for each place along some axes. The axes have to be neighbours in memory, and what remains in the order that the
    /// result wants; elsewhere the tensor is laid out anew.
    mutating func emitAlong(_ node: Node, _ axes: [Int], _ computation: AxisStep.Computation, _ input: StoredValue) throws {
        let resultShape = try self.shape(node.output)
        var input = input
        var order = input.memoryOrder
        let keeps = resultShape.count == input.shape.count
        if !order.isBlock(axes, in: input.shape) || (!keeps && !order.filter { !axes.contains($0) }.isAscending) {
            (input, order) = try movedLast(node, input, axes)
        }
        let inside = order.indices.filter { axes.contains(order[$0]) && input.shape[order[$0]] > 1 }
        let first = inside.first ?? order.count
        let count = axes.reduce(1) { $0 * input.shape[$1] }
        let outer = order[..<first].reduce(1) { $0 * input.shape[$1] }
        let type: ElementType = if case .extremum = computation { .uint8 } else { .float32 }
        // Kept axes of one element do not change the order of the others.
        let layout: Layout = resultShape.count == 4 && order == [0, 2, 3, 1] ? .channelsLast : .dense
        let result = try builder.value(resultShape, layout, type, type == .uint8 ? input.quantization : nil)
        builder.append(
            AxisStep(
                name: node.name, operation: operationName(node), computation: computation, source: input.buffer,
                destination: result.buffer, outer: outer, count: count, inner: input.count / (count * outer), threads: builder.threads))
        values[node.output] = result
    }

    /// The tensor with some axes innermost, the others in C order before them; and that order.
    private func movedLast(_ node: Node, _ input: StoredValue, _ axes: [Int]) throws -> (StoredValue, [Int]) {
        let order = input.shape.indices.filter { !axes.contains($0) } + axes.sorted()
        let strides = input.strides
        let result = try builder.value(order.map { input.shape[$0] }, .dense, input.type, input.quantization)
        rearrange(node, input, order.map { CopyAxis(size: input.shape[$0], stride: strides[$0]) }, to: result)
        var moved = result
        moved.shape = input.shape
        return (moved, order)
    }

    // MARK: normalizations

    /// oneDNN's kernels want the axis innermost.
    mutating func emitSoftmax(_ node: Node, axis: Int, isLogarithmic: Bool) throws {
        let shape = try self.shape(node.inputs[0])
        let isChannels = shape.count == 4 && axis == 1
        var input = try float(node.inputs[0], isChannels ? .channelsLast : .dense)
        let order = isChannels || axis == shape.count - 1 ? nil : shape.indices.filter { $0 != axis } + [axis]
        if let order {
            let strides = input.strides
            let moved = try builder.value(order.map { shape[$0] }, .dense, .float32)
            rearrange(node, input, order.map { CopyAxis(size: shape[$0], stride: strides[$0]) }, to: moved)
            input = moved
        }
        let result = try builder.value(input.shape, input.layout, .float32)
        let rows = try MemoryDescriptor([input.count / shape[axis], shape[axis]], .float32)
        try builder.append(
            softmax(rows, axis: 1, isLogarithmic: isLogarithmic), name: node.name, operation: operationName(node),
            [(.source, rows, input.buffer), (.destination, rows, result.buffer)])
        values[node.output] = result
        guard let order else { return }
        let back = try builder.value(shape, .dense, .float32)
        let strides = result.strides
        rearrange(
            node, result, shape.indices.map { axis in CopyAxis(size: shape[axis], stride: strides[order.firstIndex(of: axis) ?? 0]) },
            to: back)
        values[node.output] = back
    }

    mutating func emitLayerNormalization(_ node: Node, axis: Int, _ epsilon: Float) throws {
        let stored = try value(node.inputs[0])
        // Over everything but the batch the order does not matter.
        let input = try float(node.inputs[0], axis <= 1 ? stored.layout : .dense)
        let result = try builder.value(input.shape, input.layout, .float32)
        let outer = input.shape[..<axis].reduce(1, *)
        builder.append(
            AxisStep(
                name: node.name, operation: operationName(node), computation: .normalize(epsilon: epsilon), source: input.buffer,
                destination: result.buffer, outer: outer, count: input.count / outer, inner: 1, threads: builder.threads))
        values[node.output] = result
    }

    mutating func emitResponseNormalization(_ node: Node, size: Int, alpha: Float, beta: Float, bias: Float) throws {
        let input = try float(node.inputs[0], .channelsLast)
        let result = try builder.value(input.shape, .channelsLast, .float32)
        builder.append(
            AxisStep(
                name: node.name, operation: operationName(node),
                computation: .normalizeResponse(size: size, alpha: alpha, beta: beta, bias: bias), source: input.buffer,
                destination: result.buffer, outer: input.count / input.shape[1], count: input.shape[1], inner: 1,
                threads: builder.threads))
        values[node.output] = result
    }
}

extension [Int] {
    /// Whether the axes, but for those of one element, are neighbours in this order of axes.
    fileprivate func isBlock(_ axes: [Int], in shape: [Int]) -> Bool {
        let places = indices.filter { shape[self[$0]] > 1 }
        let inside = places.indices.filter { axes.contains(self[places[$0]]) }
        guard let first = inside.first, let last = inside.last else { return true }
        return last - first + 1 == inside.count
    }

    fileprivate var isAscending: Bool { zip(self, dropFirst()).allSatisfy { $0 < $1 } }
}
