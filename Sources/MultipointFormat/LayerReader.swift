import MultipointGraph

/// One layer of a file: its entry in `layers` and its tensors.
struct LayerReader {
    let entry: LayerEntry
    let tensors: SafetensorsReader

    func layer() throws(PackedFileError) -> Layer {
        let shape = entry.shape.values
        guard shape.count >= 2, shape.allSatisfy({ $0 >= 1 }), let count = elementCount(of: shape),
            count <= Layer.maximumWeightCount
        else {
            throw .badFormat(
                "shape \(shape): at least two positive sizes with a product up to \(Layer.maximumWeightCount) expected")
        }
        let names = TensorNames(layer: entry.name)
        var layer = Layer(name: entry.name, operation: try entry.operation(), shape: shape, weights: .float([]))
        layer.weights = try weights(names, shape, rowLength: count / shape[0])
        if tensors.header.tensors[names.bias] != nil {
            layer.bias = try tensors.floats(names.bias, shape: [shape[0]])
        }
        layer.inputQuantization = try entry.input?.quantization("input")
        layer.outputQuantization = try entry.output?.quantization("output")
        return layer
    }

    private func weights(_ names: TensorNames, _ shape: [Int], rowLength: Int) throws(PackedFileError) -> Layer.Weights {
        let hasFloats = tensors.header.tensors[names.weight] != nil
        let hasPoints = tensors.header.tensors[names.points] != nil
        switch (hasFloats, hasPoints) {
        case (true, false):
            guard entry.ladder == nil else { throw .badFormat("it has a ladder, but its weights are float") }
            return .float(try tensors.floats(names.weight, shape: shape))
        case (false, true): return .packed(try packed(names, channels: shape[0], rowLength: rowLength))
        case (true, true): throw .badFormat("it has both `\(names.points)` and `\(names.weight)`; one of them expected")
        case (false, false): throw .badFormat("it has neither `\(names.points)` nor `\(names.weight)`; one of them expected")
        }
    }

    private func packed(_ names: TensorNames, channels: Int, rowLength: Int) throws(PackedFileError) -> PackedWeights {
        let points = Array(try tensors.bytes(names.points, .u8, shape: [channels]))
        var levels: [PackedWeights.Level] = []
        let used = Int(points.max() ?? 0)
        // Levels that no channel uses may follow.
        while levels.count < used || tensors.header.tensors[names.codebook(levels.count)] != nil {
            guard levels.count < 255 else { throw .badFormat("`\(names.codebook(255))`: there are at most 255 levels") }
            levels.append(try level(levels.count, names, points, rowLength: rowLength))
        }
        let scaleCount = entry.ladder == nil ? points.reduce(0) { $0 + Int($1) } : channels
        let scales = try tensors.floats(names.scales, shape: [scaleCount])
        do {
            return try PackedWeights(
                rowLength: rowLength, points: points, levels: levels, ladder: entry.ladder?.values, scales: scales)
        } catch {
            throw .badFormat(error.description)
        }
    }

    private func level(
        _ index: Int, _ names: TensorNames, _ points: [UInt8], rowLength: Int
    ) throws(PackedFileError) -> PackedWeights.Level {
        let codebookName = names.codebook(index)
        let codebook = try tensors.bytes(codebookName, .i8, shape: nil)
        guard (2...256).contains(codebook.count), codebook.count.nonzeroBitCount == 1 else {
            throw .badFormat("tensor `\(codebookName)`: 2, 4, 8, ... 256 values expected, found \(codebook.count)")
        }
        let packing = BitPacking(bits: codebook.count.trailingZeroBitCount, vectorLength: rowLength)
        let vectors = points.count(where: { Int($0) > index })
        let packed = try tensors.bytes(names.codes(index), .u8, shape: [vectors, packing.vectorByteCount])
        return PackedWeights.Level(
            codebook: codebook.map { Int8(bitPattern: $0) }, packedCodes: Array(packed), vectors: vectors, vectorLength: rowLength)
    }
}
