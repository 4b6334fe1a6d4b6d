// Concat, Slice, Pad.

extension Translation {
    mutating func concat(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes("axis")
        var inputs: [Operand] = []
        for index in reader.node.inputs.indices { inputs.append(try operand(index, reader)) }
        guard let first = inputs.first else { throw reader.fail("at least one input expected") }
        let axis = try reader.axis(try reader.required(try reader.int("axis"), "axis"), rank: first.shape.count)
        try emit(.concat(axis: axis), reader, inputs: inputs.map(\.name))
    }

    /// Version 1 has attributes and no steps, 10 and later have inputs.
    mutating func slice(_ reader: NodeReader) throws(GraphError) {
        let starts: [Int]?, ends: [Int]?, axes: [Int]?, steps: [Int]?
        if reader.version < 10 {
            try reader.allowAttributes("axes", "ends", "starts")
            try reader.checkInputCount(1...1)
            (starts, ends) = (try reader.ints("starts"), try reader.ints("ends"))
            (axes, steps) = (try reader.ints("axes"), nil)
        } else {
            try reader.allowAttributes()
            try reader.checkInputCount(3...5)
            (starts, ends) = (try intsInput(1, "starts", reader), try intsInput(2, "ends", reader))
            (axes, steps) = (try intsInput(3, "axes", reader), try intsInput(4, "steps", reader))
        }
        let input = try operand(0, reader)
        let from = try reader.required(starts, "starts"), to = try reader.required(ends, "ends")
        let positions = try reader.axes(axes ?? Array(from.indices), rank: input.shape.count)
        let operation = Operation.slice(
            starts: from, ends: to, axes: positions, steps: steps ?? Array(repeating: 1, count: positions.count))
        try emit(operation, reader, inputs: [input.name])
    }

    /// Version 2 has attributes, 11 and later have inputs; 18 brought axes.
    mutating func pad(_ reader: NodeReader) throws(GraphError) {
        let pads: [Int]?, value: Float
        if reader.version < 11 {
            try reader.allowAttributes("mode", "pads", "value")
            try reader.checkInputCount(1...1)
            (pads, value) = (try reader.ints("pads"), try reader.float("value") ?? 0)
        } else {
            try reader.allowAttributes("mode")
            try reader.checkInputCount(2...(reader.version < 18 ? 3 : 4))
            (pads, value) = (try intsInput(1, "pads", reader), try scalarInput(2, "constant_value", reader) ?? 0)
        }
        let mode = try reader.string("mode") ?? "constant"
        guard mode == "constant" else { throw reader.unsupported("mode `\(mode)`: only `constant` is supported") }
        let input = try operand(0, reader)
        let axes = try reader.axes(
            try intsInput(3, "axes", reader) ?? Array(input.shape.indices), rank: input.shape.count)
        let all = try spread(try reader.required(pads, "pads"), over: axes, rank: input.shape.count, reader)
        try emit(.pad(pads: all, .constant(value)), reader, inputs: [input.name])
    }

    /// Begins and ends of some axes as begins and ends of all axes.
    private func spread(_ pads: [Int], over axes: [Int], rank: Int, _ reader: NodeReader) throws(GraphError) -> [Int] {
        guard pads.count == 2 * axes.count else {
            throw reader.fail("pads \(pads): \(2 * axes.count) numbers expected for \(axes.count) axes")
        }
        if let pad = pads.first(where: { $0 < 0 }) {
            throw reader.unsupported("pads \(pads): cropping by a negative pad (\(pad)) is not supported")
        }
        var all = Array(repeating: 0, count: 2 * rank)
        for (index, axis) in axes.enumerated() {
            all[axis] = pads[index]
            all[rank + axis] = pads[axes.count + index]
        }
        return all
    }
}
