/// A window that slides over height and width.
struct Window {
    /// Height, width; so are strides and dilations.
    var kernel: [Int]
    var strides: [Int]
    /// Top, left, bottom, right.
    var pads: [Int]
    var dilations: [Int]
    var ceilMode = false
    /// Pooling: every position of the window must see some input.
    var seesInput = false

    /// Input samples from the first to the last that the window covers along `axis`.
    func extent(_ axis: Int) -> Int { (kernel[axis] - 1) * dilations[axis] + 1 }
}

extension ShapeRule {
    func pool(_ pooling: Pooling) throws(GraphError) -> [Int] {
        let input = try onlyImage()
        let window = Window(
            kernel: pooling.kernel, strides: pooling.strides, pads: pooling.pads, dilations: pooling.dilations,
            ceilMode: pooling.ceilMode, seesInput: true)
        return input.shape[..<2] + (try windowCounts(window, over: input))
    }

    func globalPool() throws(GraphError) -> [Int] {
        let input = try onlyImage()
        return input.shape[..<2] + [1, 1]
    }

    /// Height and width of the result.
    func windowCounts(_ window: Window, over input: Operand) throws(GraphError) -> [Int] {
        try check(window)
        var counts: [Int] = []
        for axis in 0..<2 {
            let size = input.shape[2 + axis]
            if window.seesInput { try checkSeesInput(window, axis: axis, size: size, input: input) }
            guard let count = windowCount(window, axis: axis, size: size) else {
                throw fail(
                    "the \(axis == 0 ? "height" : "width") \(size) of input `\(input.name)` plus pads"
                        + " \(window.pads[axis]) and \(window.pads[axis + 2]) is smaller than the window of \(window.extent(axis))"
                )
            }
            counts.append(count)
        }
        return counts
    }

    private func check(_ window: Window) throws(GraphError) {
        let positive = 1...TensorLimits.attribute
        for (what, values) in [("kernel", window.kernel), ("strides", window.strides), ("dilations", window.dilations)] {
            guard values.count == 2, values.allSatisfy(positive.contains) else {
                throw fail("\(what) \(values): two numbers from 1 to \(TensorLimits.attribute) expected")
            }
        }
        guard window.pads.count == 4, window.pads.allSatisfy({ (0...TensorLimits.attribute).contains($0) }) else {
            throw fail("pads \(window.pads): four numbers from 0 to \(TensorLimits.attribute) expected")
        }
    }

    /// ONNX: floor((size + pads − extent) / stride) + 1, or with the ceiling, without a last window that starts in the padding
    /// at the end (ONNX AveragePool-22, MaxPool-22).
    private func windowCount(_ window: Window, axis: Int, size: Int) -> Int? {
        let before = window.pads[axis], after = window.pads[axis + 2], stride = window.strides[axis]
        let room = size + before + after - window.extent(axis)
        guard window.ceilMode else { return room >= 0 ? room / stride + 1 : nil }
        let raised = room + stride - 1
        guard raised >= 0 else { return nil }
        let count = raised / stride + 1
        return (count - 1) * stride < size + before ? count : count - 1
    }

    /// A pooling window that sees nothing but padding has no maximum and no average. Pads below the extent suffice while the
    /// dilation cannot step over the whole input.
    private func checkSeesInput(_ window: Window, axis: Int, size: Int, input: Operand) throws(GraphError) {
        let pads = [window.pads[axis], window.pads[axis + 2]], extent = window.extent(axis)
        guard pads.allSatisfy({ $0 < extent }) else {
            throw fail("pads \(window.pads) of a window of \(window.kernel): pads smaller than the window expected")
        }
        guard pads == [0, 0] || window.dilations[axis] <= size else {
            throw fail("dilation \(window.dilations[axis]) steps over the padded input `\(input.name)` of shape \(input.shape)")
        }
    }
}
