// Softmax, LogSoftmax.

extension Translation {
    /// Version 13 works along one axis (the last by default); before, along all axes from `axis` (1 by default).
    mutating func softmax(_ reader: NodeReader, logarithm: Bool) throws(GraphError) {
        try reader.allowAttributes("axis")
        try reader.checkInputCount(1...1)
        let input = try operand(0, reader), rank = input.shape.count
        let axis = try reader.axis(try reader.int("axis") ?? (reader.version < 13 ? 1 : -1), rank: rank)
        let along = { (axis: Int) -> Operation in logarithm ? .logSoftmax(axis: axis) : .softmax(axis: axis) }
        if reader.version >= 13 || input.shape[(axis + 1)...].allSatisfy({ $0 == 1 }) {
            return try emit(along(axis), reader, inputs: [input.name])
        }
        let rows = try step(.flatten(axis: axis), reader, "flatten", inputs: [input.name])
        let probabilities = try step(along(1), reader, "probabilities", inputs: [rows])
        // The first dimension may be the batch.
        try emit(.reshape([-1] + input.shape.dropFirst(), allowZero: false), reader, inputs: [probabilities])
    }
}
