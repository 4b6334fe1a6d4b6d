/// Elements of a tensor in another order, some of them repeated or left out.
struct StridedView {
    var shape: [Int]
    /// In elements, one per dimension; 0 repeats, negative ones go backwards.
    var strides: [Int]
    var offset = 0

    /// The view of a whole tensor.
    init(_ shape: [Int]) {
        self.shape = shape
        strides = StridedView.strides(shape)
    }

    init(shape: [Int], strides: [Int], offset: Int = 0) {
        (self.shape, self.strides, self.offset) = (shape, strides, offset)
    }

    /// Of C order; after a size of 0 they are never used.
    static func strides(_ shape: [Int]) -> [Int] {
        var strides = Array(repeating: 1, count: shape.count), stride = 1
        for axis in shape.indices.reversed() {
            strides[axis] = stride
            stride = stride.multipliedReportingOverflow(by: shape[axis]).partialValue
        }
        return strides
    }

    /// The elements in C order of the view.
    func elements<Element>(of source: [Element]) -> [Element] {
        guard let count = elementCount(of: shape), count > 0 else { return [] }
        guard let inner = shape.last, let innerStride = strides.last else { return [source[offset]] }
        var result: [Element] = []
        result.reserveCapacity(count)
        var (index, position) = (Array(repeating: 0, count: shape.count - 1), offset)
        while true {
            for step in 0..<inner { result.append(source[position + step * innerStride]) }
            var axis = index.count - 1
            while axis >= 0 {
                index[axis] += 1
                position += strides[axis]
                if index[axis] < shape[axis] { break }
                position -= strides[axis] * shape[axis]
                index[axis] = 0
                axis -= 1
            }
            if axis < 0 { return result }
        }
    }
}

extension Tensor {
    /// The elements that a view of this tensor shows.
    func viewed(_ view: StridedView) -> Tensor {
        let elements: Elements =
            switch elements {
            case .float(let values): .float(view.elements(of: values))
            case .int64(let values): .int64(view.elements(of: values))
            }
        return Tensor(shape: view.shape, elements: elements, integerType: integerType)
    }

    /// The same elements with another shape of equal count.
    func reshaped(_ shape: [Int]) -> Tensor { Tensor(shape: shape, elements: elements, integerType: integerType) }

    /// NumPy broadcasting to a shape that this tensor's broadcasts to.
    func broadcast(to shape: [Int]) -> Tensor {
        guard shape != self.shape else { return self }
        let own = StridedView(self.shape), leading = shape.count - self.shape.count
        let strides = shape.indices.map { axis in
            axis < leading || own.shape[axis - leading] == 1 ? 0 : own.strides[axis - leading]
        }
        return viewed(StridedView(shape: shape, strides: strides))
    }
}

extension NodeFolding {
    /// NumPy's rule for any number of shapes; sizes may be 0.
    func broadcastShape(_ shapes: [[Int]]) throws(GraphError) -> [Int] {
        let rank = shapes.map(\.count).max() ?? 0
        var result = Array(repeating: 1, count: rank)
        for shape in shapes {
            for (axis, size) in zip((rank - shape.count)..., shape) where size != 1 {
                guard result[axis] == 1 || result[axis] == size else {
                    throw fail("shapes \(shapes.map { "\($0)" }.joined(separator: " and ")) do not broadcast")
                }
                result[axis] = size
            }
        }
        return result
    }
}
