import DNNL
import MultipointGraph

/// NumPy's matmul of two computed tensors.
extension NetworkCompiler {
    mutating func emitMatrixProduct(_ node: Node) throws {
        var left = try matrix(node.inputs[0], isColumn: false), right = try matrix(node.inputs[1], isColumn: true)
        let (m, k, n) = (left.shape[left.shape.count - 2], left.shape[left.shape.count - 1], right.shape[right.shape.count - 1])
        let batches = MatrixBatches(left: left.shape.dropLast(2), right: right.shape.dropLast(2))
        let result = try builder.value(shape(node.output), .dense, .float32)
        var shapes = (left: [batches.left, m, k], right: [batches.right, k, n], result: [batches.count, m, n])
        if batches.right == 1 {
            // One matrix on the right: all rows on the left are one matrix.
            shapes = ([batches.left * m, k], [k, n], [batches.left * m, n])
        } else if batches.left != batches.right {
            if batches.left != batches.count { left = try repeated(node, left, batches.shape) }
            if batches.right != batches.count { right = try repeated(node, right, batches.shape) }
            shapes = ([batches.count, m, k], [batches.count, k, n], shapes.result)
        } else if batches.isMixed {
            (left, right) = (try repeated(node, left, batches.shape), try repeated(node, right, batches.shape))
            shapes = ([batches.count, m, k], [batches.count, k, n], shapes.result)
        }
        let (a, b, to) = (
            try MemoryDescriptor(shapes.left, .float32), try MemoryDescriptor(shapes.right, .float32),
            try MemoryDescriptor(shapes.result, .float32)
        )
        try builder.append(
            matrixProduct(a, b, destination: to), name: node.name, operation: operationName(node),
            [(.source, a, left.buffer), (.weights, b, right.buffer), (.destination, to, result.buffer)],
            products: elementCount(of: shapes.result + [k]) ?? .max)
        values[node.output] = result
    }

    /// An operand in C order with at least two dimensions.
    private mutating func matrix(_ name: String, isColumn: Bool) throws -> StoredValue {
        var value: StoredValue
        if let constant = network.constants[name] {
            value = try constantValue(constant, name)
        } else {
            value = try float(name, .dense)
        }
        if value.shape.count == 1 { value.shape = isColumn ? value.shape + [1] : [1] + value.shape }
        return value
    }

    /// A full copy of matrices that are repeated along some axes before the last two.
    private func repeated(_ node: Node, _ value: StoredValue, _ batches: [Int]) throws -> StoredValue {
        let shape = batches + value.shape.suffix(2)
        var from = value
        from.shape = [Int](repeating: 1, count: shape.count - value.shape.count) + value.shape
        let strides = from.strides
        let result = try builder.value(shape, .dense, .float32)
        rearrange(node, from, shape.indices.map { CopyAxis(size: shape[$0], stride: from.shape[$0] == 1 ? 0 : strides[$0]) }, to: result)
        return result
    }
}

/// Axes before the last two of two stacks of matrices.
private struct MatrixBatches {
    /// Broadcast.
    let shape: [Int]
    /// Matrices in each.
    let left: Int
    let right: Int
    /// Both repeat, along different axes.
    let isMixed: Bool

    var count: Int { shape.reduce(1, *) }

    init(left: ArraySlice<Int>, right: ArraySlice<Int>) {
        let rank = max(left.count, right.count)
        let (a, b) = (Array(repeating: 1, count: rank - left.count) + left, Array(repeating: 1, count: rank - right.count) + right)
        shape = zip(a, b).map { $0 == 1 ? $1 : $0 }
        (self.left, self.right) = (a.reduce(1, *), b.reduce(1, *))
        isMixed = a != b
    }
}
