// Slice, Split, Gather.

extension Translation {
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
        try emit(from, to, positions, steps ?? Array(repeating: 1, count: positions.count), of: input, reader)
    }

    /// Axes that are taken whole whatever their size, such as the batch, are left out.
    private mutating func emit(
        _ starts: [Int], _ ends: [Int], _ axes: [Int], _ steps: [Int], of input: Operand, _ reader: NodeReader
    ) throws(GraphError) {
        guard [starts, ends, steps].allSatisfy({ $0.count == axes.count }) else {
            throw reader.fail("starts \(starts), ends \(ends), steps \(steps): as many numbers as axes \(axes) expected")
        }
        let kept = axes.indices.filter { starts[$0] != 0 || ends[$0] < Int(Int32.max) || steps[$0] != 1 }
        if kept.isEmpty { return try emit(.keepingShape(rank: input.shape.count), reader, inputs: [input.name]) }
        let operation = Operation.slice(
            starts: kept.map { starts[$0] }, ends: kept.map { ends[$0] }, axes: kept.map { axes[$0] }, steps: kept.map { steps[$0] })
        try emit(operation, reader, inputs: [input.name])
    }

    /// Versions 2 and 11 have the sizes as an attribute, 13 and later as an input; 18 brought num_outputs.
    mutating func split(_ reader: NodeReader) throws(GraphError) {
        var parts = reader.node.outputs.count
        var sizes: [Int]?
        if reader.version < 13 {
            try reader.allowAttributes("axis", "split")
            try reader.checkInputCount(1...1)
            sizes = try reader.ints("split")
        } else {
            try reader.allowAttributes(reader.version < 18 ? ["axis"] : ["axis", "num_outputs"])
            try reader.checkInputCount(1...2)
            sizes = try intsInput(1, "split", reader)
            parts = try reader.int("num_outputs") ?? parts
        }
        let input = try operand(0, reader)
        let axis = try reader.axis(try reader.int("axis") ?? 0, rank: input.shape.count), size = input.shape[axis]
        guard parts == reader.node.outputs.count, sizes == nil || sizes?.count == parts else {
            throw reader.fail("\(sizes?.count ?? parts) parts for \(reader.node.outputs.count) outputs")
        }
        guard sizes != nil || reader.version >= 18 || size % parts == 0 else {
            throw reader.fail("axis \(axis) of `\(input.name)` of shape \(input.shape) has no \(parts) equal parts")
        }
        // In version 18 the last part may be smaller.
        let share = (size - 1) / parts + 1
        let lengths = sizes ?? (0..<parts).map { min(share, size - $0 * share) }
        guard lengths.allSatisfy({ (1...size).contains($0) }), lengths.reduce(0, +) == size else {
            throw reader.fail("parts \(lengths) of axis \(axis) of `\(input.name)` of shape \(input.shape)")
        }
        var start = 0
        for (index, output) in reader.node.outputs.enumerated() {
            let operation = Operation.slice(starts: [start], ends: [start + lengths[index]], axes: [axis], steps: [1])
            start += lengths[index]
            guard useCounts[output] != nil, !output.isEmpty else { continue }
            let name = index == 0 ? reader.name : newNode("\(reader.name)/part_\(index)")
            try emit(operation, reader, name: name, inputs: [input.name], output: output)
        }
    }

    /// With constant indices.
    mutating func gather(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes("axis")
        try reader.checkInputCount(2...2)
        let input = try operand(0, reader)
        let axis = try reader.axis(try reader.int("axis") ?? 0, rank: input.shape.count), size = input.shape[axis]
        let tensor = try reader.required(try constantInput(1, "indices", reader), "indices")
        guard let values = tensor.integers else { throw reader.fail("indices `\(reader.node.inputs[1])`: integers expected") }
        if let index = values.first(where: { !(-size..<size).contains(Int($0)) }) {
            throw reader.fail("index \(index) does not exist in axis \(axis) of `\(input.name)` of shape \(input.shape)")
        }
        try charge(values.count, words: 2, reader)
        let indices = values.map { Int($0) < 0 ? Int($0) + size : Int($0) }
        try emit(.gather(indices: indices, shape: tensor.shape, axis: axis), reader, inputs: [input.name])
    }
}
