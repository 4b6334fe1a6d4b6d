import DNNL
import MultipointGraph

/// Margins of one value around a tensor.
extension NetworkCompiler {
    mutating func emitPad(_ node: Node, _ pads: [Int], value: Float) throws {
        let storage = storage(of: node.output)
        var input = try passed(node.inputs[0], storage)
        if let quantization = input.quantization, !quantization.covers(value) {
            // The elements that it adds are beyond the input's range.
            let wider = storage.quantization.flatMap { $0.covers(value) ? $0 : nil }
            input = try wider.map { try converted(node.inputs[0], input.layout, .uint8, $0) } ?? float(node.inputs[0], input.layout)
        }
        let rank = input.shape.count
        values[node.output] = try pad(input, Array(pads[..<rank]), Array(pads[rank...]), value, node)
    }

    func pad(_ input: StoredValue, _ begins: [Int], _ ends: [Int], _ value: Float, _ node: Node) throws -> StoredValue {
        let shape = input.shape.indices.map { input.shape[$0] + begins[$0] + ends[$0] }
        let result = try builder.value(shape, input.layout, input.type, input.quantization)
        let offset = zip(begins, result.strides).reduce(0) { $0 + $1.0 * $1.1 }
        copy(node, input, input.strides, 0, result, result.strides, offset, input.shape, fill: (value, result.count))
        return result
    }

    private func copy(
        _ node: Node, _ source: StoredValue, _ sourceStrides: [Int], _ sourceOffset: Int, _ destination: StoredValue,
        _ destinationStrides: [Int], _ destinationOffset: Int, _ shape: [Int], fill: (value: Float, count: Int)? = nil
    ) {
        // The innermost loop runs over the axis that is contiguous in the destination.
        let order = shape.indices.sorted { (destinationStrides[$0], $1) > (destinationStrides[$1], $0) }
        builder.append(
            StridedCopyStep(
                name: node.name, operation: operationName(node), source: source.buffer, destination: destination.buffer,
                shape: order.map { shape[$0] }, sourceStrides: order.map { sourceStrides[$0] }, sourceOffset: sourceOffset,
                destinationStrides: order.map { destinationStrides[$0] }, destinationOffset: destinationOffset,
                fill: fill.map { (source.element($0.value), $0.count) }, elementByteCount: source.type.byteCount))
    }
}

extension StoredValue {
    /// A real number as the value's elements hold it, in the low bits.
    fileprivate func element(_ real: Float) -> UInt32 {
        guard let quantization else { return real.bitPattern }
        let stored = (real / quantization.scale).rounded(.toNearestOrEven) + Float(quantization.zeroPoint)
        return UInt32(max(0, min(255, stored.isNaN ? 0 : stored)))
    }
}

extension AffineQuantization {
    /// Whether 8 bits hold a value without cutting it off.
    fileprivate func covers(_ value: Float) -> Bool {
        let stored = value / scale + Float(zeroPoint)
        return stored >= -0.5 && stored <= 255.5
    }
}
