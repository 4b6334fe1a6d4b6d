// Flatten, Reshape, Squeeze, Unsqueeze, Expand, DepthToSpace, SpaceToDepth, Transpose.

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
        var shape = try reader.required(try intsInput(1, "shape", reader), "shape")
        let input = try operand(0, reader)
        var allowZero = try reader.flag("allowzero")
        // A model that was exported for one image states the 1 that is its batch.
        if !isBatchOpen, shape.first == 1, input.shape.first == 1, !allowZero || !shape.contains(0) {
            shape[0] = 0
            allowZero = false
        }
        try emit(.reshape(shape, allowZero: allowZero), reader, inputs: [input.name])
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

    /// To a constant shape.
    mutating func expand(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes()
        try reader.checkInputCount(2...2)
        let shape = try reader.required(try intsInput(1, "shape", reader), "shape")
        try emit(.expand(shape), reader, inputs: [try operand(0, reader).name])
    }

    /// Versions 1 to 28: 11 brought modes.
    mutating func depthToSpace(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes(reader.version < 11 ? ["blocksize"] : ["blocksize", "mode"])
        try reader.checkInputCount(1...1)
        let block = try reader.required(try reader.int("blocksize"), "blocksize"), order = try depthOrder(reader)
        try emit(.depthToSpace(blockSize: block, order), reader, inputs: [try operand(0, reader).name])
    }

    /// Versions 1 to 28, which brought modes.
    mutating func spaceToDepth(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes(reader.version < 28 ? ["blocksize"] : ["blocksize", "mode"])
        try reader.checkInputCount(1...1)
        let block = try reader.required(try reader.int("blocksize"), "blocksize"), input = try operand(0, reader)
        guard try depthOrder(reader) == .columnRowDepth else {
            return try emit(.spaceToDepth(blockSize: block), reader, inputs: [input.name])
        }
        // Channels block by block, then in the order (channel, row, column).
        let blocks = try step(.spaceToDepth(blockSize: block), reader, "blocks", inputs: [input.name])
        let channels = input.shape[1], area = block * block
        try charge(channels * area, words: 2, reader)
        let indices = (0..<channels * area).map { $0 % area * channels + $0 / area }
        try emit(.gather(indices: indices, shape: [indices.count], axis: 1), reader, inputs: [blocks])
    }

    private func depthOrder(_ reader: NodeReader) throws(GraphError) -> DepthOrder {
        switch try reader.string("mode") ?? "DCR" {
        case "DCR": return .depthColumnRow
        case "CRD": return .columnRowDepth
        case let other: throw reader.fail("mode `\(other)`: `DCR` or `CRD` expected")
        }
    }

    mutating func transpose(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes("perm")
        try reader.checkInputCount(1...1)
        let input = try operand(0, reader)
        let permutation = try reader.ints("perm") ?? input.shape.indices.reversed()
        try emit(.transpose(permutation: permutation), reader, inputs: [input.name])
    }
}
