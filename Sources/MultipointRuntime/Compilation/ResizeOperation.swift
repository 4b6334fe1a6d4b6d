import DNNL
import MultipointGraph

/// Resize: nearest neighbours are chosen, in 8 bits where they are; the other modes are weighted means along one axis after the other.
extension NetworkCompiler {
    mutating func emitResize(_ node: Node, _ resize: Resize) throws {
        if case .nearest(let rounding) = resize.mode { return try emitNearest(node, resize, rounding) }
        let shape = try self.shape(node.output)
        let storage = storage(of: node.output)
        let stored = try value(node.inputs[0])
        let isQuantized = stored.type == .uint8 && node.operation.eightBits != .none && storage != .float
        let layout: Layout = shape.count == 4 ? .channelsLast : .dense
        var input =
            isQuantized ? try converted(node.inputs[0], layout, .uint8, stored.quantization) : try float(node.inputs[0], layout)
        let final = isQuantized ? storage.quantization ?? stored.quantization : nil
        try final?.requireInverse(node.name)
        let passes = resizePasses(resize, input.shape)
        for (index, number) in passes.enumerated() {
            let axis = resize.axes[number]
            // Up to four terms of an output sample, or where it is a mean of many, of an input sample.
            try chargeTable(4 * (resize.sizes[number] + (resize.antialiases ? input.shape[axis] : 0)), node)
            var passed = input.shape
            passed[axis] = resize.sizes[number]
            let quantization = index == passes.count - 1 ? final : nil
            let result = try builder.value(passed, layout, quantization == nil ? .float32 : .uint8, quantization)
            let order = input.memoryOrder
            let place = order.firstIndex(of: axis) ?? 0
            builder.append(
                ResampleStep(
                    name: node.name, operation: operationName(node),
                    taps: ResizeTaps(resize, axis: number, sourceCount: input.shape[axis]), source: (input.buffer, input.quantization),
                    destination: (result.buffer, quantization), outer: order[..<place].reduce(1) { $0 * input.shape[$1] },
                    inner: order[(place + 1)...].reduce(1) { $0 * input.shape[$1] }, threads: builder.threads))
            input = result
        }
        values[node.output] = input
    }

    /// The axes that change, those that shrink first, then the inner ones: means of long runs come cheap.
    private func resizePasses(_ resize: Resize, _ shape: [Int]) -> [Int] {
        let changing = resize.axes.indices.filter { resize.sizes[$0] != shape[resize.axes[$0]] || resize.scales[$0] != 1 }
        func growth(_ number: Int) -> Double { Double(resize.sizes[number]) / Double(shape[resize.axes[number]]) }
        return changing.sorted { (growth($0), -resize.axes[$0]) < (growth($1), -resize.axes[$1]) }
    }

    private mutating func emitNearest(_ node: Node, _ resize: Resize, _ rounding: Resize.Rounding) throws {
        let input = try passed(node.inputs[0], storage(of: node.output))
        let strides = input.strides
        var axes = zip(input.shape, strides).map { CopyAxis(size: $0, stride: $1) }
        for (number, axis) in resize.axes.enumerated() {
            try chargeTable(resize.sizes[number], node)
            let coordinates = ResizeCoordinates(resize, axis: number, sourceCount: input.shape[axis])
            axes[axis] = CopyAxis(
                positions: (0..<resize.sizes[number]).map { coordinates.nearest($0, rounding) }, stride: strides[axis])
        }
        try rearrange(node, input, axes)
    }
}
