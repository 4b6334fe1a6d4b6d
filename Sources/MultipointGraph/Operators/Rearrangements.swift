// Flatten, Reshape, Squeeze, Unsqueeze, Transpose.

extension Translation {
    mutating func flatten(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes("axis")
        try reader.checkInputCount(1...1)
        let input = try operand(0, reader), rank = input.shape.count
        let axis = try reader.int("axis") ?? 1
        // The axis may be one behind the last.
        let position = axis == rank ? rank : try reader.axis(axis, rank: rank)
        try emit(.flatten(axis: position), reader, inputs: [input.name])
    }

    /// Version 14 brought allowzero.
    mutating func reshape(_ reader: NodeReader) throws(GraphError) {
        if reader.version < 14 { try reader.allowAttributes() } else { try reader.allowAttributes("allowzero") }
        try reader.checkInputCount(2...2)
        let shape = try reader.required(try intsInput(1, "shape", reader), "shape")
        let operation = Operation.reshape(shape, allowZero: try reader.flag("allowzero"))
        try emit(operation, reader, inputs: [try operand(0, reader).name])
    }

    mutating func squeeze(_ reader: NodeReader) throws(GraphError) {
        let axes = try axes(reader), input = try operand(0, reader)
        guard let axes else { return try emit(.squeeze(axes: nil), reader, inputs: [input.name]) }
        let positions = try reader.axes(axes, rank: input.shape.count).sorted()
        try emit(.squeeze(axes: positions), reader, inputs: [input.name])
    }

    mutating func unsqueeze(_ reader: NodeReader) throws(GraphError) {
        let axes = try reader.required(try axes(reader), "axes"), input = try operand(0, reader)
        guard axes.count <= TensorLimits.rank else {
            throw reader.fail("\(axes.count) axes; up to \(TensorLimits.rank) are possible")
        }
        // Axes are those of the result.
        let positions = try reader.axes(axes, rank: input.shape.count + axes.count).sorted()
        try emit(.unsqueeze(axes: positions), reader, inputs: [input.name])
    }

    /// Versions before 13 have the axes as an attribute, later ones as an input.
    private func axes(_ reader: NodeReader) throws(GraphError) -> [Int]? {
        if reader.version < 13 {
            try reader.allowAttributes("axes")
            try reader.checkInputCount(1...1)
            return try reader.ints("axes")
        }
        try reader.allowAttributes()
        try reader.checkInputCount(1...2)
        return try intsInput(1, "axes", reader)
    }

    mutating func transpose(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes("perm")
        try reader.checkInputCount(1...1)
        let input = try operand(0, reader)
        let permutation = try reader.ints("perm") ?? input.shape.indices.reversed()
        try emit(.transpose(permutation: permutation), reader, inputs: [input.name])
    }
}
