// Parts of tensors, and tensors put together: Gather, Slice, Concat, Split.

extension NodeFolding {
    func gather() throws(GraphError) -> Tensor {
        try reader.allowAttributes("axis")
        try reader.checkInputCount(2...2)
        let tensor = try input(0), indices = try input(1)
        guard let positions = indices.integers else { throw fail("indices \(text(1)): integers expected") }
        let axis = try reader.axis(try reader.int("axis") ?? 0, rank: tensor.shape.count)
        let size = tensor.shape[axis]
        if let position = positions.first(where: { !(Int64(-size)..<Int64(size)).contains($0) }) {
            throw fail("index \(position) does not exist in axis \(axis) of \(text(0))")
        }
        let shape = tensor.shape[..<axis] + indices.shape + tensor.shape[(axis + 1)...]
        try checkSize(Array(shape))
        let rows = positions.map { Int($0 < 0 ? $0 + Int64(size) : $0) }
        let elements: Tensor.Elements =
            switch tensor.elements {
            case .float(let values): .float(gathered(values, rows, tensor.shape, axis))
            case .int64(let values): .int64(gathered(values, rows, tensor.shape, axis))
            }
        return Tensor(shape: Array(shape), elements: elements, integerType: tensor.integerType)
    }

    private func gathered<Element>(_ values: [Element], _ positions: [Int], _ shape: [Int], _ axis: Int) -> [Element] {
        guard !values.isEmpty else { return [] }
        let outer = shape[..<axis].reduce(1, *), inner = shape[(axis + 1)...].reduce(1, *)
        var result: [Element] = []
        result.reserveCapacity(outer * positions.count * inner)
        for row in 0..<outer {
            for position in positions {
                let start = (row * shape[axis] + position) * inner
                result += values[start..<start + inner]
            }
        }
        return result
    }

    /// Version 1 has attributes, 10 and later have inputs and steps.
    func slice() throws(GraphError) -> Tensor {
        try reader.allowAttributes("axes", "ends", "starts")
        try reader.checkInputCount(1...5)
        let tensor = try input(0)
        let starts = try reader.required(try integers("starts", orInput: 1), "starts")
        let ends = try reader.required(try integers("ends", orInput: 2), "ends")
        let axes = try reader.axes(
            try integers("axes", orInput: 3) ?? Array(starts.indices), rank: tensor.shape.count)
        let steps = try integers(4, "steps") ?? Array(repeating: 1, count: axes.count)
        guard [starts.count, ends.count, steps.count].allSatisfy({ $0 == axes.count }) else {
            throw fail("starts \(starts), ends \(ends), steps \(steps) and axes \(axes): as many of each expected")
        }
        var view = StridedView(tensor.shape)
        for (index, axis) in axes.enumerated() {
            guard steps[index] != 0 else { throw fail("step 0 along axis \(axis)") }
            guard view.shape[axis] > 0 else { continue }
            guard let range = SliceRange(start: starts[index], end: ends[index], step: steps[index], size: view.shape[axis])
            else { throw fail("starts \(starts), ends \(ends), steps \(steps) do not fit \(text(0))") }
            view.shape[axis] = range.count
            guard range.count > 0 else { continue }
            // A product over a part of the tensor's shape, at most: it does not overflow (`elementCount`).
            view.offset += range.first * view.strides[axis]
            // A step beyond the axis takes one element, and is not used.
            view.strides[axis] = range.count > 1 ? range.step * view.strides[axis] : 0
        }
        return tensor.viewed(view)
    }

    func concat() throws(GraphError) -> Tensor {
        try reader.allowAttributes("axis")
        var tensors: [Tensor] = []
        for index in inputs.indices { tensors.append(try input(index)) }
        let first = try input(0)
        let axis = try reader.axis(try reader.required(try reader.int("axis"), "axis"), rank: first.shape.count)
        for (index, tensor) in tensors.enumerated() {
            let agrees =
                tensor.shape.count == first.shape.count
                && first.shape.indices.allSatisfy { $0 == axis || tensor.shape[$0] == first.shape[$0] }
            guard agrees else { throw fail("\(text(index)) and \(text(0)) differ in more than axis \(axis)") }
        }
        var shape = first.shape
        shape[axis] = 0
        for tensor in tensors {
            let (sum, overflow) = shape[axis].addingReportingOverflow(tensor.shape[axis])
            guard !overflow else { throw fail("the result is too large along axis \(axis)") }
            shape[axis] = sum
        }
        try checkSize(shape)
        return try joined(tensors, axis: axis, shape: shape, like: first)
    }

    /// Version 1 has sizes as an attribute, 13 as an input, 18 the number of parts, of which the last may be smaller.
    func split() throws(GraphError) -> [Tensor] {
        try reader.allowAttributes("axis", "num_outputs", "split")
        try reader.checkInputCount(1...2)
        let tensor = try input(0)
        let axis = try reader.axis(try reader.int("axis") ?? 0, rank: tensor.shape.count)
        let count = reader.node.outputs.count, size = tensor.shape[axis]
        if let stated = try reader.int("num_outputs"), stated != count {
            throw fail("num_outputs is \(stated), but it has \(count) outputs")
        }
        let part = size / count + (size % count > 0 ? 1 : 0)
        let sizes =
            try integers("split", orInput: 1) ?? (0..<count).map { min(part, max(0, size - $0 * part)) }
        var rest = size
        for size in sizes where rest >= 0 { rest = (0...rest).contains(size) ? rest - size : -1 }
        guard sizes.count == count, rest == 0 else {
            throw fail("parts \(sizes) of axis \(axis) of \(text(0)) for \(count) outputs")
        }
        var parts: [Tensor] = [], first = 0
        for size in sizes {
            parts.append(piece(tensor, axis: axis, first: first, count: size))
            first += size
        }
        return parts
    }

    /// The elements `first` to `first + count − 1` of an axis.
    private func piece(_ tensor: Tensor, axis: Int, first: Int, count: Int) -> Tensor {
        var view = StridedView(tensor.shape)
        view.offset = first * view.strides[axis]
        view.shape[axis] = count
        return tensor.viewed(view)
    }

    /// Tensors that agree in all dimensions but one, one after the other along that.
    private func joined(_ tensors: [Tensor], axis: Int, shape: [Int], like first: Tensor) throws(GraphError) -> Tensor {
        let elements: Tensor.Elements
        if first.floats != nil {
            elements = .float(try joined(tensors, axis: axis) { $0.floats })
        } else {
            elements = .int64(try joined(tensors, axis: axis) { $0.integers })
        }
        return Tensor(shape: shape, elements: elements, integerType: first.integerType)
    }

    private func joined<Element>(
        _ tensors: [Tensor], axis: Int, _ elements: (Tensor) -> [Element]?
    ) throws(GraphError) -> [Element] {
        var sources: [(values: [Element], run: Int)] = [], outer = 0
        for tensor in tensors {
            guard let values = elements(tensor) else { throw fail("its inputs hold floats and integers; one type expected") }
            if values.isEmpty { continue }
            outer = tensor.shape[..<axis].reduce(1, *)
            sources.append((values, values.count / outer))
        }
        var result: [Element] = []
        result.reserveCapacity(sources.reduce(0) { $0 + $1.values.count })
        for row in 0..<outer {
            for (values, run) in sources { result += values[row * run..<(row + 1) * run] }
        }
        return result
    }
}
