// ConvTranspose: a Conv whose output channels are the phases of the stride, and DepthToSpace (or what it is made of).
//
// Along one axis, with u counting the result before its begin is cut: y[u] = Σ x[j] · w[k] over j · stride + k · dilation = u. For
// u = stride · q + phase, the taps e = k · dilation of the dilated kernel with e ≡ phase (mod stride) take part, e = phase + stride · m
// with x[q − m]: a convolution of x with ⌈extent / stride⌉ taps for each phase.

extension Translation {
    /// Versions 1, 11 and 22 differ in wording and element types.
    mutating func transposedConvolution(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes(
            "auto_pad", "dilations", "group", "kernel_shape", "output_padding", "output_shape", "pads", "strides")
        try reader.checkInputCount(2...3)
        let input = try image(0, reader), (shape, weights) = try kernel(over: input, reader)
        let group = try reader.int("group") ?? 1
        guard group >= 1, shape[0] % group == 0, shape[0] == input.shape[1] else {
            throw reader.fail(
                "weights for \(shape[0]) channels in groups of \(group); input `\(input.name)` has \(input.shape[1]) channels")
        }
        let axes = try transposedAxes(input, kernel: Array(shape[2...]), reader)
        let kernel = TransposedKernel(shape: shape, weights: weights, group: group, axes: axes)
        let bias = try bias(channels: kernel.channels, reader)
        try emit(kernel, bias, over: input, reader)
    }

    private func transposedAxes(
        _ input: Image, kernel: [Int], _ reader: NodeReader
    ) throws(GraphError) -> [TransposedAxis] {
        let strides = try reader.strides(input), dilations = try reader.dilations(input)
        let pads = try reader.statedPads(input), extra = try sizes("output_padding", input, reader) ?? [0, 0]
        let stated = try sizes("output_shape", input, reader), mode = try reader.string("auto_pad") ?? "NOTSET"
        guard ["", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"].contains(mode) else {
            throw reader.fail("auto_pad `\(mode)`: NOTSET, SAME_UPPER, SAME_LOWER or VALID expected")
        }
        var axes: [TransposedAxis] = []
        for axis in 0..<2 {
            let size = input.shape[2 + axis]
            // In Int: every factor is at most 2³¹.
            let whole = strides[axis] * (size - 1) + extra[axis] + (kernel[axis] - 1) * dilations[axis] + 1
            var (begin, count) = (pads[axis], whole - pads[axis] - pads[axis + 2])
            if stated != nil || mode.hasPrefix("SAME") {
                count = stated?[axis] ?? size * strides[axis]
                let total = max(0, whole - count)
                begin = mode == "SAME_UPPER" ? total / 2 : total - total / 2
            }
            guard (1...TensorLimits.count).contains(count) else {
                throw reader.fail("a result of size \(count) along axis \(2 + axis) of `\(input.name)` of shape \(input.shape)")
            }
            axes.append(
                TransposedAxis(
                    size: size, kernel: kernel[axis], stride: strides[axis], dilation: dilations[axis], begin: begin, count: count))
        }
        return axes
    }

    private func sizes(_ attribute: String, _ input: Image, _ reader: NodeReader) throws(GraphError) -> [Int]? {
        guard reader.node.attributes[attribute] != nil else { return nil }
        let count = input.isSignal ? 1 : 2
        let values = try reader.ints(attribute, count: count, in: 0...TensorLimits.count, default: [])
        return input.isSignal ? [attribute == "output_shape" ? 1 : 0] + values : values
    }

    private mutating func emit(
        _ kernel: TransposedKernel, _ bias: [Float]?, over input: Image, _ reader: NodeReader
    ) throws(GraphError) {
        let shape = try kernel.layerShape(reader)
        var steps: [(Operation, String)] = kernel.rearrangement
        let starts = kernel.axes.map(\.start), ends = kernel.axes.map { $0.start + $0.count }
        if kernel.axes.contains(where: { $0.start > 0 || $0.start + $0.count < $0.phasePositions * $0.stride }) {
            steps.append((.slice(starts: starts, ends: ends, axes: [2, 3], steps: [1, 1]), "crop"))
        }
        if input.isSignal { steps.append((.squeeze(axes: [2]), "signal")) }
        var value = input.name
        if input.isSignal { value = try step(.unsqueeze(axes: [2]), reader, "image", inputs: [value]) }
        guard let last = steps.popLast() else {
            return try emit(shape: shape, layer: kernel.layer(name: reader.name, shape, bias), reader, input: value)
        }
        let phases = newValue("\(reader.name)/phases")
        try emit(shape: shape, layer: kernel.layer(name: reader.name, shape, bias), reader, input: value, output: phases)
        value = phases
        for (operation, what) in steps { value = try step(operation, reader, what, inputs: [value]) }
        try emit(last.0, reader, name: newNode("\(reader.name)/\(last.1)"), inputs: [value])
    }
}

/// One spatial axis of a ConvTranspose.
private struct TransposedAxis {
    var size: Int
    var kernel: Int
    var stride: Int
    var dilation: Int
    /// Elements cut from the begin of the result, and what is left of it.
    var begin: Int
    var count: Int

    /// The dilated kernel's size.
    var extent: Int { (kernel - 1) * dilation + 1 }
    /// Taps of one phase.
    var taps: Int { stride == 1 ? kernel : (extent + stride - 1) / stride }
    /// Between the taps of one phase.
    var tapDilation: Int { stride == 1 ? dilation : 1 }
    private var reach: Int { (taps - 1) * tapDilation }
    /// Positions of a phase that are cut before anything is computed.
    private var skipped: Int { min(begin / stride, reach) }
    /// What the result still begins with after the phases are interleaved.
    var start: Int { begin - stride * skipped }
    /// Conv's pads.
    var padBegin: Int { reach - skipped }
    var padEnd: Int { max(0, (start + count + stride - 1) / stride + skipped - size) }
    /// Conv's result.
    var phasePositions: Int { size + padBegin + padEnd - reach }

    /// The tap of the dilated kernel's phase, for Conv's position, which goes backwards; nil between the taps.
    func kernelIndex(phase: Int, position: Int) -> Int? {
        let backwards = taps - 1 - position
        if stride == 1 { return backwards }
        let element = phase + stride * backwards
        return element % dilation == 0 && element / dilation < kernel ? element / dilation : nil
    }
}

/// ConvTranspose's weights: [input channels, output channels / group, kernel height, kernel width].
private struct TransposedKernel {
    var shape: [Int]
    var weights: [Float]
    var group: Int
    var axes: [TransposedAxis]

    var channels: Int { shape[1] * group }
    private var strides: [Int] { axes.map(\.stride) }

    /// From [N, channels · phases, H, W] to the interleaved image.
    var rearrangement: [(Operation, String)] {
        if strides == [1, 1] { return [] }
        if strides[0] == strides[1] { return [(.depthToSpace(blockSize: strides[0], .columnRowDepth), "depth_to_space")] }
        let (height, width) = (axes[0].phasePositions, axes[1].phasePositions)
        return [
            (.reshape([0, channels, strides[0], strides[1], height, width], allowZero: false), "phase_axes"),
            (.transpose(permutation: [0, 1, 4, 2, 5, 3]), "interleaved"),
            (.reshape([0, channels, height * strides[0], width * strides[1]], allowZero: false), "image"),
        ]
    }

    /// Of the layer's weights.
    func layerShape(_ reader: NodeReader) throws(GraphError) -> [Int] {
        let shape = [channels * strides[0] * strides[1], shape[0] / group, axes[0].taps, axes[1].taps]
        // Where the kernel is smaller than the stride, most weights are 0.
        guard let count = elementCount(of: shape), count <= max(1 << 22, 16 * weights.count) else {
            throw reader.unsupported("strides \(strides) of a kernel of \(axes.map(\.kernel)) are too large")
        }
        return shape
    }

    /// Channels of the layer: (channel · stride + row phase) · stride + column phase.
    func layer(name: String, _ layerShape: [Int], _ bias: [Float]?) -> Layer {
        let phases = strides[0] * strides[1], inputs = layerShape[1]
        var phased: [Float] = []
        phased.reserveCapacity(layerShape.reduce(1, *))
        for channel in 0..<channels {
            for rowPhase in 0..<strides[0] {
                for columnPhase in 0..<strides[1] {
                    for input in 0..<inputs { append(channel, input, rowPhase, columnPhase, to: &phased) }
                }
            }
        }
        let attributes = ConvolutionAttributes(
            pads: axes.map(\.padBegin) + axes.map(\.padEnd), dilations: axes.map(\.tapDilation), group: group)
        return Layer(
            name: name, operation: .convolution(attributes), shape: layerShape, weights: .float(phased),
            bias: bias?.flatMap { Array(repeating: $0, count: phases) })
    }

    /// The taps of one phase between an output channel and an input channel of its group.
    private func append(_ channel: Int, _ input: Int, _ rowPhase: Int, _ columnPhase: Int, to phased: inout [Float]) {
        let source = channel / shape[1] * (shape[0] / group) + input
        let start = (source * shape[1] + channel % shape[1]) * shape[2] * shape[3]
        for row in 0..<axes[0].taps {
            let from = axes[0].kernelIndex(phase: rowPhase, position: row)
            for column in 0..<axes[1].taps {
                guard let from, let to = axes[1].kernelIndex(phase: columnPhase, position: column) else {
                    phased.append(0)
                    continue
                }
                phased.append(weights[start + from * shape[3] + to])
            }
        }
    }
}
