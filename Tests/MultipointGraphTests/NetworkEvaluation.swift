import MultipointGraph

// Networks evaluated naively in float64 (functions of single elements: in float32, as they are defined).

/// Evaluates a network whose only input is `x`; operations that no test needs give nothing.
func evaluate(_ network: Network, _ input: Values) throws -> [String: Values] {
    var values = network.constants.mapValues { Values($0) }
    values["x"] = input
    let shapes = try network.shapes(batch: input.shape[0])
    for node in network.nodes {
        let inputs = node.inputs.map { values[$0] ?? Values(shape: [], []) }
        if case .layer(let name) = node.operation {
            values[node.output] = network.layers[name].map { evaluate($0, inputs[0]) }
        } else {
            values[node.output] = evaluate(node.operation, inputs, shape: shapes[node.output] ?? [])
        }
    }
    return values
}

private func evaluate(_ operation: Operation, _ inputs: [Values], shape: [Int]) -> Values? {
    switch operation {
    case .elementwise(let function): return inputs[0].map { Double(function(Float($0))) }
    case .binary(let function): return inputs[0].combined(inputs[1], function.callAsFunction)
    case .prelu: return inputs[0].combined(inputs[1]) { $0 < 0 ? $0 * $1 : $0 }
    case .matrixProduct where inputs.allSatisfy({ $0.shape.count == 2 }): return inputs[0].multiplied(inputs[1], bias: nil)
    case .globalAveragePool: return inputs[0].reduced(.mean, axes: [2, 3], to: shape, keeps: true)
    case .reduce(let reduction, let axes, let keeps): return inputs[0].reduced(reduction, axes: axes, to: shape, keeps: keeps)
    case .layerNormalization(let axis, let epsilon): return inputs[0].normalized(from: axis, Double(epsilon))
    case .flatten, .reshape, .squeeze, .unsqueeze: return Values(shape: shape, inputs[0].elements)
    case .transpose(let permutation): return inputs[0].transposed(permutation)
    case .expand: return Values.build(shape) { inputs[0][$0] }
    case .pad(let pads, .constant(let value)): return inputs[0].padded(pads, Double(value))
    case .concat(let axis):
        return Values.build(shape) { index in
            var index = index
            for input in inputs {
                if index[axis] < input.shape[axis] { return input[index] }
                index[axis] -= input.shape[axis]
            }
            return .nan
        }
    case .slice(let starts, let ends, let axes, let steps):
        return Values.build(shape) { index in
            var index = index
            for (entry, axis) in axes.enumerated() {
                let range = SliceRange(start: starts[entry], end: ends[entry], step: steps[entry], size: inputs[0].shape[axis])
                index[axis] = (range?.first ?? 0) + index[axis] * steps[entry]
            }
            return inputs[0][index]
        }
    case .gather(let indices, let within, let axis) where within.count == 1:
        return Values.build(shape) { index in
            var index = index
            index[axis] = indices[index[axis]]
            return inputs[0][index]
        }
    case .depthToSpace(let block, .columnRowDepth):
        return Values.build(shape) { index in
            let channel = (index[1] * block + index[2] % block) * block + index[3] % block
            return inputs[0][[index[0], channel, index[2] / block, index[3] / block]]
        }
    case .spaceToDepth(let block):
        return Values.build(shape) { index in
            let channels = inputs[0].shape[1], place = index[1] / channels
            return inputs[0][[index[0], index[1] % channels, index[2] * block + place / block, index[3] * block + place % block]]
        }
    default: return nil
    }
}

extension Binary {
    fileprivate func callAsFunction(_ a: Double, _ b: Double) -> Double {
        switch self {
        case .add: a + b
        case .subtract: a - b
        case .multiply: a * b
        case .divide: a / b
        case .minimum: min(a, b)
        case .maximum: max(a, b)
        case .power: Double(Elementwise.pow(exponent: Float(b))(Float(a)))
        }
    }
}

extension Values {
    fileprivate func reduced(_ reduction: Reduction, axes: [Int], to shape: [Int], keeps: Bool) -> Values {
        Values.build(shape) { index in
            var whole = keeps ? index : self.shape.indices.map { _ in 0 }
            if !keeps { for (axis, position) in zip(self.shape.indices.filter { !axes.contains($0) }, index) { whole[axis] = position } }
            let part = Values.indices(axes.map { self.shape[$0] }).map { inner in
                for (axis, position) in zip(axes, inner) { whole[axis] = position }
                return self[whole]
            }
            return switch reduction {
            case .mean: part.reduce(0, +) / Double(part.count)
            case .sum: part.reduce(0, +)
            case .maximum: part.max() ?? .nan
            case .minimum: part.min() ?? .nan
            case .product: part.reduce(1, *)
            case .l1: part.reduce(0) { $0 + abs($1) }
            case .l2: part.reduce(0) { $0 + $1 * $1 }.squareRoot()
            case .sumOfSquares: part.reduce(0) { $0 + $1 * $1 }
            }
        }
    }

    fileprivate func normalized(from axis: Int, _ epsilon: Double) -> Values {
        let length = shape[axis...].reduce(1, *)
        var result: [Double] = []
        for start in stride(from: 0, to: elements.count, by: length) {
            let row = elements[start..<start + length]
            let mean = row.reduce(0, +) / Double(length)
            let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(length)
            result += row.map { ($0 - mean) / (variance + epsilon).squareRoot() }
        }
        return Values(shape: shape, result)
    }
}

private func evaluate(_ layer: Layer, _ input: Values) -> Values {
    guard case .float(let weights) = layer.weights else { return Values(shape: [], []) }
    let matrix = Values(Tensor(shape: layer.shape, weights)), bias = layer.bias?.map(Double.init)
    switch layer.operation {
    case .convolution(let attributes): return input.convolved(matrix, bias: bias, attributes)
    case .gemm:
        return input.multiplied(matrix.transposed([1, 0]), bias: bias.map { Values(shape: [1, $0.count], $0) })
    }
}
