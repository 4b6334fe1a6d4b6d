// Constant, Identity, Dropout.

extension Translation {
    /// Version 12 brought the forms other than `value`, 11 `sparse_value`.
    mutating func constant(_ reader: NodeReader) throws(GraphError) {
        try reader.checkInputCount(0...0)
        guard reader.node.attributes.count == 1, let (attribute, value) = reader.node.attributes.first else {
            throw reader.fail("one attribute expected, found \(reader.node.attributes.keys.sorted())")
        }
        guard attribute == "value" || reader.version >= 12 else {
            throw reader.fail("version \(reader.version) of this operator has no attribute `\(attribute)`")
        }
        let tensor = try constantTensor(attribute, value, reader)
        if let problem = tensor.problem { throw reader.fail(problem) }
        define(reader.output, tensor)
    }

    /// An integer is taken where a float is expected: JSON does not tell 1 from 1.0.
    private func constantTensor(
        _ attribute: String, _ value: AttributeValue, _ reader: NodeReader
    ) throws(GraphError) -> Tensor {
        switch (attribute, value) {
        case ("value", .tensor(let tensor)): return tensor
        case ("value_int", .int(let value)): return Tensor(shape: [], [value])
        case ("value_ints", .ints(let values)): return Tensor(shape: [values.count], values)
        case ("value_ints", .floats(let values)) where values.isEmpty: return Tensor(shape: [0], [Int64]())
        case ("value_float", .float(let value)): return Tensor(shape: [], [value])
        case ("value_float", .int(let value)): return Tensor(shape: [], [Float(value)])
        case ("value_floats", .floats(let values)): return Tensor(shape: [values.count], values)
        case ("value_floats", .ints(let values)): return Tensor(shape: [values.count], values.map { Float($0) })
        case ("value", _), ("value_int", _), ("value_ints", _), ("value_float", _), ("value_floats", _):
            throw reader.fail("attribute `\(attribute)` does not have the type that its name says")
        default: throw reader.unsupported("a constant given as `\(attribute)` is not supported")
        }
    }

    mutating func identity(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes()
        try reader.checkInputCount(1...1)
        try pass(reader)
    }

    /// Versions 7 and 10 are inference only; 12 and later have `training_mode`, which has to be off.
    mutating func dropout(_ reader: NodeReader) throws(GraphError) {
        if reader.version < 12 {
            try reader.allowAttributes("ratio")
            try reader.checkInputCount(1...1)
        } else {
            try reader.allowAttributes("seed")
            try reader.checkInputCount(1...3)
            let training = try constantInput(2, "training_mode", reader)
            guard training?.integers ?? [0] == [0] else { throw reader.unsupported("training_mode = true is not supported") }
        }
        try pass(reader)
    }

    /// The input under the output's name. A Reshape that keeps every dimension stands for it until simplification removes it.
    private mutating func pass(_ reader: NodeReader) throws(GraphError) {
        let name = reader.node.inputs[0]
        if let constant = constants[name] { return define(reader.output, constant) }
        let input = try operand(0, reader)
        try emit(.keepingShape(rank: input.shape.count), reader, inputs: [input.name])
    }
}

extension Tensor {
    /// What is wrong with a tensor that a file gives.
    var problem: String? {
        guard shape.count <= TensorLimits.rank else { return "\(shape.count) dimensions; up to \(TensorLimits.rank) are possible" }
        return elementCount(of: shape) == count ? nil : "\(count) elements do not fit shape \(shape)"
    }
}

extension Operation {
    /// A Reshape that copies every dimension.
    static func keepingShape(rank: Int) -> Operation {
        .reshape(Array(repeating: 0, count: rank), allowZero: false)
    }
}
