extension ShapeRule {
    /// NumPy broadcasting of two operands (ONNX Add-7 and Mul-7).
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

    func clip(minimum: Float, maximum: Float) throws(GraphError) -> [Int] {
        guard minimum.isFinite, maximum.isFinite, minimum <= maximum else {
            throw fail("clip from \(minimum) to \(maximum): finite numbers in ascending order expected")
        }
        return try only().shape
    }

    func leakyRelu(alpha: Float) throws(GraphError) -> [Int] {
        guard alpha.isFinite else { throw fail("alpha \(alpha): a finite number expected") }
        return try only().shape
    }

    func softmax(axis: Int) throws(GraphError) -> [Int] {
        let input = try only()
        try checkAxis(axis, of: input)
        return input.shape
    }
}
