// What Conv and the pooling operators share: kernel sizes, strides, dilations and padding.

extension NodeReader {
    private static let positive = 1...TensorLimits.attribute

    /// Height, width; of a signal (one dimension) 1 and its own.
    func strides(_ image: Image) throws(GraphError) -> [Int] { try sizes("strides", image) }

    func dilations(_ image: Image) throws(GraphError) -> [Int] { try sizes("dilations", image) }

    func kernelShape(_ image: Image) throws(GraphError) -> [Int] {
        guard node.attributes["kernel_shape"] != nil else { throw fail("attribute `kernel_shape` is missing") }
        return try sizes("kernel_shape", image)
    }

    private func sizes(_ attribute: String, _ image: Image) throws(GraphError) -> [Int] {
        guard image.isSignal else { return try ints(attribute, count: 2, in: NodeReader.positive, default: [1, 1]) }
        return [1] + (try ints(attribute, count: 1, in: NodeReader.positive, default: [1]))
    }

    /// The attribute `pads` as top, left, bottom, right.
    func statedPads(_ image: Image) throws(GraphError) -> [Int] {
        let count = image.isSignal ? 2 : 4
        if let stated = try ints("pads"), stated.count == count, let pad = stated.first(where: { $0 < 0 }) {
            throw unsupported("pads \(stated): cropping by a negative pad (\(pad)) is not supported")
        }
        let pads = try ints("pads", count: count, in: 0...TensorLimits.attribute, default: Array(repeating: 0, count: count))
        return image.isSignal ? [0, pads[0], 0, pads[1]] : pads
    }

    /// The attributes `pads` and `auto_pad` as top, left, bottom, right; and whether they came from `auto_pad`.
    func pads(over input: Image, kernel: [Int]) throws(GraphError) -> (pads: [Int], automatic: Bool) {
        let mode = try string("auto_pad") ?? "NOTSET"
        let pads = try statedPads(input)
        if mode == "NOTSET" || mode.isEmpty { return (pads, false) }
        guard pads == [0, 0, 0, 0] else { throw fail("pads \(pads) and auto_pad `\(mode)` exclude each other") }
        switch mode {
        case "VALID": return (pads, true)
        case "SAME_UPPER", "SAME_LOWER":
            return (try samePads(input, kernel: kernel, extraAtEnd: mode == "SAME_UPPER"), true)
        default: throw fail("auto_pad `\(mode)`: NOTSET, SAME_UPPER, SAME_LOWER or VALID expected")
        }
    }

    /// As many pads as make the result's size ceil(input / stride); an odd one goes to the end (SAME_UPPER) or the beginning.
    private func samePads(_ image: Image, kernel: [Int], extraAtEnd: Bool) throws(GraphError) -> [Int] {
        let strides = try strides(image), dilations = try dilations(image)
        var pads = [0, 0, 0, 0]
        for axis in 0..<2 {
            guard NodeReader.positive.contains(kernel[axis]) else { throw fail("kernel \(kernel): sizes from 1 expected") }
            let size = image.shape[2 + axis]
            let count = (size + strides[axis] - 1) / strides[axis]
            let extent = (kernel[axis] - 1) * dilations[axis] + 1
            let total = max(0, (count - 1) * strides[axis] + extent - size)
            pads[axis] = extraAtEnd ? total / 2 : total - total / 2
            pads[axis + 2] = total - pads[axis]
        }
        return pads
    }
}

/// An input of an operator with windows: an image [N, C, H, W], or a signal [N, C, L], which is computed as an image of height 1.
struct Image {
    var name: String
    /// As an image.
    var shape: [Int]
    var isSignal: Bool
}

extension Translation {
    /// A computed input of an operator over images.
    func image(_ index: Int, _ reader: NodeReader) throws(GraphError) -> Image {
        try image(try operand(index, reader), reader)
    }

    private func image(_ input: Operand, _ reader: NodeReader) throws(GraphError) -> Image {
        switch input.shape.count {
        case 4: return Image(name: input.name, shape: input.shape, isSignal: false)
        case 3: return Image(name: input.name, shape: [input.shape[0], input.shape[1], 1, input.shape[2]], isSignal: true)
        default:
            throw reader.unsupported(
                "input `\(input.name)` has shape \(input.shape); only images of 4 dimensions (N, C, H, W) and signals of 3 are supported")
        }
    }

    /// Appends an operation over images; around a signal, Unsqueeze and Squeeze.
    mutating func emit(_ operation: Operation, over input: Image, _ reader: NodeReader) throws(GraphError) {
        guard input.isSignal else { return try emit(operation, reader, inputs: [input.name]) }
        let image = try step(.unsqueeze(axes: [2]), reader, "image", inputs: [input.name])
        let result = newValue("\(reader.name)/result")
        try emit(operation, reader, inputs: [image], output: result)
        try emit(.squeeze(axes: [2]), reader, name: newNode("\(reader.name)/signal"), inputs: [result])
    }

    mutating func emit(onImage operation: Operation, of input: Operand, _ reader: NodeReader) throws(GraphError) {
        try emit(operation, over: try image(input, reader), reader)
    }
}
