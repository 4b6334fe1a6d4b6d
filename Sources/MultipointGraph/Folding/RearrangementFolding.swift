// The same elements in another shape or order, or repeated: Reshape, Flatten, Squeeze, Unsqueeze, Transpose, Expand, Tile.

extension NodeFolding {
    /// 0 copies the input's dimension unless `allowzero` (version 14); −1 is what is left.
    func reshape() throws(GraphError) -> Tensor {
        try reader.allowAttributes("allowzero")
        try reader.checkInputCount(2...2)
        let tensor = try input(0)
        var shape = try reader.required(try integers(1, "shape"), "shape")
        if try !reader.flag("allowzero") {
            for axis in shape.indices where shape[axis] == 0 {
                guard axis < tensor.shape.count else { throw fail("shape \(shape): dimension \(axis) of \(text(0)) does not exist") }
                shape[axis] = tensor.shape[axis]
            }
        }
        let stated = elementCount(of: shape.filter { $0 != -1 })
        if let open = shape.firstIndex(of: -1), let stated, stated > 0, tensor.count % stated == 0 {
            shape[open] = tensor.count / stated
        }
        guard elementCount(of: shape) == tensor.count else { throw fail("shape \(shape) does not fit \(text(0))") }
        try checkSize(shape)
        return tensor.reshaped(shape)
    }

    func flatten() throws(GraphError) -> Tensor {
        try reader.allowAttributes("axis")
        let tensor = try only(), rank = tensor.shape.count
        let axis = try reader.int("axis") ?? 1
        let position = axis == rank ? rank : try reader.axis(axis, rank: rank)
        let rows = elementCount(of: Array(tensor.shape[..<position])), columns = elementCount(of: Array(tensor.shape[position...]))
        guard let rows, let columns else { throw fail("\(text(0)) has too many rows or columns") }
        return tensor.reshaped([rows, columns])
    }

    func squeeze() throws(GraphError) -> Tensor {
        try reader.allowAttributes("axes")
        try reader.checkInputCount(1...2)
        let tensor = try input(0)
        guard let axes = try integers("axes", orInput: 1) else { return tensor.reshaped(tensor.shape.filter { $0 != 1 }) }
        let positions = try reader.axes(axes, rank: tensor.shape.count)
        if let axis = positions.first(where: { tensor.shape[$0] != 1 }) {
            throw fail("axis \(axis) of \(text(0)) has size \(tensor.shape[axis]); 1 expected")
        }
        return tensor.reshaped(tensor.shape.indices.filter { !positions.contains($0) }.map { tensor.shape[$0] })
    }

    func unsqueeze() throws(GraphError) -> Tensor {
        try reader.allowAttributes("axes")
        try reader.checkInputCount(1...2)
        let tensor = try input(0)
        let axes = try reader.required(try integers("axes", orInput: 1), "axes")
        let rank = tensor.shape.count + axes.count
        guard rank <= TensorLimits.rank else { throw fail("a result of \(rank) dimensions; up to \(TensorLimits.rank) are possible") }
        let positions = try reader.axes(axes, rank: rank)
        var sizes = tensor.shape[...]
        return tensor.reshaped((0..<rank).map { positions.contains($0) ? 1 : sizes.removeFirst() })
    }

    func transpose() throws(GraphError) -> Tensor {
        try reader.allowAttributes("perm")
        let tensor = try only(), rank = tensor.shape.count
        let permutation = try reader.ints("perm") ?? tensor.shape.indices.reversed()
        guard permutation.sorted() == Array(0..<rank) else { throw fail("permutation \(permutation) does not fit \(text(0))") }
        let view = StridedView(tensor.shape)
        return tensor.viewed(
            StridedView(shape: permutation.map { view.shape[$0] }, strides: permutation.map { view.strides[$0] }))
    }

    /// Broadcasting with a shape (both ways: a 1 in the shape keeps the input's size).
    func expand() throws(GraphError) -> Tensor {
        try reader.allowAttributes()
        try reader.checkInputCount(2...2)
        let tensor = try input(0)
        let target = try reader.required(try integers(1, "shape"), "shape")
        let shape = try broadcastShape([tensor.shape, target])
        try checkSize(shape)
        return tensor.broadcast(to: shape)
    }

    /// The whole tensor `repeats` times along each axis.
    func tile() throws(GraphError) -> Tensor {
        try reader.allowAttributes()
        try reader.checkInputCount(2...2)
        let tensor = try input(0)
        let repeats = try reader.required(try integers(1, "repeats"), "repeats")
        guard repeats.count == tensor.shape.count, repeats.allSatisfy({ $0 >= 0 }) else {
            throw fail("repeats \(repeats): as many numbers from 0 expected as \(text(0)) has dimensions")
        }
        var shape: [Int] = []
        for (size, count) in zip(tensor.shape, repeats) {
            let (product, overflow) = size.multipliedReportingOverflow(by: count)
            guard !overflow else { throw fail("repeats \(repeats): the result is too large") }
            shape.append(product)
        }
        try checkSize(shape)
        // Each axis as two: which repetition, which element.
        let view = StridedView(tensor.shape)
        let tiled = tensor.viewed(
            StridedView(
                shape: zip(repeats, view.shape).flatMap { [$0, $1] }, strides: view.strides.flatMap { [0, $0] }))
        return tiled.reshaped(shape)
    }
}
