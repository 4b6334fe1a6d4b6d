// Operations over whole axes: reductions, normalizations, products of matrices.

extension ShapeRule {
    func reduce(axes: [Int], keepsDimensions: Bool) throws(GraphError) -> [Int] {
        let input = try only()
        guard !axes.isEmpty else { throw fail("at least one axis expected") }
        try checkAxes(axes, rank: input.shape.count, "`\(input.name)` of shape \(input.shape)")
        if keepsDimensions { return input.shape.indices.map { axes.contains($0) ? 1 : input.shape[$0] } }
        return input.shape.indices.filter { !axes.contains($0) }.map { input.shape[$0] }
    }

    /// Positions along the axis are float32 values.
    func argument(axis: Int, keepsDimension: Bool) throws(GraphError) -> [Int] {
        let shape = try reduce(axes: [axis], keepsDimensions: keepsDimension), input = try only()
        guard input.shape[axis] <= TensorLimits.exactInteger else {
            throw fail("axis \(axis) of `\(input.name)` of shape \(input.shape) is too long: positions up to \(TensorLimits.exactInteger) are exact")
        }
        return shape
    }

    func layerNormalization(axis: Int, epsilon: Float) throws(GraphError) -> [Int] {
        guard epsilon.isFinite, epsilon >= 0 else { throw fail("epsilon \(epsilon): a finite number from 0 expected") }
        return try along(axis: axis)
    }

    func localResponseNormalization(size: Int, _ numbers: [Float]) throws(GraphError) -> [Int] {
        let input = try onlyImage()
        guard (1...TensorLimits.attribute).contains(size) else {
            throw fail("size \(size): a number from 1 to \(TensorLimits.attribute) expected")
        }
        guard numbers.allSatisfy(\.isFinite) else { throw fail("alpha, beta and bias \(numbers): finite numbers expected") }
        return input.shape
    }

    /// NumPy's matmul: a vector on the left is a row, on the right a column, and the axis that makes it a matrix is dropped again;
    /// the axes before the last two broadcast.
    func matrixProduct() throws(GraphError) -> [Int] {
        guard inputs.count == 2 else { throw fail("two inputs expected, found \(inputs.count)") }
        let left = inputs[0].shape, right = inputs[1].shape
        guard !left.isEmpty, !right.isEmpty else { throw fail("operands of at least one dimension expected, found \(left) and \(right)") }
        let a = left.count == 1 ? [1] + left : left, b = right.count == 1 ? right + [1] : right
        guard a[a.count - 1] == b[b.count - 2] else {
            throw fail("`\(inputs[0].name)` of shape \(left) and `\(inputs[1].name)` of shape \(right) do not multiply")
        }
        let outer = ShapeRule(
            node: node,
            inputs: [
                Operand(name: inputs[0].name, shape: Array(a.dropLast(2))), Operand(name: inputs[1].name, shape: Array(b.dropLast(2))),
            ])
        var shape = try outer.broadcast()
        if left.count > 1 { shape.append(a[a.count - 2]) }
        if right.count > 1 { shape.append(b[b.count - 1]) }
        return shape
    }
}
