// LayerNormalization, InstanceNormalization, GroupNormalization, MeanVarianceNormalization, LpNormalization, LRN: what an input's own
// statistics normalize.

extension Translation {
    /// Version 17. Scale and bias are constants.
    mutating func layerNormalization(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes("axis", "epsilon", "stash_type")
        try reader.checkInputCount(2...3)
        guard try reader.int("stash_type") ?? 1 == 1 else { throw reader.unsupported("stash_type: only 1 (float) is supported") }
        let input = try operand(0, reader)
        let axis = try reader.axis(try reader.int("axis") ?? -1, rank: input.shape.count)
        let scale = try reader.required(try floatsInput(1, "scale", reader), "scale"), bias = try floatsInput(2, "bias", reader)
        try emit(
            .layerNormalization(axis: axis, epsilon: try reader.float("epsilon") ?? 1e-5), of: input.name, shape: input.shape,
            scale: Tensor(shape: scale.shape, scale.values), shift: bias.map { Tensor(shape: $0.shape, $0.values) }, reader)
        try statistics(of: input, from: axis, reader)
    }

    /// The outputs Mean and InvStdDev, `1 / √(variance + epsilon)`, where they are used.
    private mutating func statistics(of input: Operand, from axis: Int, _ reader: NodeReader) throws(GraphError) {
        let outputs = reader.node.outputs.dropFirst().map { useCounts[$0] != nil && !$0.isEmpty ? $0 : nil }
        guard outputs.contains(where: { $0 != nil }) else { return }
        let reduction = Operation.mean(axes: Array(axis..<input.shape.count), rank: input.shape.count)
        let mean = outputs[0] ?? newValue("\(reader.name)/mean")
        try emit(reduction, reader, name: newNode("\(reader.name)/mean"), inputs: [input.name], output: mean)
        guard outputs.count > 1, let inverse = outputs[1] else { return }
        let centered = try step(.binary(.subtract), reader, "centered", inputs: [input.name, mean])
        let squares = try step(.multiply, reader, "squares", inputs: [centered, centered]), epsilon = try reader.float("epsilon") ?? 1e-5
        let variance = try step(reduction, reader, "variance", inputs: [squares])
        let sum = try step(.add, reader, "sum", inputs: [variance, try constant(reader, "epsilon", [epsilon])])
        let deviation = try step(.elementwise(.sqrt), reader, "deviation", inputs: [sum])
        try emit(.elementwise(.reciprocal), reader, name: newNode("\(reader.name)/inverse"), inputs: [deviation], output: inverse)
    }

    /// Versions 6 and 22: every channel by itself, over its image.
    mutating func instanceNormalization(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes("epsilon")
        try reader.checkInputCount(3...3)
        let input = try operand(0, reader)
        guard input.shape.count >= 3 else {
            throw reader.fail("an input of at least 3 dimensions expected, `\(input.name)` has shape \(input.shape)")
        }
        let epsilon = try reader.float("epsilon") ?? 1e-5
        let scale = try perChannel(1, "scale", of: input, reader), shift = try perChannel(2, "bias", of: input, reader)
        try emit(.layerNormalization(axis: 2, epsilon: epsilon), of: input.name, shape: input.shape, scale: scale, shift: shift, reader)
    }

    /// Version 18 has scale and bias per group, 21 per channel.
    mutating func groupNormalization(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes(reader.version < 21 ? ["epsilon", "num_groups"] : ["epsilon", "num_groups", "stash_type"])
        try reader.checkInputCount(3...3)
        guard try reader.int("stash_type") ?? 1 == 1 else { throw reader.unsupported("stash_type: only 1 (float) is supported") }
        let input = try operand(0, reader), groups = try reader.required(try reader.int("num_groups"), "num_groups")
        guard input.shape.count >= 3, groups >= 1, input.shape[1] % groups == 0 else {
            throw reader.fail("num_groups \(groups) does not divide the channels of `\(input.name)` of shape \(input.shape)")
        }
        let repeats = reader.version < 21 ? input.shape[1] / groups : 1
        let scale = try perChannel(1, "scale", of: input, repeats: repeats, reader)
        let shift = try perChannel(2, "bias", of: input, repeats: repeats, reader)
        let grouped = try step(.reshape([0, groups, -1], allowZero: false), reader, "groups", inputs: [input.name])
        let epsilon = try reader.float("epsilon") ?? 1e-5
        let normalized = try step(.layerNormalization(axis: 2, epsilon: epsilon), reader, "normalized", inputs: [grouped])
        let image = Operation.reshape([0] + input.shape.dropFirst(), allowZero: false)
        try emit(image, of: normalized, shape: input.shape, scale: scale, shift: shift, reader)
    }

    /// `operation(input) · scale + shift`, as far as that changes anything; all of this shape.
    private mutating func emit(
        _ operation: Operation, of input: String, shape: [Int], scale: Tensor, shift: Tensor?, _ reader: NodeReader
    ) throws(GraphError) {
        var steps: [(Operation, String, Tensor?)] = [(operation, "normalized", nil)]
        if scale.floats?.allSatisfy({ $0 == 1 }) != true { steps.append((.multiply, "scale", scale)) }
        if let shift, shift.floats?.allSatisfy({ $0 == 0 }) != true { steps.append((.add, "shift", shift)) }
        var value = input
        for (index, (operation, what, tensor)) in steps.enumerated() {
            var inputs = [value]
            if let tensor { inputs.append(try constant(reader, what, shape: tensor.shape, tensor.floats ?? [])) }
            if index == steps.count - 1 {
                try emit(operation, reader, inputs: inputs)
            } else {
                value = try step(operation, reader, what, inputs: inputs)
            }
        }
        guard shapes[reader.output] == shape else {
            throw reader.fail("scale \(scale.shape) and bias \(shift?.shape ?? []) do not broadcast to shape \(shape)")
        }
    }

    /// A constant of one number per channel (or group of `repeats` channels), shaped to broadcast over images.
    private mutating func perChannel(
        _ index: Int, _ what: String, of input: Operand, repeats: Int = 1, _ reader: NodeReader
    ) throws(GraphError) -> Tensor {
        let channels = input.shape[1]
        guard let (shape, values) = try floatsInput(index, what, reader) else { throw reader.fail("input \(index) is missing") }
        guard shape == [channels / repeats] else {
            throw reader.fail("\(what) `\(reader.node.inputs[index])` of shape \(shape); [\(channels / repeats)] expected")
        }
        // Twice: this is not yet the constant.
        try charge(channels, reader)
        return Tensor(
            shape: [1, channels] + Array(repeating: 1, count: input.shape.count - 2),
            values.flatMap { Array(repeating: $0, count: repeats) })
    }

    /// Versions 9 and 13: `(x − mean) / (√variance + 1e-9)`.
    mutating func meanVarianceNormalization(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes("axes")
        try reader.checkInputCount(1...1)
        let input = try operand(0, reader)
        let axes = try reader.axes(try reader.ints("axes") ?? [0, 2, 3], rank: input.shape.count).sorted()
        let mean = Operation.mean(axes: axes, rank: input.shape.count)
        let average = try step(mean, reader, "mean", inputs: [input.name])
        let centered = try step(.binary(.subtract), reader, "centered", inputs: [input.name, average])
        let squares = try step(.multiply, reader, "squares", inputs: [centered, centered])
        let variance = try step(mean, reader, "variance", inputs: [squares])
        let deviation = try step(.elementwise(.sqrt), reader, "deviation", inputs: [variance])
        let epsilon = try constant(reader, "epsilon", [1e-9])
        let divisor = try step(.add, reader, "divisor", inputs: [deviation, epsilon])
        try emit(.binary(.divide), reader, inputs: [centered, divisor])
    }

    /// Versions 1 and 22: `x / ‖x‖` along one axis. Where the norm is 0 (or not a normal number), so is the result, as version 22
    /// says.
    mutating func lpNormalization(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes("axis", "p")
        try reader.checkInputCount(1...1)
        let input = try operand(0, reader), p = try reader.int("p") ?? 2
        guard p == 1 || p == 2 else { throw reader.fail("p = \(p): 1 or 2 expected") }
        let axis = try reader.axis(try reader.int("axis") ?? -1, rank: input.shape.count)
        let norm = try step(
            .reduce(p == 1 ? .l1 : .l2, axes: [axis], keepsDimensions: true), reader, "norm", inputs: [input.name])
        let divisor = try step(
            .clip(minimum: .leastNormalMagnitude, maximum: .greatestFiniteMagnitude), reader, "divisor", inputs: [norm])
        try emit(.binary(.divide), reader, inputs: [input.name, divisor])
    }

    mutating func localResponseNormalization(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes("alpha", "beta", "bias", "size")
        try reader.checkInputCount(1...1)
        let operation = Operation.localResponseNormalization(
            size: try reader.required(try reader.int("size"), "size"), alpha: try reader.float("alpha") ?? 1e-4,
            beta: try reader.float("beta") ?? 0.75, bias: try reader.float("bias") ?? 1)
        try emit(onImage: operation, of: try operand(0, reader), reader)
    }
}

extension Operation {
    /// The mean over axes, which stay with size 1; of images it is GlobalAveragePool.
    fileprivate static func mean(axes: [Int], rank: Int) -> Operation {
        rank == 4 && axes == [2, 3] ? .globalAveragePool : .reduce(.mean, axes: axes, keepsDimensions: true)
    }
}
