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
    /// Nil for none.
    let activation: Elementwise?
    let name: String

    var channels: Int { layer.layer.channels }

    var operation: String {
        let base =
            switch layer.layer.operation {
            case .convolution: "Conv"
            case .gemm: "Gemm"
            }
        return activation.map(\.operatorType).map { "\(base)+\($0)" } ?? base
    }

    /// Emits the steps. `source` has the geometry's input shape; `residual` its output shape, channels last. The result is channels last,
    /// in `destination` if that is given, or in the residual's place if nothing reads that again.
    func emit(
        _ source: StoredValue, residual: Residual?, _ wanted: LayerDestination, into destination: StoredValue? = nil
    ) throws -> StoredValue {
        try wanted.quantization?.requireInverse(name)
        let residual = try residual.map { try dense($0) }
        switch layer.weights {
        case .float(let weights):
            return try emitFloat(source, weights, residual: residual, wanted, into: destination)
        case .rows(let rows):
            guard let quantization = inputQuantization else {
                throw RuntimeError(.invalidArgument, "layer `\(name)`: the input's scale is not known, and the layer is packed")
            }
            let input = try builder.converted(source, to: .channelsLast, .uint8, quantization, name: name)
            if wanted.type == .int32 { return try emitSums(input, rows, into: destination) }
            if rows.extraCount == 0, residual == nil || (geometry.group == 1 && activation?.isAffineClip != true),
                let result = try emitFolded(input, rows, residual: residual, wanted, into: destination)
            {
                return result
            }
            return try emitSummed(input, rows, residual: residual, wanted, into: destination)
        }
    }

    /// A tensor that is added before the activation.
    struct Residual {
        var value: StoredValue
        /// Nothing reads the value after this layer, so the result may take its place.
        var isReplaceable: Bool
    }

    /// The residual where kernels may read it: channels last, in the arena.
    private func dense(_ residual: Residual) throws -> Residual {
        let value = try builder.converted(
            residual.value, to: .channelsLast, residual.value.type, residual.value.quantization, name: name)
        return Residual(value: value, isReplaceable: residual.isReplaceable || value.buffer != residual.value.buffer)
    }

    /// The residual's place as that of a result of the same type, if it is free.
    private func place(of residual: Residual?, _ wanted: LayerDestination, _ given: StoredValue?) -> StoredValue? {
        guard given == nil, let residual, residual.isReplaceable, residual.value.type == wanted.type else { return nil }
        var place = residual.value
        place.quantization = wanted.quantization
        return place
    }

    /// A destination of the geometry's output shape.
    func result(_ wanted: LayerDestination, channels: Int, _ given: StoredValue?) throws(RuntimeError) -> StoredValue {
        if let given { return given }
        return try builder.value(
            geometry.outputShape(channels: channels), .channelsLast, wanted.type, wanted.quantization)
    }

    // MARK: float

    private func emitFloat(
        _ source: StoredValue, _ weights: [Float], residual: Residual?, _ wanted: LayerDestination,
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
        if case .hardSigmoid(let alpha, let beta) = activation {
            attributes.postOperations = [.eltwise(.linear(scale: alpha, shift: beta)), .eltwise(.clip(minimum: 0, maximum: 1))]
        } else {
            try OutputFusion(activation: activation, addition: nil, wanted: .float).append(to: &attributes)
        }
        let bias = layer.layer.bias
        let convolution = try ConvolutionWeights.float(weights, layer).convolution(
            geometry, bias: bias?.count, source: .float32, destination: .float32, attributes)
        try append(convolution, input, result, bias: bias, addition: nil)
        guard wanted.type == .uint8 else { return result }
        return try builder.converted(result, to: .channelsLast, .uint8, wanted.quantization, name: name, into: destination)
    }

    // MARK: one row per channel

    /// One ordinary convolution. Nil where the bias does not survive oneDNN's division by the scale, or a residual would be fused to an
    /// implementation that gets it wrong.
    private func emitFolded(
        _ input: StoredValue, _ rows: LayerRows, residual: Residual?, _ wanted: LayerDestination, into destination: StoredValue?
    ) throws -> StoredValue? {
        // A convolution may not write where it still reads.
        let place = residual?.value.buffer == input.buffer ? nil : place(of: residual, wanted, destination)
        let addition = try residual.map { try place == nil ? added($0.value) : FusedAddition.inPlace($0.value) }
        let fusion = OutputFusion(activation: activation, addition: addition, wanted: wanted)
        var attributes = Attributes()
        attributes.scales = scales(rows.scales, unit: fusion.unit)
        let foldsZeroPoint = foldsZeroPoint(rows, besideBias: wanted.type != .uint8)
        attributes.sourceZeroPoint = foldsZeroPoint ? 0 : inputZeroPoint
        try fusion.append(to: &attributes)
        let sums = foldsZeroPoint ? zeroPointShares(rows) : []
        guard let bias = biasValues(bias(fusion), sums: sums, scales: attributes.scales) else { return nil }
        let convolution = try ConvolutionWeights.best(rows, layer, geometry) { (weights) throws in
            try weights.convolution(
                geometry, bias: bias.isEmpty ? nil : bias.count, source: .uint8, destination: wanted.type, attributes)
        }
        if addition != nil, !convolution.primitive.canFuseAddition { return nil }
        let result = try place ?? self.result(wanted, channels: channels, destination)
        try append(convolution, input, result, bias: bias.isEmpty ? nil : bias, addition: addition)
        return result
    }

    /// A residual read from its own place. oneDNN 2.6's strided 1 × 1 convolutions add the wrong elements of an 8-bit tensor, so there it
    /// is made float first; before a sigmoid too, which needs real values, because two linear post-operations would share the first
    /// one's factor.
    private func added(_ residual: StoredValue) throws -> FusedAddition {
        let needsFloat = geometry.window.strides != [1, 1] || activation?.needsRealValues == true
        return .apart(needsFloat ? try builder.converted(residual, to: .channelsLast, .float32, name: name) : residual)
    }

    /// The bias and what the fusion wants added, in its units. Empty if that is nothing.
    private func bias(_ fusion: OutputFusion) -> [Float] {
        guard layer.layer.bias != nil || fusion.shift != 0 else { return [] }
        return (0..<channels).map { (layer.layer.bias?[$0] ?? 0) / fusion.unit + fusion.shift }
    }

    /// Without padding every input is multiplied everywhere, and Σ q · (x − z) = Σ q · x − z · Σ q, a constant for each row. As long as
    /// float32 holds these integers nothing is lost; a bias beside the constant is rounded with it, which 8-bit results do not see.
    private func foldsZeroPoint(_ rows: LayerRows, besideBias: Bool) -> Bool {
        inputZeroPoint != 0 && !besideBias && geometry.window.pads.allSatisfy { $0 == 0 } && 255 * rows.largestMagnitude <= 1 << 24
    }

    /// −z · Σ q of each row.
    private func zeroPointShares(_ rows: LayerRows) -> [Float] { rows.sums.map { -Float(inputZeroPoint) * Float($0) } }

    // MARK: rows apart

    /// Convolutions into float rows, then one pass that sums them.
    private func emitSummed(
        _ input: StoredValue, _ rows: LayerRows, residual: Residual?, _ wanted: LayerDestination, into destination: StoredValue?
    ) throws -> StoredValue {
        let foldsZeroPoint = geometry.group == 1 && foldsZeroPoint(rows, besideBias: false)
        let bias = foldsZeroPoint ? biasValues([], sums: zeroPointShares(rows), scales: scales(rows.scales)) : nil
        let parts = try ConvolutionWeights.parts(rows, layer, geometry) { (weights) throws in
            var attributes = Attributes()
            if bias == nil { attributes.sourceZeroPoint = inputZeroPoint }
            attributes.scales = scales(weights.scales)
            return try weights.convolution(geometry, bias: bias?.count, source: .uint8, destination: .float32, attributes)
        }
        let extras = (parts.first?.weights.rowCount ?? channels) - channels
        return try emitSum(
            parts, input, rowBias: bias, extraChannels: Array(rows.channels[channels..<(channels + extras)]), residual: residual,
            wanted, into: destination)
    }

    /// The convolutions, each into float rows of its own, and the pass that adds everything up.
    private func emitSum(
        _ parts: [CompiledConvolution], _ input: StoredValue, rowBias: [Float]? = nil, extraChannels: [Int32], residual: Residual?,
        _ wanted: LayerDestination, into destination: StoredValue?
    ) throws -> StoredValue {
        var terms: [(buffer: BufferID, rowStride: Int)] = []
        for part in parts {
            let term = try builder.value(geometry.outputShape(channels: part.weights.rowCount), .channelsLast, .float32)
            try append(part, input, term, bias: rowBias, addition: nil)
            terms.append((term.buffer, part.weights.rowCount))
        }
        let result = try place(of: residual, wanted, destination) ?? self.result(wanted, channels: channels, destination)
        builder.append(
            SumRowsStep(
                name: name, operation: "sum rows of \(operation)", positions: geometry.positions, channels: channels,
                terms: terms, extraChannels: extraChannels, bias: layer.layer.bias,
                residual: residual.map { ($0.value.buffer, $0.value.quantization) }, activation: activation,
                destination: result.buffer, quantization: wanted.quantization, threads: builder.threads))
        return result
    }

    // MARK: raw sums

    /// The integer sums of every row, in the order of `LayerRows`.
    private func emitSums(_ input: StoredValue, _ rows: LayerRows, into destination: StoredValue?) throws -> StoredValue {
        let parts = try ConvolutionWeights.parts(rows, layer, geometry, convolutionOfSums)
        let segments = try parts.map { part in
            let weights = try part.weights.exactSegments()
            return weights.count == 1 ? [part] : try weights.map(convolutionOfSums)
        }
        let result = try self.result(.sums, channels: rows.count, destination)
        let all = Array(segments.joined())
        if let only = all.first, all.count == 1 {
            try append(only, input, result, bias: nil, addition: nil)
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
                try append(convolution, input, term, bias: nil, addition: nil)
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
        _ compiled: CompiledConvolution, _ input: StoredValue, _ result: StoredValue, bias: [Float]?, addition: FusedAddition?
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
        if case .apart(let addend) = addition { operands.append((.postOperand(0), try addend.descriptor(), addend.buffer)) }
        let name = addition == nil ? operation : operation.replacingFirst("+", with: "+Add+", orAppend: "+Add")
        try builder.append(compiled.primitive, name: self.name, operation: name, operands)
    }
}

extension String {
    fileprivate func replacingFirst(_ character: Character, with text: String, orAppend suffix: String) -> String {
        guard let index = firstIndex(of: character) else { return self + suffix }
        return self[..<index] + text + self[self.index(after: index)...]
    }
}
