/// How a real value is stored in 8 bits: `real = scale · (stored − zeroPoint)`, stored 0 to 255.
public struct AffineQuantization: Hashable, Sendable {
    public var scale: Float
    public var zeroPoint: UInt8

    public init(scale: Float, zeroPoint: UInt8) {
        self.scale = scale
        self.zeroPoint = zeroPoint
    }
}

/// ONNX Conv-11's attributes for two spatial dimensions, with auto_pad already resolved to `pads`.
public struct ConvolutionAttributes: Hashable, Sendable {
    /// Height, width.
    public var strides: [Int]
    /// Top, left, bottom, right; not negative.
    public var pads: [Int]
    /// Height, width; 1 is dense.
    public var dilations: [Int]
    public var group: Int

    public init(strides: [Int] = [1, 1], pads: [Int] = [0, 0, 0, 0], dilations: [Int] = [1, 1], group: Int = 1) {
        self.strides = strides
        self.pads = pads
        self.dilations = dilations
        self.group = group
    }
}

/// A weighted layer: the operator, its weights (float or packed) and its quantization.
public struct Layer: Equatable, Sendable {
    public enum Operator: Hashable, Sendable {
        case convolution(ConvolutionAttributes)
        /// `y = x Wᵀ + b`: ONNX Gemm with transB = 1, alpha = beta = 1.
        case gemm
    }

    public enum Weights: Equatable, Sendable {
        /// In C order of the layer's shape.
        case float([Float])
        case packed(PackedWeights)
    }

    /// Unique in its network or file.
    public var name: String
    public var operation: Operator
    /// Conv: output channels, input channels / group, kernel height, kernel width. Gemm: out, in.
    public var shape: [Int]
    public var weights: Weights
    /// One per output channel.
    public var bias: [Float]?
    public var inputQuantization: AffineQuantization?
    public var outputQuantization: AffineQuantization?

    public init(
        name: String, operation: Operator, shape: [Int], weights: Weights, bias: [Float]? = nil,
        inputQuantization: AffineQuantization? = nil, outputQuantization: AffineQuantization? = nil
    ) {
        self.name = name
        self.operation = operation
        self.shape = shape
        self.weights = weights
        self.bias = bias
        self.inputQuantization = inputQuantization
        self.outputQuantization = outputQuantization
    }

    public var channels: Int { shape.first ?? 0 }
    /// Weights in one output channel's vector.
    public var rowLength: Int { shape.dropFirst().reduce(1, *) }
    public var isPacked: Bool { if case .packed = weights { true } else { false } }

    public var group: Int {
        if case .convolution(let attributes) = operation { attributes.group } else { 1 }
    }
    /// Channels (Conv) or features (Gemm) of the input.
    public var inputChannels: Int { shape.count > 1 ? shape[1] * group : 0 }
}

extension Layer {
    /// Checks everything that does not need the input's shape: ranks, positive sizes, products, groups, counts, finite numbers.
    /// - Throws: `GraphError` naming the layer.
    public func validate() throws(GraphError) {
        try validateShape()
        let count = elementCount(of: shape) ?? 0
        if let bias, bias.count != channels { throw fail("\(channels) biases expected, found \(bias.count)") }
        if let bias, let index = bias.firstIndex(where: { !$0.isFinite }) { throw fail("bias \(index) is \(bias[index])") }
        for (what, quantization) in [("input", inputQuantization), ("output", outputQuantization)] {
            if let scale = quantization?.scale, !(scale.isFinite && scale > 0) {
                throw fail("\(what) scale \(scale): a finite positive number is expected")
            }
        }
        try validateWeights(count: count)
    }

    /// The part of `validate()` that does not look at weights and biases: rank, sizes and attributes.
    func validateShape() throws(GraphError) {
        guard let count = elementCount(of: shape), count > 0, count <= Layer.maximumWeightCount else {
            throw fail("shape \(shape): positive sizes with a product up to \(Layer.maximumWeightCount) are expected")
        }
        switch operation {
        case .gemm:
            guard shape.count == 2 else { throw fail("shape \(shape): Gemm weights have 2 dimensions (out, in)") }
        case .convolution(let attributes):
            guard shape.count == 4 else {
                throw fail("shape \(shape): Conv weights have 4 dimensions (out, in / group, height, width)")
            }
            try validate(attributes)
        }
    }

    private func fail(_ problem: String) -> GraphError { GraphError("layer `\(name)`: \(problem)") }

    /// More weights than any real layer has; keeps products of sizes far from overflow.
    public static let maximumWeightCount = 1 << 31

    private func validate(_ attributes: ConvolutionAttributes) throws(GraphError) {
        let sane = 1...(1 << 20)
        guard attributes.strides.count == 2, attributes.strides.allSatisfy(sane.contains) else {
            throw fail("strides \(attributes.strides): two numbers from 1 are expected")
        }
        guard attributes.dilations.count == 2, attributes.dilations.allSatisfy(sane.contains) else {
            throw fail("dilations \(attributes.dilations): two numbers from 1 are expected")
        }
        guard attributes.pads.count == 4, attributes.pads.allSatisfy({ (0...TensorLimits.convolutionPad).contains($0) }) else {
            throw fail("pads \(attributes.pads): four numbers from 0 to \(TensorLimits.convolutionPad) are expected")
        }
        guard attributes.group >= 1, shape[0] % attributes.group == 0 else {
            throw fail("group \(attributes.group) does not divide its \(shape[0]) output channels")
        }
        guard let inputs = elementCount(of: [shape[1], attributes.group]), inputs <= Layer.maximumWeightCount else {
            throw fail("group \(attributes.group) of \(shape[1]) channels is too large")
        }
    }

    private func validateWeights(count: Int) throws(GraphError) {
        switch weights {
        case .float(let values):
            guard values.count == count else { throw fail("\(count) weights expected for shape \(shape), found \(values.count)") }
            if let index = values.firstIndex(where: { !$0.isFinite }) { throw fail("weight \(index) is \(values[index])") }
        case .packed(let packed):
            guard packed.channels == channels, packed.rowLength == rowLength else {
                throw fail("\(packed.channels) channels of \(packed.rowLength) weights do not fit shape \(shape)")
            }
            guard rowLength <= PackedWeights.maximumRowLength else {
                throw fail("\(rowLength) weights in a channel; int32 sums allow \(PackedWeights.maximumRowLength)")
            }
        }
    }
}
