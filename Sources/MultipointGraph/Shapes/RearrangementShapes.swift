// Operations that keep the elements and their order in memory, or permute them.

extension ShapeRule {
    func flatten(axis: Int) throws(GraphError) -> [Int] {
        let input = try only()
        guard (0...input.shape.count).contains(axis) else {
            throw fail("axis \(axis): 0 to \(input.shape.count) expected for `\(input.name)` of shape \(input.shape)")
        }
        return [input.shape[..<axis].reduce(1, *), input.shape[axis...].reduce(1, *)]
    }

    func reshape(_ target: [Int], allowZero: Bool) throws(GraphError) -> [Int] {
        let input = try only()
        var shape = target
        if !allowZero {
            for (axis, size) in target.enumerated() where size == 0 {
                guard axis < input.shape.count else {
                    throw fail("shape \(target): dimension \(axis) is copied, but `\(input.name)` has shape \(input.shape)")
                }
                shape[axis] = input.shape[axis]
            }
        }
        guard shape.allSatisfy({ $0 >= -1 }), shape.count(where: { $0 == -1 }) <= 1 else {
            throw fail("shape \(target): sizes, and −1 at most once, expected")
        }
        let total = input.shape.reduce(1, *)
        guard let stated = elementCount(of: shape.filter { $0 != -1 }), stated > 0, total % stated == 0 else {
            throw fail("shape \(target) does not fit `\(input.name)` of shape \(input.shape)")
        }
        if let inferred = shape.firstIndex(of: -1) { shape[inferred] = total / stated }
        guard elementCount(of: shape) == total else {
            throw fail("shape \(target) does not fit `\(input.name)` of shape \(input.shape)")
        }
        return shape
    }

    func squeeze(axes: [Int]?) throws(GraphError) -> [Int] {
        let input = try only()
        guard let axes else { return input.shape.filter { $0 != 1 } }
        try checkAxes(axes, rank: input.shape.count, "`\(input.name)` of shape \(input.shape)")
        if let axis = axes.first(where: { input.shape[$0] != 1 }) {
            throw fail("axis \(axis) of `\(input.name)` has size \(input.shape[axis]); 1 expected")
        }
        return input.shape.indices.filter { !axes.contains($0) }.map { input.shape[$0] }
    }

    func unsqueeze(axes: [Int]) throws(GraphError) -> [Int] {
        let input = try only()
        let rank = input.shape.count + axes.count
        guard rank <= TensorLimits.rank else {
            throw fail("a result of \(rank) dimensions; up to \(TensorLimits.rank) are possible")
        }
        try checkAxes(axes, rank: rank, "a result of \(rank) dimensions")
        var sizes = input.shape[...]
        return (0..<rank).map { axes.contains($0) ? 1 : sizes.removeFirst() }
    }

    func transpose(_ permutation: [Int]) throws(GraphError) -> [Int] {
        let input = try only()
        guard permutation.count == input.shape.count else {
            throw fail("permutation \(permutation) does not fit `\(input.name)` of shape \(input.shape)")
        }
        try checkAxes(permutation, rank: input.shape.count, "a permutation")
        return permutation.map { input.shape[$0] }
    }

    /// NumPy broadcasting with a shape (ONNX Expand-8).
    func expand(_ target: [Int]) throws(GraphError) -> [Int] {
        let input = try only()
        let rule = ShapeRule(node: node, inputs: [input, Operand(name: "shape", shape: target)])
        guard target.allSatisfy({ $0 >= 1 }) else { throw fail("shape \(target): sizes from 1 expected") }
        return try rule.broadcast()
    }
}
