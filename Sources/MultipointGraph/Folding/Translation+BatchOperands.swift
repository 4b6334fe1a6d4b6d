// Nodes that run and take shapes or sizes that depend on the batch size: Reshape, Expand, Resize.

extension Translation {
    /// The node with operands that hold for every batch size in place of those that were computed for some.
    /// - Throws: `GraphError` if the batch size cannot be left out of them.
    mutating func settlingBatch(_ node: NodeDefinition) throws(GraphError) -> NodeDefinition {
        guard let index = node.inputs.firstIndex(where: { sampled[$0] != nil }), let value = sampled[node.inputs[index]] else {
            return node
        }
        let reader = NodeReader(node: node, version: operatorSet)
        let dependent = reader.unsupported(
            "its input `\(node.inputs[index])` depends on the batch size (it is computed from \(value.origin)); that is not supported here"
                + GraphError.batchRemedy
        )
        guard let input = node.inputs.first, let one = shapes[input], let other = otherShapes[input] else { throw dependent }
        let lists = value.samples.compactMap { $0.shape.count == 1 ? $0.integers.map { $0.map { Int($0) } } : nil }
        guard lists.count == 2, lists[0].count == lists[1].count, lists[0].dropFirst() == lists[1].dropFirst() else {
            throw dependent
        }
        // Only the first numbers differ. Whether they are those of the input's first dimension:
        let copies = !one.isEmpty && lists[0][0] == one[0] && lists[1][0] == other[0]
        var node = node, list = lists[0]
        switch (node.operatorType, index) {
        case ("Reshape", 1):
            // Zeros of `allowzero` would be copies in the node that is written.
            guard try !reader.flag("allowzero") || !(lists[0] + lists[1]).contains(0),
                let target = reshapeTarget(lists, of: [one, other], copies: copies)
            else { throw dependent }
            node.attributes["allowzero"] = nil
            list = target
        case ("Expand", 1):
            guard copies, one.count == list.count else { throw dependent }
            list[0] = 1
        // Sizes of all axes; the first stays.
        case ("Resize", 3): guard copies, one.count == list.count else { throw dependent }
        default: throw dependent
        }
        node.inputs[index] = define(like: "\(node.name)/shape", Tensor(shape: [list.count], list.map { Int64($0) }))
        return try settlingBatch(node)
    }

    /// 0 where the first dimension is copied; else −1, and what was inferred before becomes a number.
    private func reshapeTarget(_ lists: [[Int]], of shapes: [[Int]], copies: Bool) -> [Int]? {
        var target = lists[0]
        target[0] = copies ? 0 : -1
        guard !copies, let inferred = target.dropFirst().firstIndex(of: -1) else { return target }
        let sizes = zip(lists, shapes).map { list, shape -> Int? in
            // Zeros copy.
            let known = list.indices.filter { $0 != inferred }.map { list[$0] == 0 && $0 < shape.count ? shape[$0] : list[$0] }
            guard let total = elementCount(of: shape), let stated = elementCount(of: known), stated > 0 else { return nil }
            return total / stated
        }
        guard let size = sizes[0], sizes[1] == size else { return nil }
        target[inferred] = size
        return target
    }
}
