// Functions of single elements, with their attributes.

extension Elementwise {
    /// The functions that are ONNX operators without attributes (or with ones that have no meaning here).
    static let withoutAttributes: [String: Elementwise] = [
        "Abs": .abs, "Ceil": .ceil, "Cos": .cos, "Erf": .erf, "Exp": .exp, "Floor": .floor, "HardSwish": .hardSwish, "Log": .log,
        "Mish": .mish, "Neg": .neg, "Reciprocal": .reciprocal, "Relu": .relu, "Round": .round, "Sigmoid": .sigmoid, "Sign": .sign,
        "Sin": .sin, "Softplus": .softplus, "Softsign": .softsign, "Sqrt": .sqrt, "Tanh": .tanh,
    ]
}

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
        var range = (minimum: max(minimum ?? -limit, -limit), maximum: min(maximum ?? limit, limit))
        // ONNX Clip-13: the maximum has the last word.
        if range.minimum > range.maximum { range.minimum = range.maximum }
        let input = try operand(0, reader).name
        let isRelu = range.minimum == 0 && range.maximum == limit
        try emit(isRelu ? .relu : .clip(minimum: range.minimum, maximum: range.maximum), reader, inputs: [input])
    }

    mutating func leakyRelu(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes("alpha")
        try reader.checkInputCount(1...1)
        try emit(.leakyRelu(alpha: try reader.float("alpha") ?? 0.01), reader, inputs: [try operand(0, reader).name])
    }

    mutating func elu(_ reader: NodeReader) throws(GraphError) {
        try parametric(reader, "alpha") { (reader) throws(GraphError) in .elu(alpha: try reader.float("alpha") ?? 1) }
    }

    mutating func selu(_ reader: NodeReader) throws(GraphError) {
        try parametric(reader, "alpha", "gamma") { (reader) throws(GraphError) in
            .selu(alpha: try reader.float("alpha") ?? 1.67326319, gamma: try reader.float("gamma") ?? 1.05070102)
        }
    }

    mutating func hardSigmoid(_ reader: NodeReader) throws(GraphError) {
        try parametric(reader, "alpha", "beta") { (reader) throws(GraphError) in
            .hardSigmoid(alpha: try reader.float("alpha") ?? 0.2, beta: try reader.float("beta") ?? 0.5)
        }
    }

    mutating func swish(_ reader: NodeReader) throws(GraphError) {
        try parametric(reader, "alpha") { (reader) throws(GraphError) in .swish(alpha: try reader.float("alpha") ?? 1) }
    }

    mutating func thresholdedRelu(_ reader: NodeReader) throws(GraphError) {
        try parametric(reader, "alpha") { (reader) throws(GraphError) in .thresholdedRelu(alpha: try reader.float("alpha") ?? 1) }
    }

    mutating func gelu(_ reader: NodeReader) throws(GraphError) {
        try parametric(reader, "approximate") { (reader) throws(GraphError) in
            switch try reader.string("approximate") ?? "none" {
            case "none": .gelu
            case "tanh": .geluTanh
            case let other: throw reader.fail("approximate `\(other)`: `none` or `tanh` expected")
            }
        }
    }

    /// `max(0, x) + min(0, α (exp(x / α) − 1)) = α · elu(x / α)` for positive α.
    mutating func celu(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes("alpha")
        try reader.checkInputCount(1...1)
        let alpha = try reader.float("alpha") ?? 1, input = try operand(0, reader).name
        guard alpha > 0, (1 / alpha).isNormal else { throw reader.unsupported("alpha \(alpha): a positive number expected") }
        if alpha == 1 { return try emit(.elementwise(.elu(alpha: 1)), reader, inputs: [input]) }
        let reciprocal = try constant(reader, "reciprocal", [1 / alpha])
        let quotient = try step(.multiply, reader, "quotient", inputs: [input, reciprocal])
        let unit = try step(.elementwise(.elu(alpha: 1)), reader, "elu", inputs: [quotient])
        try emit(.multiply, reader, inputs: [unit, try constant(reader, "alpha", [alpha])])
    }

    /// Versions 7, 9 and 16. One slope for all elements is LeakyRelu's.
    mutating func prelu(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes()
        try reader.checkInputCount(2...2)
        let input = try operand(0, reader)
        if shapes[reader.node.inputs[1]] == nil, let (shape, values) = try floatsInput(1, "slope", reader) {
            if values.count == 1, shape.count <= input.shape.count {
                return try emit(.leakyRelu(alpha: values[0]), reader, inputs: [input.name])
            }
        }
        try emit(.prelu, reader, inputs: reader.node.inputs)
    }

    /// An operator with one input whose function its attributes make.
    private mutating func parametric(
        _ reader: NodeReader, _ attributes: String..., function: (NodeReader) throws(GraphError) -> Elementwise
    ) throws(GraphError) {
        try reader.allowAttributes(attributes)
        try reader.checkInputCount(1...1)
        try emit(.elementwise(try function(reader)), reader, inputs: [try operand(0, reader).name])
    }
}
