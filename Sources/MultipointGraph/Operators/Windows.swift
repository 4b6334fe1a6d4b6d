// What Conv and the pooling operators share: kernel sizes, strides, dilations and padding.

extension NodeReader {
    private static let positive = 1...TensorLimits.attribute

    func strides() throws(GraphError) -> [Int] {
        try ints("strides", count: 2, in: NodeReader.positive, default: [1, 1])
    }

    func dilations() throws(GraphError) -> [Int] {
        try ints("dilations", count: 2, in: NodeReader.positive, default: [1, 1])
    }

    func kernelShape() throws(GraphError) -> [Int] {
        let kernel = try required(try ints("kernel_shape"), "kernel_shape")
        guard kernel.count == 2 else { throw unsupported("kernel_shape \(kernel): only kernels of two dimensions are supported") }
        return try ints("kernel_shape", count: 2, in: NodeReader.positive, default: kernel)
    }

    /// The attributes `pads` and `auto_pad` as top, left, bottom, right; and whether they came from `auto_pad`.
    func pads(over input: Operand, kernel: [Int]) throws(GraphError) -> (pads: [Int], automatic: Bool) {
        let mode = try string("auto_pad") ?? "NOTSET"
        let stated = try ints("pads")
        if let stated, stated.count == 4, let pad = stated.first(where: { $0 < 0 }) {
            throw unsupported("pads \(stated): cropping by a negative pad (\(pad)) is not supported")
        }
        let pads = try ints("pads", count: 4, in: 0...TensorLimits.attribute, default: [0, 0, 0, 0])
        if mode == "NOTSET" || mode.isEmpty { return (pads, false) }
        guard pads == [0, 0, 0, 0] else { throw fail("pads \(pads) and auto_pad `\(mode)` exclude each other") }
        switch mode {
        case "VALID": return (pads, true)
        case "SAME_UPPER", "SAME_LOWER":
            return (try samePads(input.shape, kernel: kernel, extraAtEnd: mode == "SAME_UPPER"), true)
        default: throw fail("auto_pad `\(mode)`: NOTSET, SAME_UPPER, SAME_LOWER or VALID expected")
        }
    }

    /// As many pads as make the result's size ceil(input / stride); an odd one goes to the end (SAME_UPPER) or the beginning.
    private func samePads(_ shape: [Int], kernel: [Int], extraAtEnd: Bool) throws(GraphError) -> [Int] {
        let strides = try strides(), dilations = try dilations()
        var pads = [0, 0, 0, 0]
        for axis in 0..<2 {
            guard NodeReader.positive.contains(kernel[axis]) else { throw fail("kernel \(kernel): sizes from 1 expected") }
            let size = shape[2 + axis]
            let count = (size + strides[axis] - 1) / strides[axis]
            let extent = (kernel[axis] - 1) * dilations[axis] + 1
            let total = max(0, (count - 1) * strides[axis] + extent - size)
            pads[axis] = extraAtEnd ? total / 2 : total - total / 2
            pads[axis + 2] = total - pads[axis]
        }
        return pads
    }
}

extension Translation {
    /// A computed input of an operator over images.
    func image(_ index: Int, _ reader: NodeReader) throws(GraphError) -> Operand {
        let input = try operand(index, reader)
        guard input.shape.count == 4 else {
            let problem = "input `\(input.name)` has shape \(input.shape); only images of 4 dimensions (N, C, H, W) are supported"
            throw reader.unsupported(problem)
        }
        return input
    }
}
