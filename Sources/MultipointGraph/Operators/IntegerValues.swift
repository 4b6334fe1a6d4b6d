// Integers that are computed are floats at run time, exact up to 2²⁴. What ONNX computes otherwise for them needs to know which they are.

extension Translation {
    /// Whether the results of a node are of an integer type: ONNX's operators give the type that they are given, but for a few.
    func givesIntegers(_ reader: NodeReader) -> Bool {
        switch reader.node.operatorType {
        case "ArgMax", "ArgMin": true
        case "Cast": Translation.castsToInteger(reader)
        case "CastLike": false
        // A power has the type of its base.
        case "Pow": reader.node.inputs.first.map(integers.contains) ?? false
        default: reader.node.inputs.contains(where: integers.contains)
        }
    }

    /// The operands with integer constants as floats, where they meet computed integers.
    mutating func withConstantsAsFloats(_ operands: [String], _ reader: NodeReader) throws(GraphError) -> [String] {
        guard operands.contains(where: integers.contains) else { return operands }
        var result = operands
        for (index, operand) in operands.enumerated() {
            guard let tensor = constants[operand], let values = tensor.integers else { continue }
            if let element = values.firstIndex(where: { $0.magnitude > TensorLimits.exactInteger }) {
                throw reader.unsupported("operand `\(operand)`: element \(element) is \(values[element]); integers up to 2²⁴ are exact")
            }
            result[index] = try constant(reader, "operand", shape: tensor.shape, values.map { Float($0) })
        }
        return result
    }

    /// A quotient of integers, cut towards zero as ONNX does.
    mutating func divideIntegers(_ inputs: [String], _ reader: NodeReader) throws(GraphError) {
        let quotient = try step(.binary(.divide), reader, "quotient", inputs: inputs)
        try emit(.elementwise(.truncate), reader, inputs: [quotient])
    }

    /// A mean of integers, cut towards zero: the exact sum by the number of elements.
    mutating func meanOfIntegers(_ input: Operand, axes: [Int], keepsDimensions: Bool, _ reader: NodeReader) throws(GraphError) {
        if isBatchOpen, axes.contains(0) { throw reader.unsupported("the mean of integers over an open batch is not supported") }
        let sum = try step(.reduce(.sum, axes: axes, keepsDimensions: keepsDimensions), reader, "sum", inputs: [input.name])
        let count = try constant(reader, "count", [Float(axes.reduce(1) { $0 * input.shape[$1] })])
        try divideIntegers([sum, count], reader)
    }
}
