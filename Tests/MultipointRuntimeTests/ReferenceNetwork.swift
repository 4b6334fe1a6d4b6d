import MultipointGraph

/// A network's operations one by one in double precision, by plain loops over C-order arrays.
struct ReferenceNetwork {
    let network: Network
    let shapes: [String: [Int]]

    typealias Values = [Double]

    /// An operation, or a form of it, that has no loop here.
    struct Unknown: Error {
        var node: Node
    }

    /// - Throws: if there is no loop for the operation.
    func value(of node: Node, _ inputs: [Values]) throws -> Values {
        let shape = shapes[node.output] ?? [], from = shapes[node.inputs[0]] ?? []
        switch node.operation {
        case .layer(let name):
            guard let layer = network.layers[name] else { return [] }
            return product(layer, quantized(inputs[0], layer, node.inputs[0]), from, shape)
        case .elementwise(.relu): return inputs[0].map { max($0, 0) }
        case .elementwise(.clip(let minimum, let maximum)): return inputs[0].map { min(max($0, Double(minimum)), Double(maximum)) }
        case .elementwise(.leakyRelu(let alpha)): return inputs[0].map { $0 < 0 ? Double(alpha) * $0 : $0 }
        case .elementwise(.sigmoid): return inputs[0].map { 1 / (1 + (-$0).exponential) }
        case .binary(.add) where inputs[0].count == inputs[1].count: return zip(inputs[0], inputs[1]).map { $0 + $1 }
        case .maxPool(let pooling): return pool(inputs[0], from, shape, pooling) { values, _ in values.max() ?? 0 }
        case .averagePool(let pooling, let countsPadding):
            return pool(inputs[0], from, shape, pooling) { $0.reduce(0, +) / Double(countsPadding ? $1 : $0.count) }
        case .globalAveragePool:
            let size = from[2] * from[3]
            return (0..<(from[0] * from[1])).map { inputs[0][($0 * size)..<(($0 + 1) * size)].reduce(0, +) / Double(size) }
        case .concat(axis: 1): return concatenated(node, inputs, shape)
        case .flatten: return inputs[0]
        case .slice(let starts, _, let axes, let steps):
            return elements(shape) { index in
                var place = index
                for (number, axis) in axes.enumerated() { place[axis] = starts[number] + index[axis] * steps[number] }
                return inputs[0][offset(place, from)]
            }
        case .pad(let pads, .constant(let value)):
            return elements(shape) { index in
                let place = index.indices.map { index[$0] - pads[$0] }
                let isInside = place.indices.allSatisfy { (0..<from[$0]).contains(place[$0]) }
                return isInside ? inputs[0][offset(place, from)] : Double(value)
            }
        default: throw Unknown(node: node)
        }
    }

    /// What a packed layer multiplies: `clamp(round_half_even(x / scale) + zero point, 0, 255)`, as a real number. The quotient is one of
    /// single precision by way of the inverse: in double precision some of the millions here fall on the other side of a half.
    private func quantized(_ input: Values, _ layer: Layer, _ name: String) -> Values {
        guard layer.isPacked, let quantization = layer.inputQuantization ?? network.quantization[name] else { return input }
        let (scale, zeroPoint) = (Double(quantization.scale), Double(quantization.zeroPoint))
        return input.map { (max(0, min(255, Double((Float($0) * (1 / quantization.scale)).rounded(.toNearestOrEven)) + zeroPoint)) - zeroPoint) * scale }
    }

    private func elements(_ shape: [Int], _ value: ([Int]) -> Double) -> Values {
        (0..<shape.reduce(1, *)).map { number in
            var (index, rest) = (shape, number)
            for axis in shape.indices.reversed() {
                index[axis] = rest % shape[axis]
                rest /= shape[axis]
            }
            return value(index)
        }
    }

    private func offset(_ index: [Int], _ shape: [Int]) -> Int { zip(index, shape).reduce(0) { $0 * $1.1 + $1.0 } }

    private func weights(_ layer: Layer) -> [[Double]] {
        switch layer.weights {
        case .float(let values):
            return (0..<layer.channels).map { channel in
                values[(channel * layer.rowLength)..<((channel + 1) * layer.rowLength)].map(Double.init)
            }
        case .packed(let packed):
            return ReferenceLayer(packed).vectors.map { points in
                points.reduce(into: Values(repeating: 0, count: layer.rowLength)) { sum, point in
                    for index in sum.indices { sum[index] += point.scale * Double(point.entries[index]) }
                }
            }
        }
    }

    private func product(_ layer: Layer, _ input: Values, _ from: [Int], _ shape: [Int]) -> Values {
        let weights = weights(layer)
        func bias(_ channel: Int) -> Double { Double(layer.bias?[channel] ?? 0) }
        guard case .convolution(let attributes) = layer.operation else {
            return elements(shape) { index in
                zip(weights[index[1]], input[(index[0] * from[1])...]).reduce(bias(index[1])) { $0 + $1.0 * $1.1 }
            }
        }
        var result: Values = []
        for image in 0..<shape[0] {
            for channel in 0..<layer.channels {
                let group = channel / (layer.channels / attributes.group)
                let first = (image * from[1] + group * layer.shape[1]) * from[2] * from[3]
                result += plane(layer, attributes, weights[channel], bias(channel), input[first...], from, shape)
            }
        }
        return result
    }

    /// One channel of one image, weight by weight: each goes to all places that it reaches. Pointers, because trained networks are large
    /// and tests not optimized.
    private func plane(
        _ layer: Layer, _ attributes: ConvolutionAttributes, _ weights: Values, _ bias: Double, _ input: ArraySlice<Double>,
        _ from: [Int], _ shape: [Int]
    ) -> Values {
        let (rows, columns, height, width) = (layer.shape[2], layer.shape[3], from[2], from[3])
        let (stepY, stepX) = (attributes.strides[0], attributes.strides[1])
        var sums = Values(repeating: bias, count: shape[2] * shape[3])
        sums.withUnsafeMutableBufferPointer { sums in
            input.withUnsafeBufferPointer { input in
                for (number, weight) in weights.enumerated() {
                    let (channel, ky, kx) = (number / (rows * columns), number / columns % rows, number % columns)
                    let top = ky * attributes.dilations[0] - attributes.pads[0], left = kx * attributes.dilations[1] - attributes.pads[1]
                    var y = 0
                    while y < shape[2] {
                        let row = y * stepY + top
                        if row >= 0, row < height {
                            var (place, column) = (y * shape[3], left)
                            let source = (channel * height + row) * width, end = place + shape[3]
                            while place < end {
                                if column >= 0, column < width { sums[place] += weight * input[source + column] }
                                place += 1
                                column += stepX
                            }
                        }
                        y += 1
                    }
                }
            }
        }
        return sums
    }

    /// `reduce` gets the elements inside the input and how many places the window has inside the input and its declared padding.
    private func pool(_ input: Values, _ from: [Int], _ shape: [Int], _ pooling: Pooling, _ reduce: (Values, Int) -> Double) -> Values {
        elements(shape) { index in
            var (inside, places): (Values, Int) = ([], 0)
            for ky in 0..<pooling.kernel[0] {
                for kx in 0..<pooling.kernel[1] {
                    let y = index[2] * pooling.strides[0] - pooling.pads[0] + ky, x = index[3] * pooling.strides[1] - pooling.pads[1] + kx
                    if y < from[2] + pooling.pads[2], x < from[3] + pooling.pads[3] { places += 1 }
                    guard (0..<from[2]).contains(y), (0..<from[3]).contains(x) else { continue }
                    inside.append(input[((index[0] * from[1] + index[1]) * from[2] + y) * from[3] + x])
                }
            }
            return reduce(inside, places)
        }
    }

    private func concatenated(_ node: Node, _ inputs: [Values], _ shape: [Int]) -> Values {
        elements(shape) { index in
            var place = index
            for (number, name) in node.inputs.enumerated() {
                let from = shapes[name] ?? []
                if place[1] < from[1] { return inputs[number][offset(place, from)] }
                place[1] -= from[1]
            }
            return 0
        }
    }
}
