import MultipointGraph

/// The input patches of a layer (im2col): for every output position and group the vector that the group's weight vectors are
/// multiplied with, in the weights' own order (input channel of the group, kernel row, kernel column). Padding is zeros.
public struct PatchGeometry: Hashable, Sendable {
    /// Rows of a Gemm's input; 0 for a convolution.
    private var vectors = 0
    private var batch = 0
    private var inputHeight = 0
    private var inputWidth = 0
    private var outputHeight = 0
    private var outputWidth = 0
    private var kernel = [1, 1]
    private var attributes = ConvolutionAttributes()
    /// Input channels of one group.
    private var channels = 0

    public var group: Int { attributes.group }
    /// Length of a patch: the layer's row length.
    public var rowLength: Int { channels * kernel[0] * kernel[1] }
    /// Output positions of the whole batch.
    public var positions: Int { vectors + batch * outputHeight * outputWidth }
    /// Elements of the input.
    public var inputCount: Int { vectors * channels + batch * channels * group * inputHeight * inputWidth }

    /// - Parameters:
    ///   - layer: has passed `Layer.validate`.
    ///   - shape: of the input: N, C, H, W for a convolution; any number of axes, the last of features, for a Gemm.
    /// - Throws: `QuantizationError` if the layer cannot take the shape.
    public init(_ layer: Layer, inputShape shape: [Int]) throws(QuantizationError) {
        func fail(_ problem: String) -> QuantizationError { QuantizationError("layer `\(layer.name)`: \(problem)") }
        guard let count = elementCount(of: shape), count > 0, count <= Layer.maximumWeightCount else {
            throw fail("an input of shape \(shape): positive sizes with a product up to \(Layer.maximumWeightCount) are expected")
        }
        switch layer.operation {
        case .gemm:
            guard let features = shape.last, features == layer.inputChannels else {
                throw fail("\(layer.inputChannels) features expected, input has shape \(shape)")
            }
            (vectors, channels) = (count / features, features)
        case .convolution(let attributes):
            guard shape.count == 4, layer.shape.count == 4 else {
                throw fail("an input of 4 dimensions is expected, found shape \(shape)")
            }
            guard shape[1] == layer.inputChannels else {
                throw fail("\(layer.inputChannels) channels expected, input has \(shape[1])")
            }
            self.attributes = attributes
            (kernel, channels) = (Array(layer.shape[2...]), layer.shape[1])
            (batch, inputHeight, inputWidth) = (shape[0], shape[2], shape[3])
            guard let height = outputSize(inputHeight, axis: 0), let width = outputSize(inputWidth, axis: 1) else {
                throw fail("the kernel \(kernel) with dilations \(attributes.dilations) exceeds the padded input \(shape)")
            }
            (outputHeight, outputWidth) = (height, width)
            guard let positions = elementCount(of: [batch, height, width]), positions <= Layer.maximumWeightCount else {
                throw fail("\(batch) outputs of \(height) × \(width) positions are too many")
            }
        }
    }

    /// ONNX Conv-11; nil if the kernel does not fit.
    private func outputSize(_ input: Int, axis: Int) -> Int? {
        let extent = (kernel[axis] - 1) * attributes.dilations[axis] + 1
        let padded = input + attributes.pads[axis] + attributes.pads[axis + 2]
        return padded >= extent ? (padded - extent) / attributes.strides[axis] + 1 : nil
    }

    /// Writes one patch.
    /// - Precondition: `position` < `positions`, `group` < `self.group`, `input` has `inputCount` and `patch` `rowLength` elements.
    public func copyPatch(
        position: Int, group: Int, from input: UnsafeBufferPointer<Float>, to patch: UnsafeMutableBufferPointer<Float>
    ) {
        if vectors > 0 {
            for i in 0..<channels { patch[i] = input[position * channels + i] }
            return
        }
        let image = position / (outputHeight * outputWidth)
        let top = position / outputWidth % outputHeight * attributes.strides[0] - attributes.pads[0]
        let left = position % outputWidth * attributes.strides[1] - attributes.pads[1]
        var next = 0
        for channel in 0..<channels {
            let plane = ((image * self.group + group) * channels + channel) * inputHeight
            for i in 0..<kernel[0] {
                let y = top + i * attributes.dilations[0]
                let row = (plane + y) * inputWidth
                for j in 0..<kernel[1] {
                    let x = left + j * attributes.dilations[1]
                    let isInside = y >= 0 && y < inputHeight && x >= 0 && x < inputWidth
                    patch[next] = isInside ? input[row + x] : 0
                    next += 1
                }
            }
        }
    }
}
