// Concat.

extension Translation {
    mutating func concat(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes("axis")
        let names = reader.node.inputs
        var operands: [Operand] = []
        for (index, name) in names.enumerated() {
            guard let shape = shape(of: name) else { throw reader.fail("input \(index) is missing") }
            operands.append(Operand(name: name, shape: shape))
        }
        guard let first = operands.first else { throw reader.fail("at least one input expected") }
        guard names.contains(where: { shapes[$0] != nil }) else { throw reader.unsupported("all of its inputs are constants") }
        let axis = try reader.axis(try reader.required(try reader.int("axis"), "axis"), rank: first.shape.count)
        if operands.allSatisfy({ shapes[$0.name] != nil }) { return try emit(.concat(axis: axis), reader, inputs: names) }
        try concat(operands, axis: axis, reader)
    }

    /// With constants among the operands: the others padded with zeros, plus one constant that is 0 where they are.
    private mutating func concat(_ operands: [Operand], axis: Int, _ reader: NodeReader) throws(GraphError) {
        let rule = ShapeRule(node: reader.name, inputs: operands)
        let shape = try rule.concat(axis: axis)
        try rule.checkSize(shape)
        // Before anything of that size is made.
        try charge(elementCount(of: shape), reader)
        let summand = try constant(in: operands, shape: shape, axis: axis, reader)
        var parts: [String] = []
        var begin = 0
        for (index, operand) in operands.enumerated() {
            guard shapes[operand.name] != nil else {
                begin += operand.shape[axis]
                continue
            }
            // Constants in front of the first part pad its begin, those behind a part its end.
            let following = operands[(index + 1)...].prefix { shapes[$0.name] == nil }.reduce(0) { $0 + $1.shape[axis] }
            var pads = Array(repeating: 0, count: 2 * shape.count)
            if parts.isEmpty { pads[axis] = begin }
            pads[shape.count + axis] = following
            let isPadded = pads.contains { $0 > 0 }
            parts.append(
                isPadded ? try step(.pad(pads: pads, .constant(0)), reader, "padded", inputs: [operand.name]) : operand.name)
        }
        let joined = parts.count == 1 ? parts[0] : try step(.concat(axis: axis), reader, "joined", inputs: parts)
        try emit(.add, reader, inputs: [joined, define(like: "\(reader.name)/constants", summand)])
    }

    /// The result with zeros in the place of computed operands. Its other axes are those of the constants: the first may be the batch.
    private func constant(in operands: [Operand], shape: [Int], axis: Int, _ reader: NodeReader) throws(GraphError) -> Tensor {
        let outer = shape[..<axis].reduce(1, *), inner = shape[(axis + 1)...].reduce(1, *)
        var parts: [(length: Int, values: [Float]?)] = []
        for (index, operand) in operands.enumerated() {
            let values = shapes[operand.name] == nil ? try floatsInput(index, "operand", reader)?.values : nil
            parts.append((operand.shape[axis] * inner, values))
        }
        var elements: [Float] = []
        elements.reserveCapacity(elementCount(of: shape) ?? 0)
        for row in 0..<outer {
            for (length, values) in parts {
                if let values { elements += values[row * length..<(row + 1) * length] } else { elements += Array(repeating: 0, count: length) }
            }
        }
        return Tensor(shape: shape, elements)
    }
}
