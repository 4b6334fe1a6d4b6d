import DNNL
import MultipointGraph

/// A layer as a two-dimensional convolution over an input of known size. A Gemm over M vectors is a 1 × 1 convolution over an image
/// of 1 × M positions: the channels-last memory of that image is the matrix.
struct ConvolutionGeometry: Sendable {
    var batch: Int
    var inputChannels: Int
    var height: Int
    var width: Int
    var outputHeight: Int
    var outputWidth: Int
    var group: Int
    var window: Window

    var positions: Int { batch * outputHeight * outputWidth }
    var inputShape: [Int] { [batch, inputChannels, height, width] }
    func outputShape(channels: Int) -> [Int] { [batch, channels, outputHeight, outputWidth] }

    /// - Throws: `RuntimeError` if the layer cannot take the shape.
    init(_ layer: Layer, input shape: [Int]) throws(RuntimeError) {
        let fail = { (problem: String) in RuntimeError(.invalidArgument, "layer `\(layer.name)`: \(problem)") }
        switch layer.operation {
        case .gemm:
            guard let features = shape.last, features == layer.inputChannels else {
                throw fail("\(layer.inputChannels) features expected, input has shape \(shape)")
            }
            (batch, height, width) = (1, 1, shape.dropLast().reduce(1, *))
            (outputHeight, outputWidth, group) = (1, width, 1)
            window = Window(kernel: [1, 1], strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1])
        case .convolution(let attributes):
            guard shape.count == 4 else { throw fail("an input of 4 dimensions is expected, found shape \(shape)") }
            guard shape[1] == layer.inputChannels else {
                throw fail("\(layer.inputChannels) channels expected, input has \(shape[1])")
            }
            (batch, height, width, group) = (shape[0], shape[2], shape[3], attributes.group)
            window = Window(
                kernel: Array(layer.shape[2...]), strides: attributes.strides, pads: attributes.pads,
                dilations: attributes.dilations)
            guard let h = window.outputSize(height, axis: 0), let w = window.outputSize(width, axis: 1) else {
                throw fail("the kernel \(window.kernel) with dilations \(window.dilations) exceeds the padded input \(height) × \(width)")
            }
            (outputHeight, outputWidth) = (h, w)
        }
        inputChannels = layer.inputChannels
        guard let total = elementCount(of: inputShape), total > 0, total <= Int(Int32.max) else {
            throw fail("an input of shape \(shape): positive sizes, up to 2³¹ − 1 elements, are expected")
        }
    }

    /// Large pads or many rows make a large output of a small input; 32-bit indices must reach all of it.
    /// - Parameter channels: or rows, where they stay apart.
    func checkOutput(channels: Int, _ layer: Layer) throws(RuntimeError) {
        let shape = outputShape(channels: channels)
        guard let total = elementCount(of: shape), total <= Int(Int32.max) else {
            throw RuntimeError(
                .unsupported, "layer `\(layer.name)`: an output of shape \(shape) has more than 2³¹ − 1 elements")
        }
    }

    /// The shape of the result in the layer's own terms.
    func resultShape(_ layer: Layer, input shape: [Int], channels: Int) -> [Int] {
        switch layer.operation {
        case .gemm: shape.dropLast() + [channels]
        case .convolution: outputShape(channels: channels)
        }
    }
}

extension Window {
    /// Output size along an axis, nil if the window does not fit.
    func outputSize(_ input: Int, axis: Int) -> Int? {
        let extent = (kernel[axis] - 1) * dilations[axis] + 1
        let padded = input + pads[axis] + pads[axis + 2]
        return padded >= extent && input > 0 ? (padded - extent) / strides[axis] + 1 : nil
    }
}
