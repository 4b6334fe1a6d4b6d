// QuantizeLinear and DequantizeLinear of constants: per tensor, per axis, or per block of an axis.

extension NodeFolding {
    /// `(x − zero point) · scale`. Versions 10, 13 (per axis) and later.
    func dequantize() throws(GraphError) -> Tensor {
        try reader.allowAttributes("axis", "block_size", "output_dtype")
        let parameters = try quantizationParameters()
        guard let values = try input(0).integers else { throw fail("integers expected, \(text(0)) holds floats") }
        let floats = parameters.map(values) { value, scale, zero in Float(value &- zero) * scale }
        return Tensor(shape: try input(0).shape, floats)
    }

    /// `saturate(round(x / scale) + zero point)`, halves to even, in the zero point's type (uint8 without one).
    func quantize() throws(GraphError) -> Tensor {
        try reader.allowAttributes("axis", "block_size", "output_dtype", "precision", "saturate")
        let parameters = try quantizationParameters()
        guard let values = try input(0).floats else { throw fail("floats expected, \(text(0)) holds integers") }
        let type = optionalInput(2).map { $0.integerType } ?? .uint8
        let range = type?.range ?? Int64.min...Int64.max
        let integers = parameters.map(values) { value, scale, zero in
            let (sum, overflow) = Int64(clamping: (value / scale).rounded(.toNearestOrEven)).addingReportingOverflow(zero)
            return min(max(overflow ? (value < 0 ? .min : .max) : sum, range.lowerBound), range.upperBound)
        }
        return Tensor(shape: try input(0).shape, elements: .int64(integers), integerType: type)
    }

    private func quantizationParameters() throws(GraphError) -> QuantizationParameters {
        try reader.checkInputCount(2...3)
        let tensor = try input(0), scale = try input(1), zero = optionalInput(2)
        guard let scales = scale.floats else { throw fail("scale \(text(1)): floats expected") }
        if let index = scales.firstIndex(where: { !($0.isFinite && $0 != 0) }) {
            throw fail("scale \(text(1)): element \(index) is \(scales[index])")
        }
        let zeros = zero?.integers
        guard zero == nil || zero?.shape == scale.shape && zeros != nil else {
            throw fail("zero point \(text(2)): integers in the shape of the scale, \(scale.shape), expected")
        }
        var parameters = QuantizationParameters(scales: scales, zeros: zeros)
        if scales.count == 1, scale.shape.count <= 1 { return parameters }
        let axis = try reader.axis(try reader.int("axis") ?? 1, rank: tensor.shape.count), size = tensor.shape[axis]
        parameters.inner = tensor.shape[(axis + 1)...].reduce(1, *)
        parameters.size = size
        if scale.shape == [size] { return parameters }
        // Blocked: the scale has the tensor's shape but for the axis, where each is for `block_size` elements.
        let block = try reader.int("block_size") ?? 0
        var expected = tensor.shape
        guard block > 0 else { throw fail("scale \(text(1)): one number, or one for each of axis \(axis) of \(text(0)), expected") }
        expected[axis] = (size - 1) / block + 1
        guard size > 0, scale.shape == expected else { throw fail("scale \(text(1)): shape \(expected) expected for blocks of \(block)") }
        (parameters.block, parameters.isBlocked) = (block, true)
        return parameters
    }
}

/// Which scale and zero point belong to which element.
private struct QuantizationParameters {
    var scales: [Float]
    var zeros: [Int64]?
    /// Elements of the axes after the quantized one; that axis's size; elements of it that share a scale.
    var inner = 1
    var size = 1
    var block = 1
    var isBlocked = false

    func map<Element, Result>(_ values: [Element], _ function: (Element, Float, Int64) -> Result) -> [Result] {
        if scales.count == 1 {
            let (scale, zero) = (scales[0], zeros?.first ?? 0)
            return values.map { function($0, scale, zero) }
        }
        let blocks = (size - 1) / block + 1
        return values.indices.map { index in
            let row = index / inner, position = row % size
            let place = isBlocked ? (row / size * blocks + position / block) * inner + index % inner : position
            return function(values[index], scales[place], zeros?[place] ?? 0)
        }
    }
}
