// Add, Sub, Mul, Div, Pow of two operands; Min, Max, Sum, Mean of any number. Operands may be constants, but not all of them.

extension Translation {
    mutating func binary(_ function: Binary, _ reader: NodeReader) throws(GraphError) {
        try emit(.binary(function), reader, inputs: try operands(reader, count: 2...2))
    }

    /// `a − c = a + (−c)` for a constant c, exactly; so that it folds as additions do.
    mutating func subtract(_ reader: NodeReader) throws(GraphError) {
        let inputs = try operands(reader, count: 2...2)
        guard let subtrahend = constants[inputs[1]], let values = subtrahend.floats else {
            return try emit(.binary(.subtract), reader, inputs: inputs)
        }
        let negated = try constant(reader, "negated", shape: subtrahend.shape, values.map { -$0 })
        try emit(.add, reader, inputs: [inputs[0], negated])
    }

    /// Division by a constant is multiplication by its reciprocal, where that is an ordinary number.
    mutating func divide(_ reader: NodeReader) throws(GraphError) {
        let inputs = try operands(reader, count: 2...2)
        if inputs.contains(where: integers.contains) { return try divideIntegers(inputs, reader) }
        guard let divisor = constants[inputs[1]], let values = divisor.floats, values.allSatisfy({ (1 / $0).isNormal }) else {
            return try emit(.binary(.divide), reader, inputs: inputs)
        }
        let reciprocal = try constant(reader, "reciprocal", shape: divisor.shape, values.map { 1 / $0 })
        try emit(.multiply, reader, inputs: [inputs[0], reciprocal])
        divisors[reader.output] = inputs[1]
    }

    /// Versions 7 to 15. From version 12 the exponent may be an integer.
    mutating func power(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes()
        try reader.checkInputCount(2...2)
        var inputs = reader.node.inputs
        if let exponent = constants[inputs[1]], case .int64(let values) = exponent.elements {
            inputs[1] = try constant(reader, "exponent", shape: exponent.shape, values.map { Float($0) })
        }
        try check(inputs, reader)
        if let exponent = constants[inputs[1]], let values = exponent.floats, values.count == 1,
            let base = shapes[inputs[0]], exponent.shape.count <= base.count
        {
            // Whole powers of integers are integers; others are cut as in ONNX Runtime.
            if integers.contains(inputs[0]), values[0] < 0 || values[0].rounded() != values[0] {
                let power = try step(.elementwise(.pow(exponent: values[0])), reader, "power", inputs: [inputs[0]])
                return try emit(.elementwise(.truncate), reader, inputs: [power])
            }
            return try emit(.elementwise(.pow(exponent: values[0])), reader, inputs: [inputs[0]])
        }
        guard integers.contains(inputs[0]) else { return try emit(.binary(.power), reader, inputs: inputs) }
        let power = try step(.binary(.power), reader, "power", inputs: inputs)
        try emit(.elementwise(.truncate), reader, inputs: [power])
    }

    /// Min or Max. One number against all elements is a Clip.
    mutating func extremum(_ extremum: Extremum, _ reader: NodeReader) throws(GraphError) {
        let inputs = try operands(reader, count: 1...Int.max)
        try fold(extremum == .maximum ? .maximum : .minimum, inputs, reader)
    }

    /// Sum or Mean.
    mutating func sum(_ reader: NodeReader, mean: Bool) throws(GraphError) {
        let inputs = try operands(reader, count: 1...Int.max)
        guard mean, inputs.count > 1 else { return try fold(.add, inputs, reader) }
        let sum = newValue("\(reader.name)/sum")
        try fold(.add, inputs, reader, name: newNode("\(reader.name)/sum"), output: sum)
        let share = try constant(reader, "share", [1 / Float(inputs.count)])
        try emit(.multiply, reader, inputs: [sum, share])
    }

    /// `((a ∘ b) ∘ c) …`, the last of them with the node's name unless another is given; constants come last.
    private mutating func fold(
        _ function: Binary, _ inputs: [String], _ reader: NodeReader, name: String? = nil, output: String? = nil
    ) throws(GraphError) {
        var rest = inputs.count == 2 ? inputs[...] : (inputs.filter { shapes[$0] != nil } + inputs.filter { shapes[$0] == nil })[...]
        guard var value = rest.popFirst(), let last = rest.popLast() else {
            return try emit(.keepingShape(rank: shapes[inputs[0]]?.count ?? 0), reader, name: name, inputs: [inputs[0]], output: output)
        }
        for next in rest {
            let (operation, operands) = combination(function, [value, next])
            value = try step(operation, reader, "partial", inputs: operands)
        }
        let (operation, operands) = combination(function, [value, last])
        try emit(operation, reader, name: name, inputs: operands, output: output)
    }

    /// A function of two operands; the larger or smaller of an operand and one number is a Clip.
    private func combination(_ function: Binary, _ inputs: [String]) -> (Operation, inputs: [String]) {
        guard function == .minimum || function == .maximum, let (input, limit) = scalarOperand(inputs) else {
            return (.binary(function), inputs)
        }
        let most = Float.greatestFiniteMagnitude
        if function == .minimum { return (.clip(minimum: -most, maximum: limit), [input]) }
        return (limit == 0 ? .relu : .clip(minimum: limit, maximum: most), [input])
    }

    /// The computed one of two operands and the other, if that is one finite number that does not change its shape.
    private func scalarOperand(_ inputs: [String]) -> (input: String, Float)? {
        guard let index = inputs.firstIndex(where: { constants[$0] != nil }), let tensor = constants[inputs[index]],
            let values = tensor.floats, values.count == 1, let shape = shapes[inputs[1 - index]], tensor.shape.count <= shape.count
        else { return nil }
        return (inputs[1 - index], values[0])
    }

    /// The names of the operands, after checking constant ones.
    private mutating func operands(_ reader: NodeReader, count: ClosedRange<Int>) throws(GraphError) -> [String] {
        try reader.allowAttributes()
        try reader.checkInputCount(count)
        let inputs = try withConstantsAsFloats(reader.node.inputs, reader)
        try check(inputs, reader)
        return inputs
    }

    private func check(_ operands: [String], _ reader: NodeReader) throws(GraphError) {
        for (index, operand) in operands.enumerated() where shapes[operand] == nil {
            guard let tensor = constants[operand] else { throw reader.fail("input \(index) is missing") }
            guard let values = tensor.floats else {
                throw reader.fail("operand `\(operand)`: floats expected, found integers")
            }
            if let element = values.firstIndex(where: { !$0.isFinite }) {
                throw reader.fail("operand `\(operand)`: element \(element) is \(values[element])")
            }
        }
        guard operands.contains(where: { shapes[$0] != nil }) else {
            throw reader.unsupported(operands.count == 2 ? "both operands are constants" : "all operands are constants")
        }
    }
}
