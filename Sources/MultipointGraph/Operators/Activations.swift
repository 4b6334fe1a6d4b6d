// Clip, LeakyRelu, Softmax. (Relu and Sigmoid have nothing to translate.)

extension Translation {
    /// Version 6 has the bounds as attributes, 11 and later as inputs.
    mutating func clip(_ reader: NodeReader) throws(GraphError) {
        let limit = Float.greatestFiniteMagnitude
        var minimum: Float?, maximum: Float?
        if reader.version < 11 {
            try reader.allowAttributes("max", "min")
            try reader.checkInputCount(1...1)
            (minimum, maximum) = (try reader.float("min"), try reader.float("max"))
        } else {
            try reader.allowAttributes()
            try reader.checkInputCount(1...3)
            (minimum, maximum) = (try scalarInput(1, "min", reader), try scalarInput(2, "max", reader))
        }
        // An infinite bound is none.
        let range = (minimum: max(minimum ?? -limit, -limit), maximum: min(maximum ?? limit, limit))
        let input = try operand(0, reader).name
        let isRelu = range.minimum == 0 && range.maximum == limit
        try emit(isRelu ? .relu : .clip(minimum: range.minimum, maximum: range.maximum), reader, inputs: [input])
    }

    mutating func leakyRelu(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes("alpha")
        try reader.checkInputCount(1...1)
        try emit(.leakyRelu(alpha: try reader.float("alpha") ?? 0.01), reader, inputs: [try operand(0, reader).name])
    }

    /// Version 13 works along one axis (the last by default); before, along all axes from `axis` (1 by default).
    mutating func softmax(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes("axis")
        try reader.checkInputCount(1...1)
        let input = try operand(0, reader), rank = input.shape.count
        let axis = try reader.axis(try reader.int("axis") ?? (reader.version < 13 ? 1 : -1), rank: rank)
        if reader.version >= 13 || input.shape[(axis + 1)...].allSatisfy({ $0 == 1 }) {
            return try emit(.softmax(axis: axis), reader, inputs: [input.name])
        }
        let rows = newValue("\(reader.name)/rows"), probabilities = newValue("\(reader.name)/probabilities")
        try emit(.flatten(axis: axis), reader, name: newNode("\(reader.name)/flatten"), inputs: [input.name], output: rows)
        try emit(.softmax(axis: 1), reader, inputs: [rows], output: probabilities)
        // The first dimension may be the batch.
        let shape = [-1] + input.shape.dropFirst()
        try emit(
            .reshape(shape, allowZero: false), reader, name: newNode("\(reader.name)/reshape"), inputs: [probabilities],
            output: reader.output)
    }
}
