// Tensors made of shapes and numbers: Shape, Size, ConstantOfShape, Range.

extension NodeFolding {
    /// Version 15 brought `start` and `end`, which are clamped to the rank.
    func shape() throws(GraphError) -> Tensor { try shape(of: try only().shape) }

    func shape(of shape: [Int]) throws(GraphError) -> Tensor {
        try reader.allowAttributes("end", "start")
        let rank = shape.count
        func position(_ attribute: String, default position: Int) throws(GraphError) -> Int {
            guard let value = try reader.int(attribute) else { return position }
            return min(max(value < 0 ? value + rank : value, 0), rank)
        }
        let start = try position("start", default: 0), end = try position("end", default: rank)
        let sizes = shape[start..<max(start, end)].map { Int64($0) }
        return Tensor(shape: [sizes.count], sizes)
    }

    func size() throws(GraphError) -> Tensor { try size(of: try only().shape) }

    func size(of shape: [Int]) throws(GraphError) -> Tensor {
        try reader.allowAttributes()
        guard let count = elementCount(of: shape) else { throw fail("shape \(shape) has too many elements") }
        return Tensor(shape: [], [Int64(count)])
    }

    /// A float zero unless `value` says otherwise.
    func constantOfShape() throws(GraphError) -> Tensor {
        try reader.allowAttributes("value")
        try reader.checkInputCount(1...1)
        let shape = try reader.required(try integers(0, "shape"), "shape")
        let count = try checkSize(shape)
        let value: Tensor
        switch reader.node.attributes["value"] {
        case nil: value = Tensor(shape: [1], [Float(0)])
        case .tensor(let tensor) where tensor.count == 1: value = tensor
        default: throw fail("attribute `value`: a tensor of one element expected")
        }
        switch value.elements {
        case .float(let values): return Tensor(shape: shape, Array(repeating: values[0], count: count))
        case .int64(let values):
            let elements = Tensor.Elements.int64(Array(repeating: values[0], count: count))
            return Tensor(shape: shape, elements: elements, integerType: value.integerType)
        }
    }

    /// `start`, `start + delta`, ... before `limit`: max(ceil((limit − start) / delta), 0) numbers.
    func range() throws(GraphError) -> Tensor {
        try reader.allowAttributes()
        try reader.checkInputCount(3...3)
        let numbers = [try input(0), try input(1), try input(2)]
        guard numbers.allSatisfy({ $0.count == 1 }) else { throw fail("start, limit and delta: one number each expected") }
        let integers = numbers.compactMap { $0.integers?.first }
        if integers.count == 3 { return try range(integers[0], integers[1], integers[2], numbers[0].integerType) }
        let floats = numbers.compactMap { $0.floats?.first }
        guard floats.count == 3 else { throw fail("start, limit and delta: numbers of one type expected") }
        return try range(floats[0], floats[1], floats[2])
    }

    private func range(_ start: Int64, _ limit: Int64, _ delta: Int64, _ type: IntegerType?) throws(GraphError) -> Tensor {
        guard delta != 0 else { throw fail("delta is 0") }
        // As UInt64: the distance of two Int64 may not be one.
        let distance = delta > 0 ? UInt64(bitPattern: limit &- start) : UInt64(bitPattern: start &- limit)
        let runs = delta > 0 ? start < limit : start > limit
        let count = runs ? (distance - 1) / delta.magnitude + 1 : 0
        try checkSize([Int(clamping: count)])
        let values = (0..<Int64(count)).map { start &+ $0 &* delta }
        return Tensor(shape: [values.count], elements: .int64(values), integerType: type)
    }

    private func range(_ start: Float, _ limit: Float, _ delta: Float) throws(GraphError) -> Tensor {
        guard [start, limit, delta].allSatisfy(\.isFinite), delta != 0 else {
            throw fail("from \(start) to \(limit) by \(delta): finite numbers, and a delta other than 0, expected")
        }
        let count = max(((Double(limit) - Double(start)) / Double(delta)).rounded(.up), 0)
        guard count < 1e12 else { throw fail("from \(start) to \(limit) by \(delta): too many numbers") }
        try checkSize([Int(count)])
        return Tensor(shape: [Int(count)], (0..<Int(count)).map { start + Float($0) * delta })
    }
}
