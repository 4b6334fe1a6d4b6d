import CMultipoint
import Headroom
import MultipointFormat
import MultipointGraph

extension multipoint_layer_descriptor {
    /// The layer that the caller describes, its arrays copied. The arrays' lengths follow from the sizes given.
    func layer() throws -> Layer {
        let name = try self.name.map { _ in try text(self.name, "name") } ?? "layer"
        let shape = try checkedShape()
        let count = elementCount(of: shape) ?? 0
        try requireMemory(count, of: 8)
        return Layer(
            name: name, operation: try operation(), shape: shape, weights: try weightValues(count: count, rowLength: count / shape[0]),
            bias: bias.map { Array(UnsafeBufferPointer(start: $0, count: shape[0])) },
            inputQuantization: try quantization(input_scale, input_zero_point, "input"),
            outputQuantization: try quantization(output_scale, output_zero_point, "output"))
    }

    private func checkedShape() throws(CallError) -> [Int] {
        let all = [shape.0, shape.1, shape.2, shape.3].map { Int($0) }
        guard op == MULTIPOINT_CONV || op == MULTIPOINT_GEMM else {
            throw .invalid("`op` is \(op.rawValue); MULTIPOINT_CONV or MULTIPOINT_GEMM is expected")
        }
        let shape = op == MULTIPOINT_GEMM ? Array(all[..<2]) : all
        guard shape.allSatisfy({ $0 > 0 }), let count = elementCount(of: shape), count <= Layer.maximumWeightCount else {
            throw .invalid("`shape` \(shape): positive sizes with a product up to \(Layer.maximumWeightCount) are expected")
        }
        return shape
    }

    private func operation() throws(CallError) -> Layer.Operator {
        guard op == MULTIPOINT_CONV else { return .gemm }
        func positive(_ value: Int64) -> Int { value == 0 ? 1 : Int(value) }
        return .convolution(
            ConvolutionAttributes(
                strides: [positive(strides.0), positive(strides.1)], pads: [pads.0, pads.1, pads.2, pads.3].map { Int($0) },
                dilations: [positive(dilations.0), positive(dilations.1)], group: positive(group)))
    }

    private func weightValues(count: Int, rowLength: Int) throws -> Layer.Weights {
        switch (weights, float_weights) {
        case (let packed?, nil):
            let weights = try options(packed, "weights")
            guard weights.row_length == rowLength, weights.channels == Int(shape.0) else {
                throw CallError.invalid(
                    "`weights`: \(shape.0) channels of \(rowLength) weights expected, found \(weights.channels) of \(weights.row_length)")
            }
            guard rowLength <= PackedWeights.maximumRowLength else {
                throw CallError(
                    MULTIPOINT_UNSUPPORTED,
                    "`shape`: \(rowLength) weights in a channel; int32 sums allow \(PackedWeights.maximumRowLength)")
            }
            return .packed(try weights.packed())
        case (nil, let values?): return .float(Array(UnsafeBufferPointer(start: values, count: count)))
        case (nil, nil): throw CallError.invalid("`weights` and `float_weights` are both NULL")
        case (_?, _?): throw CallError.invalid("`weights` and `float_weights` are both given")
        }
    }
}

/// Scale 0 means not known.
func quantization(_ scale: Float, _ zeroPoint: Int32, _ what: String) throws(CallError) -> AffineQuantization? {
    guard (0...255).contains(zeroPoint) else { throw .invalid("`\(what)_zero_point` is \(zeroPoint); 0 to 255 is expected") }
    if scale == 0 { return nil }
    guard scale.isFinite, scale > 0, (1 / scale).isFinite else {
        throw .invalid("`\(what)_scale` is \(scale); a finite positive number with a finite inverse is expected")
    }
    return AffineQuantization(scale: scale, zeroPoint: UInt8(zeroPoint))
}

extension multipoint_weights {
    /// The caller's arrays, unpacked and checked.
    func packed() throws -> PackedWeights {
        guard channels > 0, channels <= Layer.maximumWeightCount, row_length > 0 else {
            throw CallError.invalid("`weights`: \(channels) channels of \(row_length) weights; at least one of each is expected")
        }
        guard (0...255).contains(level_count) else {
            throw CallError.invalid("`weights`: \(UInt(bitPattern: level_count)) levels; at most 255 are expected")
        }
        let points = Array(UnsafeBufferPointer(start: try required(points, "weights->points"), count: channels))
        var levels: [PackedWeights.Level] = []
        for index in 0..<level_count {
            let level = try required(self.levels, "weights->levels")[index]
            levels.append(try level.unpacked(index: index, vectors: points.count { Int($0) > index }, length: row_length))
        }
        guard (0...255 * channels).contains(scale_count) else {
            throw CallError.invalid("`weights`: scale_count \(UInt(bitPattern: scale_count)) is more than any packing has")
        }
        let scales = scale_count == 0 ? [] : Array(UnsafeBufferPointer(start: try required(scales, "weights->scales"), count: scale_count))
        let ladder = ladder.map { ladder in (0..<max(0, level_count - 1)).map { Int(ladder[$0]) } }
        return try PackedWeights(rowLength: row_length, points: points, levels: levels, ladder: ladder, scales: scales)
    }
}

extension multipoint_level {
    fileprivate func unpacked(index: Int, vectors: Int, length: Int) throws -> PackedWeights.Level {
        let size = codebook_size
        guard (2...256).contains(size), size & (size - 1) == 0 else {
            throw CallError.invalid("level \(index): codebook_size is \(size); 2, 4, 8, ... 256 is expected")
        }
        let packing = BitPacking(bits: size.trailingZeroBitCount, vectorLength: length)
        guard codes_byte_count == vectors * packing.vectorByteCount else {
            throw CallError.invalid(
                "level \(index): \(vectors) vectors of \(packing.vectorByteCount) bytes expected, codes_byte_count is \(codes_byte_count)")
        }
        let book = Array(UnsafeBufferPointer(start: try required(codebook, "levels->codebook"), count: size))
        guard vectors > 0 else { return PackedWeights.Level(codebook: book, codes: []) }
        let packed = UnsafeRawBufferPointer(start: try required(codes, "levels->codes"), count: codes_byte_count)
        return PackedWeights.Level(codebook: book, packedCodes: Array(packed), vectors: vectors, vectorLength: length)
    }
}
