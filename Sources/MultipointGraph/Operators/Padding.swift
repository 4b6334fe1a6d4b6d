// Pad.

extension Translation {
    /// Version 2 has attributes, 11 and later have inputs; 18 brought axes, 19 `wrap`.
    mutating func pad(_ reader: NodeReader) throws(GraphError) {
        let pads: [Int]?, value: Float
        if reader.version < 11 {
            try reader.allowAttributes("mode", "pads", "value")
            try reader.checkInputCount(1...1)
            (pads, value) = (try reader.ints("pads"), try reader.float("value") ?? 0)
        } else {
            try reader.allowAttributes("mode")
            try reader.checkInputCount(2...(reader.version < 18 ? 3 : 4))
            (pads, value) = (try intsInput(1, "pads", reader), try paddingValue(reader))
        }
        let padding = try padding(value, reader), input = try operand(0, reader)
        let axes = try reader.axes(
            try intsInput(3, "axes", reader) ?? Array(input.shape.indices), rank: input.shape.count)
        let all = try spread(try reader.required(pads, "pads"), over: axes, rank: input.shape.count, reader)
        try emit(pads: all, padding, of: input, reader)
    }

    private func padding(_ value: Float, _ reader: NodeReader) throws(GraphError) -> Padding {
        switch try reader.string("mode") ?? "constant" {
        case "constant": return .constant(value)
        case "reflect": return .reflect
        case "edge": return .edge
        case "wrap" where reader.version >= 19: return .wrap
        case let other: throw reader.fail("mode `\(other)`: `constant`, `reflect`, `edge` or (from version 19) `wrap` expected")
        }
    }

    /// A number, of any type.
    private func paddingValue(_ reader: NodeReader) throws(GraphError) -> Float {
        guard let tensor = try constantInput(2, "constant_value", reader) else { return 0 }
        guard tensor.count == 1, let value = tensor.floats?.first ?? tensor.integers.flatMap({ $0.first.map { Float($0) } }) else {
            throw reader.fail("constant_value `\(reader.node.inputs[2])`: one number expected, found shape \(tensor.shape)")
        }
        return value
    }

    /// Begins and ends of some axes as begins and ends of all axes.
    private func spread(_ pads: [Int], over axes: [Int], rank: Int, _ reader: NodeReader) throws(GraphError) -> [Int] {
        guard pads.count == 2 * axes.count else {
            throw reader.fail("pads \(pads): \(2 * axes.count) numbers expected for \(axes.count) axes")
        }
        guard pads.allSatisfy({ (-TensorLimits.count...TensorLimits.count).contains($0) }) else {
            throw reader.fail("pads \(pads): numbers up to \(TensorLimits.count) expected")
        }
        var all = Array(repeating: 0, count: 2 * rank)
        for (index, axis) in axes.enumerated() {
            all[axis] = pads[index]
            all[rank + axis] = pads[axes.count + index]
        }
        return all
    }

    /// Negative pads crop, before anything is padded.
    private mutating func emit(pads: [Int], _ padding: Padding, of input: Operand, _ reader: NodeReader) throws(GraphError) {
        let rank = input.shape.count
        let cropped = (0..<rank).filter { pads[$0] < 0 || pads[rank + $0] < 0 }
        guard !cropped.isEmpty else { return try emit(.pad(pads: pads, padding), reader, inputs: [input.name]) }
        let slice = Operation.slice(
            starts: cropped.map { max(0, -pads[$0]) },
            ends: cropped.map { pads[rank + $0] < 0 ? pads[rank + $0] : Int.max }, axes: cropped,
            steps: Array(repeating: 1, count: cropped.count))
        guard pads.contains(where: { $0 > 0 }) else { return try emit(slice, reader, inputs: [input.name]) }
        let rest = try step(slice, reader, "cropped", inputs: [input.name])
        try emit(.pad(pads: pads.map { max(0, $0) }, padding), reader, inputs: [rest])
    }
}
