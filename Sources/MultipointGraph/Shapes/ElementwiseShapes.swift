extension ShapeRule {
    /// NumPy broadcasting of two operands (ONNX Add-7 and its like).
    func broadcast() throws(GraphError) -> [Int] {
        guard inputs.count == 2 else { throw fail("two inputs expected, found \(inputs.count)") }
        let left = inputs[0].shape, right = inputs[1].shape
        let rank = max(left.count, right.count)
        let padded = [left, right].map { Array(repeating: 1, count: rank - $0.count) + $0 }
        var shape: [Int] = []
        for (a, b) in zip(padded[0], padded[1]) {
            guard a == b || a == 1 || b == 1 else {
                throw fail("`\(inputs[0].name)` of shape \(left) and `\(inputs[1].name)` of shape \(right) do not broadcast")
            }
            shape.append(a == 1 ? b : a)
        }
        return shape
    }

    func elementwise(_ function: Elementwise) throws(GraphError) -> [Int] {
        if case .clip(let minimum, let maximum) = function {
            guard minimum.isFinite, maximum.isFinite, minimum <= maximum else {
                throw fail("clip from \(minimum) to \(maximum): finite numbers in ascending order expected")
            }
        }
        if let parameter = function.parameters.first(where: { !$0.isFinite }) {
            throw fail("\(function.operatorType) with \(parameter): finite numbers expected")
        }
        return try only().shape
    }

    /// The slope broadcasts to x and not the other way round (ONNX PRelu-9: unidirectional).
    func prelu() throws(GraphError) -> [Int] {
        let shape = try broadcast()
        guard shape == inputs[0].shape else {
            throw fail("slope `\(inputs[1].name)` of shape \(inputs[1].shape) does not broadcast to `\(inputs[0].name)` of shape \(inputs[0].shape)")
        }
        return shape
    }

    /// An operation whose result has its input's shape.
    func along(axis: Int) throws(GraphError) -> [Int] {
        let input = try only()
        try checkAxis(axis, of: input)
        return input.shape
    }
}

extension Elementwise {
    /// The numbers that the function is made with.
    var parameters: [Float] {
        switch self {
        case .clip(let minimum, let maximum): [minimum, maximum]
        case .elu(let alpha), .leakyRelu(let alpha), .swish(let alpha), .thresholdedRelu(let alpha): [alpha]
        case .hardSigmoid(let alpha, let beta): [alpha, beta]
        case .selu(let alpha, let gamma): [alpha, gamma]
        case .pow(let exponent): [exponent]
        default: []
        }
    }
}
