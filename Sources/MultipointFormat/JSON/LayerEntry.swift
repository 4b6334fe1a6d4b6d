import MultipointGraph

/// A layer in `layers`: everything about it but the numbers of its tensors. Attributes are ONNX's, with ONNX's defaults.
struct LayerEntry: Codable {
    var name: String
    var `operator`: String
    var shape: [Whole]
    var strides: [Whole]?
    var pads: [Whole]?
    var dilations: [Whole]?
    var group: Whole?
    /// Read only to refuse what it would change.
    var auto_pad: String?
    var kernel_shape: [Whole]?
    var ladder: [Whole]?
    var input: QuantizationEntry?
    var output: QuantizationEntry?
    var relativeOutputError: Double?

    enum CodingKeys: String, CodingKey {
        case name, `operator`, shape, strides, pads, dilations, group, auto_pad, kernel_shape, ladder, input, output
        case relativeOutputError = "relative_output_error"
    }
}

extension LayerEntry {
    init(_ layer: Layer, relativeOutputError: Double?) {
        self.init(name: layer.name, operator: layer.operation.name, shape: [Whole](layer.shape))
        if case .convolution(let attributes) = layer.operation {
            strides = [Whole](attributes.strides)
            pads = [Whole](attributes.pads)
            dilations = [Whole](attributes.dilations)
            group = Whole(attributes.group)
        }
        if case .packed(let packed) = layer.weights { ladder = packed.ladder.map { [Whole]($0) } }
        input = layer.inputQuantization.map(QuantizationEntry.init)
        output = layer.outputQuantization.map(QuantizationEntry.init)
        self.relativeOutputError = relativeOutputError.flatMap { $0.isFinite ? $0 : nil }
    }

    /// The operator with its attributes. Their values are checked by `Layer.validate`.
    func operation() throws(PackedFileError) -> Layer.Operator {
        switch self.operator {
        case "Gemm": return .gemm
        case "Conv":
            guard auto_pad == nil || auto_pad == "NOTSET" else {
                throw PackedFileError(.unsupported, "auto_pad `\(auto_pad ?? "")`: write the padding as `pads`")
            }
            if let kernel = kernel_shape?.values, kernel != Array(shape.values.dropFirst(2)) {
                throw .badFormat("kernel_shape \(kernel) does not agree with shape \(shape.values)")
            }
            let defaults = ConvolutionAttributes()
            return .convolution(
                ConvolutionAttributes(
                    strides: strides?.values ?? defaults.strides, pads: pads?.values ?? defaults.pads,
                    dilations: dilations?.values ?? defaults.dilations, group: group?.value ?? defaults.group))
        default: throw PackedFileError(.unsupported, "operator `\(self.operator)`; Conv and Gemm are supported")
        }
    }
}

extension Layer.Operator {
    /// ONNX's name.
    var name: String {
        switch self {
        case .convolution: "Conv"
        case .gemm: "Gemm"
        }
    }
}

/// real = scale · (stored − zero_point), stored in unsigned 8 bits.
struct QuantizationEntry: Codable {
    var scale: Real
    var zero_point: Whole

    init(_ quantization: AffineQuantization) {
        scale = Real(quantization.scale)
        zero_point = Whole(Int(quantization.zeroPoint))
    }

    /// - Parameter what: whose it is, for messages.
    func quantization(_ what: String) throws(PackedFileError) -> AffineQuantization {
        let scale = scale.value
        guard scale.isFinite, scale > 0 else { throw .badFormat("\(what) scale \(scale): a finite positive number expected") }
        guard let zeroPoint = UInt8(exactly: zero_point.value) else {
            throw .badFormat("\(what) zero point (`zero_point`) \(zero_point.value): 0 to 255 expected")
        }
        return AffineQuantization(scale: scale, zeroPoint: zeroPoint)
    }
}
