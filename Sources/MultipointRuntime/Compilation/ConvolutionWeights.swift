import DNNL
import Headroom
import MultipointGraph

/// A convolution primitive with its weights in the layout that it chose.
struct CompiledConvolution {
    var primitive: Primitive
    var weights: ConvolutionWeights
    var weightDescriptor: MemoryDescriptor
    var weightBuffer: ConstantBuffer
}

/// The weights of one convolution of a layer: all its rows, or one row of every channel.
struct ConvolutionWeights {
    enum Values {
        case int8([Int8])
        /// The layer's rows as they are, decoded where no copy in the right layout exists yet.
        case rows(LayerRows)
        case float([Float])
    }

    /// Of the layer's cache: weights in a layout that oneDNN chose.
    struct Key: Equatable {
        var part: Int
        var segment: Int?
        var isDense: Bool
        var descriptor: MemoryDescriptor
    }

    let layer: PreparedLayer
    /// Which of the layer's convolutions: 0 for all rows or the first of each channel, then the further ones.
    let part: Int
    /// Where `exactSegments` has split it; nil for all of its weights.
    var segment: Int? = nil
    /// A grouped layer whose groups were spread into one dense, block-diagonal kernel.
    let isDense: Bool
    let group: Int
    /// [group, rows / group, in / group, kernel height, kernel width], or without the first where group is 1.
    let shape: [Int]
    let values: Values
    /// Of each row.
    let scales: [Float]
    /// False for the zero rows that fill up a further convolution of a grouped layer.
    let isReal: [Bool]

    var rowCount: Int { scales.count }

    // MARK: making them

    static func float(_ weights: [Float], _ layer: PreparedLayer) -> ConvolutionWeights {
        let rows = layer.layer.channels
        return ConvolutionWeights(
            layer: layer, part: 0, isDense: false, group: layer.layer.group, shape: shape(layer.layer, rows: rows, layer.layer.group),
            values: .float(weights), scales: [Float](repeating: 1, count: rows), isReal: [Bool](repeating: true, count: rows))
    }

    /// All rows of an ungrouped layer in one convolution; of a grouped layer, one convolution for each position of a row in its channel.
    private static func grouped(_ rows: LayerRows, _ layer: PreparedLayer) throws -> [ConvolutionWeights] {
        let group = layer.layer.group
        if group == 1 || rows.extraCount == 0 {
            return [
                ConvolutionWeights(
                    layer: layer, part: 0, isDense: false, group: group, shape: shape(layer.layer, rows: rows.count, group),
                    values: .rows(rows), scales: rows.scales, isReal: [Bool](repeating: true, count: rows.count))
            ]
        }
        try requireMemory((rows.depth + 1) * rows.count, of: rows.rowLength)
        let rowValues = rows.values(threads: Threads.current)
        var next = 0
        return (0..<rows.depth).map { position in
            var part = [Int8](repeating: 0, count: rows.channelCount * rows.rowLength)
            var scales = [Float](repeating: 1, count: rows.channelCount)
            var isReal = [Bool](repeating: false, count: rows.channelCount)
            var last = -1
            while next < rows.count, Int(rows.channels[next]) > last {
                let channel = Int(rows.channels[next])
                part.replaceSubrange(
                    (channel * rows.rowLength)..<((channel + 1) * rows.rowLength),
                    with: rowValues[(next * rows.rowLength)..<((next + 1) * rows.rowLength)])
                (scales[channel], isReal[channel], last) = (rows.scales[next], true, channel)
                next += 1
            }
            return ConvolutionWeights(
                layer: layer, part: position, isDense: false, group: group,
                shape: shape(layer.layer, rows: rows.channelCount, group), values: .int8(part), scales: scales, isReal: isReal)
        }
    }

    /// All rows of a grouped layer in one convolution over all input channels, zero outside the row's group.
    private static func dense(_ rows: LayerRows, _ layer: PreparedLayer) throws -> ConvolutionWeights {
        let group = layer.layer.group
        let wide = rows.rowLength * group
        try requireMemory((group + 1) * rows.count, of: rows.rowLength)
        let rowValues = rows.values(threads: Threads.current)
        var values = [Int8](repeating: 0, count: rows.count * wide)
        for row in 0..<rows.count {
            let groupOfRow = Int(rows.channels[row]) * group / rows.channelCount
            let start = row * wide + groupOfRow * rows.rowLength
            values.replaceSubrange(
                start..<(start + rows.rowLength), with: rowValues[(row * rows.rowLength)..<((row + 1) * rows.rowLength)])
        }
        var shape = shape(layer.layer, rows: rows.count, 1)
        shape[1] = layer.layer.inputChannels
        return ConvolutionWeights(
            layer: layer, part: 0, isDense: true, group: 1, shape: shape, values: .int8(values), scales: rows.scales,
            isReal: [Bool](repeating: true, count: rows.count))
    }

    private static func shape(_ layer: Layer, rows: Int, _ group: Int) -> [Int] {
        let kernel = layer.shape.count == 4 ? Array(layer.shape[1...]) : [layer.shape[1], 1, 1]
        return group == 1 ? [rows] + kernel : [group, rows / group] + kernel
    }

    // MARK: exact sums

    /// Up to here every integer is a float32. Without VNNI instructions oneDNN 2.6 hands its 32-bit sums out by way of float32.
    private static let largestExactSum = 1 << 24

    /// The convolution as several whose sums add up to its own, each of some of the weights and none beyond what float32 holds exactly;
    /// itself where that is so already. Whatever the input and its zero point, |x − z| ≤ 255.
    func exactSegments() throws -> [ConvolutionWeights] {
        try requireMemory(shape.reduce(1, *))
        guard let values = int8Values, rowCount > 0 else { return [self] }
        let length = values.count / rowCount
        var starts = [0]
        var sums = [Int](repeating: 0, count: rowCount)
        for index in 0..<length {
            let products = sums.indices.map { 255 * abs(Int(values[$0 * length + index])) }
            if zip(sums, products).contains(where: { $0 + $1 > ConvolutionWeights.largestExactSum }) {
                starts.append(index)
                sums = products
            } else {
                for row in sums.indices { sums[row] += products[row] }
            }
        }
        guard starts.count > 1 else { return [self] }
        try requireMemory(starts.count, of: values.count)
        return zip(starts, starts.dropFirst() + [length]).enumerated().map { number, bounds in
            segment(values, length: length, bounds.0..<bounds.1, number: number)
        }
    }

    private var int8Values: [Int8]? {
        switch values {
        case .int8(let values): values
        case .rows(let rows): rows.values(threads: Threads.current)
        case .float: nil
        }
    }

    private func segment(_ values: [Int8], length: Int, _ range: Range<Int>, number: Int) -> ConvolutionWeights {
        var masked = [Int8](repeating: 0, count: values.count)
        for row in 0..<rowCount {
            let place = (row * length + range.lowerBound)..<(row * length + range.upperBound)
            masked.replaceSubrange(place, with: values[place])
        }
        return ConvolutionWeights(
            layer: layer, part: part, segment: number, isDense: isDense, group: group, shape: shape, values: .int8(masked),
            scales: scales, isReal: isReal)
    }

    // MARK: choosing

    /// The convolutions of a layer. oneDNN has no fast kernel for some grouped integer convolutions (odd channel counts per group, more
    /// outputs than inputs in depthwise ones); one dense convolution with zeros is far faster than its reference kernel, and as exact.
    static func parts(
        _ rows: LayerRows, _ layer: PreparedLayer, _ geometry: ConvolutionGeometry,
        _ compile: (ConvolutionWeights) throws -> CompiledConvolution
    ) throws -> [CompiledConvolution] {
        let parts = try grouped(rows, layer).map(compile)
        guard layer.layer.group > 1, parts.contains(where: \.primitive.isReference), denseIsAffordable(rows, layer) else {
            return parts
        }
        let spread = try compile(dense(rows, layer))
        return spread.primitive.isReference ? parts : [spread]
    }

    /// The one convolution of a layer without extra rows.
    static func best(
        _ rows: LayerRows, _ layer: PreparedLayer, _ geometry: ConvolutionGeometry,
        _ compile: (ConvolutionWeights) throws -> CompiledConvolution
    ) throws -> CompiledConvolution {
        guard let only = try parts(rows, layer, geometry, compile).first else {
            throw RuntimeError(.unsupported, "layer `\(layer.layer.name)` has no rows")
        }
        return only
    }

    /// Up to 64 MB of mostly zeros.
    private static func denseIsAffordable(_ rows: LayerRows, _ layer: PreparedLayer) -> Bool {
        guard let count = elementCount(of: [rows.count, rows.rowLength, layer.layer.group]) else { return false }
        return count <= 64 << 20
    }

    // MARK: compiling

    func convolution(
        _ geometry: ConvolutionGeometry, bias: Int?, source: ElementType, destination: ElementType, _ attributes: Attributes
    ) throws -> CompiledConvolution {
        try geometry.checkOutput(channels: rowCount, layer.layer)
        let type: ElementType =
            switch values {
            case .int8, .rows: .int8
            case .float: .float32
            }
        let primitive = try DNNL.convolution(
            source: .channelsLast(geometry.inputShape, source), weights: .any(shape, type), bias: bias,
            destination: .channelsLast(geometry.outputShape(channels: rowCount), destination), window: geometry.window, attributes)
        guard let descriptor = try primitive.weights() else {
            throw RuntimeError(.dnnl, "layer `\(layer.layer.name)`: oneDNN names no layout for the weights")
        }
        let key = Key(part: part, segment: segment, isDense: isDense, descriptor: descriptor)
        let buffer = try layer.cache.buffer(key) { try reordered(to: descriptor, type) }
        return CompiledConvolution(
            primitive: primitive, weights: self, weightDescriptor: descriptor, weightBuffer: buffer)
    }

    private func reordered(to descriptor: MemoryDescriptor, _ type: ElementType) throws -> ConstantBuffer {
        let plain = try MemoryDescriptor(shape, type)
        let result = try AlignedBuffer(byteCount: descriptor.byteCount)
        let source = try AlignedBuffer(byteCount: plain.byteCount)
        switch values {
        case .int8(let values): source.base.copyMemory(from: values, byteCount: min(values.count, plain.byteCount))
        case .rows(let rows): rows.decode(to: source.base.assumingMemoryBound(to: Int8.self), threads: Threads.current)
        case .float(let values): source.base.copyMemory(from: values, byteCount: min(values.count * 4, plain.byteCount))
        }
        let primitive = try reorder(from: plain, to: descriptor)
        var arguments = [
            (Argument.source, try Memory(plain, data: source.base)),
            (Argument.destination, try Memory(descriptor, data: result.base)),
        ]
        let scratchpad = try primitive.scratchpad().map { ($0, try AlignedBuffer(byteCount: $0.byteCount)) }
        if let (descriptor, buffer) = scratchpad {
            arguments.append((.scratchpad, try Memory(descriptor, data: buffer.base)))
        }
        try withExtendedLifetime((source, scratchpad)) {
            try primitive.execute(Stream(), ArgumentList(arguments, of: primitive))
        }
        return result
    }
}
