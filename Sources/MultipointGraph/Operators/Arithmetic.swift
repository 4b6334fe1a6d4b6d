// Add, Sub, Mul, Div: two operands, of which one may be constant.

extension Translation {
    mutating func add(_ reader: NodeReader) throws(GraphError) {
        try emit(.add, reader, inputs: try operands(reader))
    }

    mutating func multiply(_ reader: NodeReader) throws(GraphError) {
        try emit(.multiply, reader, inputs: try operands(reader))
    }

    /// `a − b = a + (−b)`, exactly.
    mutating func subtract(_ reader: NodeReader) throws(GraphError) {
        let inputs = try operands(reader)
        if let subtrahend = constants[inputs[1]] {
            let negated = define(like: "\(reader.name)/negated", subtrahend.mapFloats { -$0 })
            return try emit(.add, reader, inputs: [inputs[0], negated])
        }
        let minusOne = define(like: "\(reader.name)/minus_one", Tensor(shape: [], [Float(-1)]))
        let negated = newValue("\(reader.name)/negated")
        try emit(.multiply, reader, name: newNode("\(reader.name)/negate"), inputs: [inputs[1], minusOne], output: negated)
        try emit(.add, reader, inputs: [inputs[0], negated])
    }

    /// Division by a constant is multiplication by its reciprocal.
    mutating func divide(_ reader: NodeReader) throws(GraphError) {
        let inputs = try operands(reader)
        guard let divisor = constants[inputs[1]] else {
            throw reader.unsupported("its divisor `\(inputs[1])` is computed; a constant expected")
        }
        let reciprocal = divisor.mapFloats { 1 / $0 }
        guard reciprocal.floats?.allSatisfy(\.isFinite) == true else {
            throw reader.fail("its divisor `\(inputs[1])` contains 0, or numbers too close to it")
        }
        try emit(.multiply, reader, inputs: [inputs[0], define(like: "\(reader.name)/reciprocal", reciprocal)])
    }

    /// The names of the two operands, after checking a constant one.
    private func operands(_ reader: NodeReader) throws(GraphError) -> [String] {
        try reader.allowAttributes()
        try reader.checkInputCount(2...2)
        var constantCount = 0
        for index in 0..<2 where shapes[reader.node.inputs[index]] == nil {
            guard let (_, values) = try floatsInput(index, "operand", reader) else {
                throw reader.fail("input \(index) is missing")
            }
            if let element = values.firstIndex(where: { !$0.isFinite }) {
                throw reader.fail("operand `\(reader.node.inputs[index])`: element \(element) is \(values[element])")
            }
            constantCount += 1
        }
        guard constantCount < 2 else { throw reader.unsupported("both operands are constants") }
        return reader.node.inputs
    }
}

extension Tensor {
    /// Integers stay as they are.
    fileprivate func mapFloats(_ transform: (Float) -> Float) -> Tensor {
        guard let floats else { return self }
        return Tensor(shape: shape, floats.map(transform))
    }
}
