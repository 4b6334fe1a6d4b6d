// QuantizeLinear and DequantizeLinear of computed values. (Those of constants are folded.)
//
// A network with such pairs (ONNX Runtime's QDQ format, quantization-aware training) is taken as the float network that it stands
// for: its activations are quantized anew.

extension Translation {
    /// - Returns: false if the node is another one.
    mutating func translateQuantization(_ node: NodeDefinition) throws(GraphError) -> Bool {
        let reader = NodeReader(node: node, version: OperatorSet.sinceVersion(node.operatorType, in: operatorSet) ?? operatorSet)
        switch node.operatorType {
        case "QuantizeLinear" where node.isOfQuantizationDomain: try quantizeActivation(reader)
        case "DequantizeLinear" where node.isOfQuantizationDomain: try dequantizeActivation(reader)
        default:
            guard let input = node.inputs.first(where: { quantizedActivations[$0] != nil }) else { return false }
            throw reader.unsupported(
                "its input `\(input)` is the result of a QuantizeLinear, which only DequantizeLinear may take; export with the QDQ format")
        }
        return true
    }

    /// Quantizers drop a Relu or Clip before QuantizeLinear if the quantized range does the same. So where the range starts at 0
    /// and the value may be negative, what the range cuts off is cut off.
    private mutating func quantizeActivation(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes("axis", "block_size", "output_dtype", "precision", "saturate")
        try reader.checkInputCount(2...3)
        let input = try operand(0, reader)
        let (_, scales) = try reader.required(try floatsInput(1, "scale", reader), "scale")
        let zero = try constantInput(2, "zero point", reader)
        if let scale = scales.first(where: { !($0.isFinite && $0 > 0) }) {
            throw reader.fail("scale \(scale): finite positive numbers expected")
        }
        quantizedActivations[reader.output] = input.name
        let type = zero.map { $0.integerType } ?? .uint8, zeros = zero.map { $0.integers ?? [] } ?? [0]
        guard let type, zeros.allSatisfy({ $0 == type.range.lowerBound }),
            producers[input.name] != nil, !isNeverNegative(input.name)
        else { return }
        let levels = Float(type.range.upperBound - type.range.lowerBound)
        let operation = scales.count == 1 ? Operation.clip(minimum: 0, maximum: scales[0] * levels) : .relu
        try emit(operation, reader, inputs: [input.name])
        quantizedActivations[reader.output] = reader.output
    }

    private mutating func dequantizeActivation(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes("axis", "block_size", "output_dtype")
        try reader.checkInputCount(2...3)
        if let source = reader.node.inputs.first.flatMap({ quantizedActivations[$0] }), let shape = shapes[source] {
            return try emit(.keepingShape(rank: shape.count), reader, inputs: [source])
        }
        try dequantizeIntegers(reader)
    }

    /// Of integers that are computed, or the network's input: `(x − zero point) · scale`.
    private mutating func dequantizeIntegers(_ reader: NodeReader) throws(GraphError) {
        let input = try operand(0, reader)
        let scale = try reader.required(try floatsInput(1, "scale", reader), "scale")
        if let scale = scale.values.first(where: { !$0.isFinite }) { throw reader.fail("scale \(scale): finite numbers expected") }
        let zero = try constantInput(2, "zero point", reader)
        guard zero == nil || zero?.shape == scale.shape else {
            throw reader.fail("zero point of shape \(zero?.shape ?? []), scale of shape \(scale.shape); equal ones expected")
        }
        var shape: [Int] = []
        if scale.values.count != 1 || scale.shape.count > 1 {
            let axis = try reader.axis(try reader.int("axis") ?? 1, rank: input.shape.count)
            guard scale.shape == [input.shape[axis]] else {
                throw reader.unsupported("scale of shape \(scale.shape): one number, or \(input.shape[axis]) for axis \(axis), expected")
            }
            shape = [input.shape[axis]] + Array(repeating: 1, count: input.shape.count - 1 - axis)
        }
        var value = input.name
        if let zeros = zero?.asFloats, zeros.contains(where: { $0 != 0 }) {
            let shifted = newValue("\(reader.name)/shifted")
            let offset = try constant(reader, "offset", shape: shape, zeros.map { -$0 })
            try emit(.add, reader, name: newNode("\(reader.name)/shift"), inputs: [value, offset], output: shifted)
            value = shifted
        }
        try emit(.multiply, reader, inputs: [value, try constant(reader, "scale", shape: shape, scale.values)])
    }

    /// Whether the nodes before a value keep it from being negative. Looks at some of them only.
    private func isNeverNegative(_ value: String) -> Bool {
        var (pending, looked) = ([value], 0)
        while let value = pending.popLast() {
            guard let producer = producers[value] else { return false }
            looked += 1
            guard looked <= 64 else { return false }
            switch nodes[producer].operation {
            case .elementwise(let function): guard function.isNeverNegative else { return false }
            case .softmax: continue
            case .maxPool, .averagePool, .globalAveragePool, .concat, .flatten, .reshape, .squeeze, .unsqueeze, .transpose, .slice,
                .gather, .expand, .binary(.maximum):
                pending += nodes[producer].inputs
            default: return false
            }
        }
        return true
    }

    /// - Throws: `GraphError` if an output of the network is quantized.
    func checkOutputsAreFloat(_ outputs: [ValueInfo]) throws(GraphError) {
        for output in outputs where quantizedActivations[output.name] != nil {
            throw GraphError(
                "output `\(output.name)` is the result of a QuantizeLinear; floats expected: end the network with a DequantizeLinear",
                kind: .unsupported)
        }
    }
}

extension Elementwise {
    fileprivate var isNeverNegative: Bool {
        switch self {
        case .abs, .exp, .hardSigmoid, .relu, .sigmoid, .softplus, .sqrt: true
        case .clip(let minimum, _): minimum >= 0
        case .thresholdedRelu(let alpha): alpha >= 0
        default: false
        }
    }
}

extension NodeDefinition {
    /// ONNX Runtime writes the element types that ONNX got later in a domain of its own.
    var isOfQuantizationDomain: Bool { isOfDefaultDomain || domain == "com.microsoft" }

    /// Operators on quantized values, which no float network has.
    var isQuantizedOperator: Bool {
        operatorType.hasPrefix("QLinear") || operatorType.hasPrefix("QGemm") || operatorType.hasPrefix("QAttention")
            || ["ConvInteger", "MatMulInteger", "DynamicQuantizeLinear", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"]
                .contains(operatorType)
    }
}
