import MultipointGraph

// ONNX definitions and networks evaluated naively in float64, to compare what they compute.

struct Values: Equatable {
    var shape: [Int]
    var elements: [Double]

    init(shape: [Int], _ elements: [Double]) {
        self.shape = shape
        self.elements = elements
    }

    init(_ tensor: Tensor) { self.init(shape: tensor.shape, (tensor.floats ?? []).map(Double.init)) }

    static func indices(_ shape: [Int]) -> [[Int]] {
        shape.reduce([[]]) { partial, size in partial.flatMap { index in (0..<size).map { index + [$0] } } }
    }

    static func build(_ shape: [Int], _ element: ([Int]) -> Double) -> Values {
        Values(shape: shape, indices(shape).map(element))
    }

    /// 0 outside; missing leading dimensions and dimensions of size 1 broadcast.
    subscript(_ index: [Int]) -> Double {
        var offset = 0
        for (position, size) in zip(index.suffix(shape.count), shape) {
            if size == 1 { continue }
            if position < 0 || position >= size { return 0 }
            offset = offset * size + position
        }
        return elements[offset]
    }

    func map(_ transform: (Double) -> Double) -> Values { Values(shape: shape, elements.map(transform)) }

    func combined(_ other: Values, _ operation: (Double, Double) -> Double) -> Values {
        let rank = max(shape.count, other.shape.count)
        let a = Array(repeating: 1, count: rank - shape.count) + shape
        let b = Array(repeating: 1, count: rank - other.shape.count) + other.shape
        return Values.build(zip(a, b).map { max($0, $1) }) { operation(self[$0], other[$0]) }
    }

    func transposed(_ permutation: [Int]) -> Values {
        Values.build(permutation.map { shape[$0] }) { index in
            var source = index
            for (axis, from) in permutation.enumerated() { source[from] = index[axis] }
            return self[source]
        }
    }

    func padded(_ pads: [Int], _ value: Double) -> Values {
        Values.build(shape.indices.map { shape[$0] + pads[$0] + pads[shape.count + $0] }) { index in
            let source = index.indices.map { index[$0] - pads[$0] }
            let inside = source.indices.allSatisfy { source[$0] >= 0 && source[$0] < shape[$0] }
            return inside ? self[source] : value
        }
    }

    func convolved(_ weights: Values, bias: [Double]?, _ attributes: ConvolutionAttributes) -> Values {
        let pads: [Int] = [0, 0, attributes.pads[0], attributes.pads[1], 0, 0, attributes.pads[2], attributes.pads[3]]
        let padded = padded(pads, 0)
        let size = (0..<2).map { (axis: Int) -> Int in
            let extent = (weights.shape[2 + axis] - 1) * attributes.dilations[axis] + 1
            return (padded.shape[2 + axis] - extent) / attributes.strides[axis] + 1
        }
        let perGroup = weights.shape[0] / attributes.group
        return Values.build([shape[0], weights.shape[0]] + size) { index in
            var sum = bias?[index[1]] ?? 0
            for tap in Values.indices(Array(weights.shape[1...])) {
                let channel = index[1] / perGroup * weights.shape[1] + tap[0]
                let row = index[2] * attributes.strides[0] + tap[1] * attributes.dilations[0]
                let column = index[3] * attributes.strides[1] + tap[2] * attributes.dilations[1]
                sum += weights[[index[1]] + tap] * padded[[index[0], channel, row, column]]
            }
            return sum
        }
    }

    /// The last axis times [in, out].
    func multiplied(_ matrix: Values, bias: Values?) -> Values {
        Values.build(shape.dropLast() + [matrix.shape[1]]) { index in
            let out = index[index.count - 1]
            var sum: Double = bias?[[0, out]] ?? 0
            for feature in 0..<matrix.shape[0] { sum += self[index.dropLast() + [feature]] * matrix[[feature, out]] }
            return sum
        }
    }
}

/// Evaluates a definition whose nodes are in order; only the operators that the tests of simplification use.
func evaluate(_ definition: GraphDefinition, _ input: Values) -> [String: Values] {
    var values = definition.initializers.mapValues { Values($0) }
    values["x"] = input
    for node in definition.nodes {
        let inputs = node.inputs.map { values[$0] ?? Values(shape: [], []) }
        values[node.outputs[0]] = evaluate(node, inputs, definition)
    }
    return values
}

private func evaluate(_ node: NodeDefinition, _ inputs: [Values], _ definition: GraphDefinition) -> Values {
    func ints(_ name: String, _ missing: [Int]) -> [Int] {
        if case .ints(let values) = node.attributes[name] { values.map { Int($0) } } else { missing }
    }
    switch node.operatorType {
    case "Identity", "Dropout": return inputs[0]
    case "Relu": return inputs[0].map { max($0, 0) }
    case "Add": return inputs[0].combined(inputs[1], +)
    case "Sub": return inputs[0].combined(inputs[1], -)
    case "Mul": return inputs[0].combined(inputs[1], *)
    case "Div": return inputs[0].combined(inputs[1], /)
    case "Transpose": return inputs[0].transposed(ints("perm", []))
    case "Pad":
        let pads = definition.initializers[node.inputs[1]]?.integers ?? []
        return inputs[0].padded(pads.map { Int($0) }, 0)
    case "MatMul": return inputs[0].multiplied(inputs[1], bias: nil)
    case "Gemm": return inputs[0].multiplied(inputs[1], bias: inputs.count > 2 ? inputs[2] : nil)
    case "Conv":
        let attributes = ConvolutionAttributes(
            strides: ints("strides", [1, 1]), pads: ints("pads", [0, 0, 0, 0]), dilations: ints("dilations", [1, 1]),
            group: { if case .int(let group) = node.attributes["group"] { Int(group) } else { 1 } }())
        return inputs[0].convolved(inputs[1], bias: inputs.count > 2 ? inputs[2].elements : nil, attributes)
    case "BatchNormalization":
        let rank = inputs[0].shape.count
        let parameters = inputs[1...].map { Values(shape: $0.shape + Array(repeating: 1, count: rank - 2), $0.elements) }
        let centered = inputs[0].combined(parameters[2], -)
        let normalized = centered.combined(parameters[3]) { $0 / ($1 + Double(Float(1e-5))).squareRoot() }
        return normalized.combined(parameters[0], *).combined(parameters[1], +)
    default: return Values(shape: [], [])
    }
}
