// ReduceMean and its like, ArgMax, ArgMin, GlobalAveragePool, GlobalMaxPool, GlobalLpPool.

extension Reduction {
    /// By ONNX operator.
    static let named: [String: Reduction] = [
        "ReduceMean": .mean, "ReduceSum": .sum, "ReduceMax": .maximum, "ReduceMin": .minimum, "ReduceProd": .product,
        "ReduceL1": .l1, "ReduceL2": .l2, "ReduceSumSquare": .sumOfSquares,
    ]
}

extension Translation {
    mutating func reduce(_ reduction: Reduction, _ reader: NodeReader) throws(GraphError) {
        let (input, axes, keeps) = try reductionInput(reader)
        guard !axes.isEmpty else { return try reduceNothing(reduction, of: input, reader) }
        if integers.contains(input.name) {
            if reduction == .mean { return try meanOfIntegers(input, axes: axes, keepsDimensions: keeps, reader) }
            if reduction == .l2 {
                let root = try step(.reduce(.l2, axes: axes, keepsDimensions: keeps), reader, "root", inputs: [input.name])
                return try emit(.elementwise(.truncate), reader, inputs: [root])
            }
        }
        try emit(reduction, of: input, axes: axes, keepsDimensions: keeps, reader)
    }

    /// `log(Σ x)`.
    mutating func reduceLogSum(_ reader: NodeReader) throws(GraphError) {
        let (input, axes, keeps) = try reductionInput(reader)
        try refuseIntegers(input, reader)
        guard !axes.isEmpty else { return try emit(.elementwise(.log), reader, inputs: [input.name]) }
        let sum = try step(.reduce(.sum, axes: axes, keepsDimensions: keeps), reader, "sum", inputs: [input.name])
        try emit(.elementwise(.log), reader, inputs: [sum])
    }

    /// `m + log(Σ exp(x − m))` with the largest x for m, so that nothing overflows.
    mutating func reduceLogSumExp(_ reader: NodeReader) throws(GraphError) {
        let (input, axes, keeps) = try reductionInput(reader)
        try refuseIntegers(input, reader)
        guard !axes.isEmpty else { return try emit(.keepingShape(rank: input.shape.count), reader, inputs: [input.name]) }
        let largest = try step(.reduce(.maximum, axes: axes, keepsDimensions: true), reader, "largest", inputs: [input.name])
        let difference = try step(.binary(.subtract), reader, "difference", inputs: [input.name, largest])
        let powers = try step(.elementwise(.exp), reader, "exp", inputs: [difference])
        let sum = try step(.reduce(.sum, axes: axes, keepsDimensions: true), reader, "sum", inputs: [powers])
        let logarithm = try step(.elementwise(.log), reader, "log", inputs: [sum])
        if keeps { return try emit(.add, reader, inputs: [logarithm, largest]) }
        let result = try step(.add, reader, "result", inputs: [logarithm, largest])
        try emit(.squeeze(axes: axes), reader, inputs: [result])
    }

    /// Versions before 18 (ReduceSum: 13) have the axes as an attribute, later ones as an input. None are all, or with
    /// noop_with_empty_axes none.
    private func reductionInput(_ reader: NodeReader) throws(GraphError) -> (Operand, axes: [Int], keepsDimensions: Bool) {
        let axes: [Int]?
        var emptyIsNone = false
        if reader.version < (reader.node.operatorType == "ReduceSum" ? 13 : 18) {
            try reader.allowAttributes("axes", "keepdims")
            try reader.checkInputCount(1...1)
            axes = try reader.ints("axes")
        } else {
            try reader.allowAttributes("keepdims", "noop_with_empty_axes")
            try reader.checkInputCount(1...2)
            axes = try intsInput(1, "axes", reader)
            emptyIsNone = try reader.flag("noop_with_empty_axes")
        }
        let input = try operand(0, reader), keeps = try reader.flag("keepdims", default: true)
        let positions = try reader.axes(axes ?? [], rank: input.shape.count).sorted()
        if positions.isEmpty, !emptyIsNone { return (input, Array(input.shape.indices), keeps) }
        return (input, positions, keeps)
    }

    /// For logarithms, whose integer part nobody wants.
    private func refuseIntegers(_ input: Operand, _ reader: NodeReader) throws(GraphError) {
        if integers.contains(input.name) { throw reader.unsupported("`\(input.name)` holds integers; floats expected") }
    }

    /// Over no axes, what is left of the reduction is its function of one element.
    private mutating func reduceNothing(_ reduction: Reduction, of input: Operand, _ reader: NodeReader) throws(GraphError) {
        switch reduction {
        case .mean, .sum, .maximum, .minimum, .product:
            try emit(.keepingShape(rank: input.shape.count), reader, inputs: [input.name])
        case .l1, .l2: try emit(.elementwise(.abs), reader, inputs: [input.name])
        case .sumOfSquares: try emit(.multiply, reader, inputs: [input.name, input.name])
        }
    }

    /// The mean of images is GlobalAveragePool.
    private mutating func emit(
        _ reduction: Reduction, of input: Operand, axes: [Int], keepsDimensions: Bool, _ reader: NodeReader
    ) throws(GraphError) {
        guard reduction == .mean, input.shape.count == 4, axes == [2, 3] else {
            return try emit(.reduce(reduction, axes: axes, keepsDimensions: keepsDimensions), reader, inputs: [input.name])
        }
        if keepsDimensions { return try emit(.globalAveragePool, reader, inputs: [input.name]) }
        let pooled = try step(.globalAveragePool, reader, "pool", inputs: [input.name])
        try emit(.squeeze(axes: axes), reader, inputs: [pooled])
    }

    /// Versions 1 to 13: 12 brought select_last_index.
    mutating func argument(_ extremum: Extremum, _ reader: NodeReader) throws(GraphError) {
        if reader.version < 12 {
            try reader.allowAttributes("axis", "keepdims")
        } else {
            try reader.allowAttributes("axis", "keepdims", "select_last_index")
        }
        try reader.checkInputCount(1...1)
        let input = try operand(0, reader)
        let operation = Operation.argument(
            extremum, axis: try reader.axis(try reader.int("axis") ?? 0, rank: input.shape.count),
            keepsDimension: try reader.flag("keepdims", default: true), selectsLast: try reader.flag("select_last_index"))
        try emit(operation, reader, inputs: [input.name])
    }

    mutating func globalAveragePool(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes()
        let (input, axes) = try spatialInput(reader)
        try emit(.mean, of: input, axes: axes, keepsDimensions: true, reader)
    }

    mutating func globalMaxPool(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes()
        let (input, axes) = try spatialInput(reader)
        try emit(.maximum, of: input, axes: axes, keepsDimensions: true, reader)
    }

    /// `(Σ |x|^p)^(1/p)`.
    mutating func globalLpPool(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes("p")
        let (input, axes) = try spatialInput(reader), p = try reader.int("p") ?? 2
        guard p >= 1 else { throw reader.fail("p = \(p): a number from 1 expected") }
        if p <= 2 { return try emit(p == 1 ? .l1 : .l2, of: input, axes: axes, keepsDimensions: true, reader) }
        let magnitudes = try step(.elementwise(.abs), reader, "abs", inputs: [input.name])
        let powers = try step(.elementwise(.pow(exponent: Float(p))), reader, "powers", inputs: [magnitudes])
        let sum = try step(.reduce(.sum, axes: axes, keepsDimensions: true), reader, "sum", inputs: [powers])
        try emit(.elementwise(.pow(exponent: 1 / Float(p))), reader, inputs: [sum])
    }

    /// The input of a pooling operator without a window, and its axes after batch and channels.
    private func spatialInput(_ reader: NodeReader) throws(GraphError) -> (Operand, axes: [Int]) {
        try reader.checkInputCount(1...1)
        let input = try operand(0, reader)
        guard input.shape.count >= 3 else {
            throw reader.fail("an input of at least 3 dimensions expected, `\(input.name)` has shape \(input.shape)")
        }
        return (input, Array(2..<input.shape.count))
    }
}
