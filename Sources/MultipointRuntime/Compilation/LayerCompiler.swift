import DNNL
import MultipointGraph

/// What a layer's result becomes.
struct LayerDestination: Sendable {
    var type: ElementType
    /// For u8.
    var quantization: AffineQuantization?

    static let float = LayerDestination(type: .float32)
    /// The raw row sums.
    static let sums = LayerDestination(type: .int32)
}

/// Compiles one layer into steps: quantize the input, convolve, and, where rows remain apart, sum.
struct LayerCompiler {
    let builder: ProgramBuilder
    let layer: PreparedLayer
    let geometry: ConvolutionGeometry
    /// Of the input; nil for a float layer.
    let inputQuantization: AffineQuantization?
    let activation: Activation
    let name: String

    var channels: Int { layer.layer.channels }

    var operation: String {
        let base =
            switch layer.layer.operation {
            case .convolution: "Conv"
            case .gemm: "Gemm"
            }
        return activation.operatorName.map { "\(base)+\($0)" } ?? base
    }

    /// Emits the steps. `source` has the geometry's input shape; `residual` its output shape, channels last. The result is channels last,
    /// in `destination` if that is given.
    func emit(
        _ source: StoredValue, residual: StoredValue?, _ wanted: LayerDestination, into destination: StoredValue? = nil
    ) throws -> StoredValue {
        try wanted.quantization?.requireInverse(name)
        switch layer.weights {
        case .float(let weights):
            return try emitFloat(source, weights, residual: residual, wanted, into: destination)
        case .rows(let rows):
            guard let quantization = inputQuantization else {
                throw RuntimeError(.invalidArgument, "layer `\(name)`: the input's scale is not known, and the layer is packed")
            }
            let input = try builder.converted(source, to: .channelsLast, .uint8, quantization, name: name)
            if wanted.type == .int32 { return try emitSums(input, rows, into: destination) }
            if rows.extraCount == 0, residual == nil || geometry.group == 1,
                let result = try emitFolded(input, rows, residual: residual, wanted, into: destination)
            {
                return result
            }
            return try emitSummed(input, rows, residual: residual, wanted, into: destination)
        }
    }

    /// A destination of the geometry's output shape.
    func result(_ wanted: LayerDestination, channels: Int, _ given: StoredValue?) throws(RuntimeError) -> StoredValue {
        if let given { return given }
        return try builder.value(
            geometry.outputShape(channels: channels), .channelsLast, wanted.type, wanted.quantization)
    }

    // MARK: float

    private func emitFloat(
        _ source: StoredValue, _ weights: [Float], residual: StoredValue?, _ wanted: LayerDestination,
        into destination: StoredValue?
    ) throws -> StoredValue {
        let input = try builder.converted(source, to: .channelsLast, .float32, name: name)
        // oneDNN 2.6's float gemm convolution adds the wrong elements, so a residual is added in a pass of its own.
        guard residual == nil else {
            let plain = try ConvolutionWeights.float(weights, layer).convolution(
                geometry, bias: nil, source: .float32, destination: .float32, Attributes())
            return try emitSum([plain], input, extraChannels: [], residual: residual, wanted, into: destination)
        }
        let result = try self.result(.float, channels: channels, wanted.type == .float32 ? destination : nil)
        var attributes = Attributes()
        attributes.finish(activation, unit: 1, .float)
        let bias = layer.layer.bias
        let convolution = try ConvolutionWeights.float(weights, layer).convolution(
            geometry, bias: bias?.count, source: .float32, destination: .float32, attributes)
        try append(convolution, input, result, bias: bias, addend: nil)
        guard wanted.type == .uint8 else { return result }
        return try builder.converted(result, to: .channelsLast, .uint8, wanted.quantization, name: name, into: destination)
    }

    // MARK: one row per channel

    /// One ordinary convolution. Nil where the bias does not survive oneDNN's division by the scale, or a residual would be fused to an
    /// implementation that gets it wrong.
    private func emitFolded(
        _ input: StoredValue, _ rows: LayerRows, residual: StoredValue?, _ wanted: LayerDestination,
        into destination: StoredValue?
    ) throws -> StoredValue? {
        // oneDNN 2.6's strided 1 × 1 convolutions add the wrong elements of an 8-bit tensor, so there it is made float first; before a
        // sigmoid too, which needs real values, because two linear post-operations would share the first one's factor.
        let needsFloat = geometry.window.strides != [1, 1] || activation == .sigmoid
        let residual = try residual.map {
            needsFloat ? try builder.converted($0, to: .channelsLast, .float32, name: name) : $0
        }
        let unit = unit(residual, wanted)
        var attributes = Attributes()
        attributes.sourceZeroPoint = inputZeroPoint
        attributes.scales = scales(rows.scales, unit: unit)
        var bias = bias(residual, unit: unit)
        if let values = bias {
            guard let divided = biasValues(values, scales: attributes.scales) else { return nil }
            bias = divided
        }
        let addend = try residual.map { try builder.converted($0, to: .channelsLast, $0.type, $0.quantization, name: name) }
        if let addend { attributes.postOperations.append(.add(try addend.descriptor())) }
        attributes.finish(activation, unit: unit, wanted)
        let convolution = try ConvolutionWeights.best(rows, layer, geometry) { (weights) throws in
            try weights.convolution(geometry, bias: bias?.count, source: .uint8, destination: wanted.type, attributes)
        }
        if addend != nil, !convolution.primitive.canFuseAddition { return nil }
        let result = try self.result(wanted, channels: channels, destination)
        try append(convolution, input, result, bias: bias, addend: addend)
        return result
    }

    /// The real value of 1 while a convolution computes. oneDNN adds an 8-bit residual as the integers that it is, so they are the unit;
    /// else the steps of an 8-bit result, which are then not scaled again.
    private func unit(_ residual: StoredValue?, _ wanted: LayerDestination) -> Float {
        if let residual { return residual.quantization?.scale ?? 1 }
        return activation == .sigmoid ? 1 : wanted.quantization?.scale ?? 1
    }

    /// The bias in units, less the zero point of an 8-bit residual.
    private func bias(_ residual: StoredValue?, unit: Float) -> [Float]? {
        let zeroPoint = Float(residual?.quantization?.zeroPoint ?? 0)
        if layer.layer.bias == nil, zeroPoint == 0 { return nil }
        let bias = layer.layer.bias ?? [Float](repeating: 0, count: channels)
        return bias.map { $0 / unit - zeroPoint }
    }

    // MARK: rows apart

    /// Convolutions into float rows, then one pass that sums them.
    private func emitSummed(
        _ input: StoredValue, _ rows: LayerRows, residual: StoredValue?, _ wanted: LayerDestination,
        into destination: StoredValue?
    ) throws -> StoredValue {
        let parts = try ConvolutionWeights.parts(rows, layer, geometry) { (weights) throws in
            var attributes = Attributes()
            attributes.sourceZeroPoint = inputZeroPoint
            attributes.scales = scales(weights.scales)
            return try weights.convolution(geometry, bias: nil, source: .uint8, destination: .float32, attributes)
        }
        let extras = (parts.first?.weights.rowCount ?? channels) - channels
        return try emitSum(
            parts, input, extraChannels: Array(rows.channels[channels..<(channels + extras)]), residual: residual, wanted,
            into: destination)
    }

    /// The convolutions, each into float rows of its own, and the pass that adds everything up.
    private func emitSum(
        _ parts: [CompiledConvolution], _ input: StoredValue, extraChannels: [Int32], residual: StoredValue?,
        _ wanted: LayerDestination, into destination: StoredValue?
    ) throws -> StoredValue {
        var terms: [(buffer: BufferID, rowStride: Int)] = []
        for part in parts {
            let term = try builder.value(geometry.outputShape(channels: part.weights.rowCount), .channelsLast, .float32)
            try append(part, input, term, bias: nil, addend: nil)
            terms.append((term.buffer, part.weights.rowCount))
        }
        let result = try self.result(wanted, channels: channels, destination)
        builder.append(
            SumRowsStep(
                name: name, operation: "sum rows of \(operation)", positions: geometry.positions, channels: channels,
                terms: terms, extraChannels: extraChannels, bias: layer.layer.bias,
                residual: residual.map { ($0.buffer, $0.quantization) }, activation: activation, destination: result.buffer,
                quantization: wanted.quantization, threads: builder.threads))
        return result
    }

    // MARK: raw sums

    /// The integer sums of every row, in the order of `LayerRows`.
    private func emitSums(_ input: StoredValue, _ rows: LayerRows, into destination: StoredValue?) throws -> StoredValue {
        let parts = try ConvolutionWeights.parts(rows, layer, geometry, convolutionOfSums)
        let segments = try parts.map { part in
            let weights = part.weights.exactSegments()
            return weights.count == 1 ? [part] : try weights.map(convolutionOfSums)
        }
        let result = try self.result(.sums, channels: rows.count, destination)
        let all = Array(segments.joined())
        if let only = all.first, all.count == 1 {
            try append(only, input, result, bias: nil, addend: nil)
            return result
        }
        var sourceOfRow = [(part: Int, column: Int)]()
        for (index, part) in parts.enumerated() {
            for column in 0..<part.weights.rowCount where part.weights.isReal[column] { sourceOfRow.append((index, column)) }
        }
        let sources = try segments.map { (convolutions) throws in
            try convolutions.map { (convolution) throws in
                let term = try builder.value(
                    geometry.outputShape(channels: convolution.weights.rowCount), .channelsLast, .int32)
                try append(convolution, input, term, bias: nil, addend: nil)
                return term.buffer
            }
        }
        builder.append(
            GatherRowsStep(
                name: name, operation: "gather rows of \(operation)", positions: geometry.positions,
                channels: parts.first?.weights.rowCount ?? channels, sources: sources, columns: sourceOfRow, destination: result.buffer))
        return result
    }

    private func convolutionOfSums(_ weights: ConvolutionWeights) throws -> CompiledConvolution {
        var attributes = Attributes()
        attributes.sourceZeroPoint = inputZeroPoint
        return try weights.convolution(geometry, bias: nil, source: .uint8, destination: .int32, attributes)
    }

    // MARK: common

    private var inputZeroPoint: Int32 { Int32(inputQuantization?.zeroPoint ?? 0) }

    /// s_x · a_r in units, kept finite.
    private func scales(_ rowScales: [Float], unit: Float = 1) -> [Float] {
        let inputScale = Double(inputQuantization?.scale ?? 1) / Double(unit)
        return rowScales.map { Float(min(inputScale * Double($0), Double(Float.greatestFiniteMagnitude))) }
    }

    private func append(
        _ compiled: CompiledConvolution, _ input: StoredValue, _ result: StoredValue, bias: [Float]?, addend: StoredValue?
    ) throws {
        var operands: [(Argument, MemoryDescriptor, BufferID)] = [
            (.source, try input.descriptor(), input.buffer),
            (.weights, compiled.weightDescriptor, builder.buffer(.constant(compiled.weightBuffer))),
            (.destination, try result.descriptor(), result.buffer),
        ]
        if let bias {
            let buffer = try AlignedBuffer(byteCount: bias.count * 4)
            buffer.base.copyMemory(from: bias, byteCount: bias.count * 4)
            operands.append((.bias, try MemoryDescriptor([bias.count], .float32), builder.buffer(.constant(buffer))))
        }
        if let addend { operands.append((.postOperand(0), try addend.descriptor(), addend.buffer)) }
        let name = addend == nil ? operation : operation.replacingFirst("+", with: "+Add+", orAppend: "+Add")
        builder.append(compiled.primitive, name: self.name, operation: name, operands)
    }
}

extension Attributes {
    /// The activation of what is so far in units (1 for a sigmoid), and the way to the result's own.
    fileprivate mutating func finish(_ activation: Activation, unit: Float, _ wanted: LayerDestination) {
        if let eltwise = activation.inUnits(of: unit).postOperation { postOperations.append(.eltwise(eltwise)) }
        let step = wanted.quantization?.scale ?? 1
        if unit != step { postOperations.append(.eltwise(.linear(scale: unit / step, shift: 0))) }
        destinationZeroPoint = Int32(wanted.quantization?.zeroPoint ?? 0)
    }
}

extension String {
    fileprivate func replacingFirst(_ character: Character, with text: String, orAppend suffix: String) -> String {
        guard let index = firstIndex(of: character) else { return self + suffix }
        return self[..<index] + text + self[self.index(after: index)...]
    }
}
