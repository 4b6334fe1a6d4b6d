import Foundation
import MultipointGraph

/// A network's operations one by one in double precision, by plain loops over C-order arrays.
struct ReferenceNetwork {
    let network: Network
    let shapes: [String: [Int]]

    typealias Values = [Double]

    func value(of node: Node, _ values: [Values]) -> Values {
        let inputs = zip(node.inputs, values).map { name, values in network.constants[name]?.floats?.map(Double.init) ?? values }
        let shape = shapes[node.output] ?? [], from = shapes[node.inputs[0]] ?? []
        switch node.operation {
        case .layer(let name):
            guard let layer = network.layers[name] else { return [] }
            return product(layer, quantized(inputs[0], layer, node.inputs[0]), from, shape)
        case .elementwise(let function): return inputs[0].map { function.exact($0) }
        case .binary(let function): return combined(node, inputs, shape) { function.exact($0, $1) }
        case .prelu: return combined(node, inputs, shape) { $0 < 0 ? $1 * $0 : $0 }
        case .matrixProduct: return matrixProduct(node, inputs, shape)
        case .maxPool(let pooling): return pool(inputs[0], from, shape, pooling) { values, _ in values.max() ?? 0 }
        case .averagePool(let pooling, let countsPadding):
            return pool(inputs[0], from, shape, pooling) { $0.reduce(0, +) / Double(countsPadding ? $1 : $0.count) }
        case .globalAveragePool:
            let size = from[2] * from[3]
            return (0..<(from[0] * from[1])).map { inputs[0][($0 * size)..<(($0 + 1) * size)].reduce(0, +) / Double(size) }
        case .reduce(let reduction, let axes, _): return along(axes, inputs[0], from) { reduction.exact($0) }
        case .argument(let extremum, let axis, _, let selectsLast):
            return along([axis], inputs[0], from) { values in
                let best = (extremum == .maximum ? values.max() : values.min()) ?? 0
                return Double((selectsLast ? values.lastIndex(of: best) : values.firstIndex(of: best)) ?? 0)
            }
        case .softmax(let axis), .logSoftmax(let axis):
            let largest = along([axis], inputs[0], from) { $0.max() ?? 0 }
            let sums = along([axis], inputs[0], from) { values in
                values.reduce(0) { $0 + exp($1 - (values.max() ?? 0)) }
            }
            let isLogarithmic = if case .logSoftmax = node.operation { true } else { false }
            return spread(from, [axis]) { whole, part in
                let x = inputs[0][whole] - largest[part]
                return isLogarithmic ? x - log(sums[part]) : exp(x) / sums[part]
            }
        case .layerNormalization(let axis, let epsilon):
            let axes = Array(axis..<from.count)
            let means = along(axes, inputs[0], from) { $0.reduce(0, +) / Double($0.count) }
            let variances = along(axes, inputs[0], from) { values in
                let mean = values.reduce(0, +) / Double(values.count)
                return values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
            }
            return spread(from, axes) { (inputs[0][$0] - means[$1]) / (variances[$1] + Double(epsilon)).squareRoot() }
        case .localResponseNormalization(let size, let alpha, let beta, let bias):
            return elements(shape) { index in
                var sum = 0.0
                for channel in max(0, index[1] - (size - 1) / 2)...min(shape[1] - 1, index[1] + size / 2) {
                    let x = inputs[0][offset([index[0], channel, index[2], index[3]], from)]
                    sum += x * x
                }
                return inputs[0][offset(index, from)] / pow(Double(bias) + Double(alpha) / Double(size) * sum, Double(beta))
            }
        case .concat(let axis): return concatenated(node, inputs, shape, axis: axis)
        case .flatten, .reshape, .squeeze, .unsqueeze: return inputs[0]
        case .transpose(let permutation):
            return elements(shape) { index in
                var place = index
                for (axis, from) in permutation.enumerated() { place[from] = index[axis] }
                return inputs[0][offset(place, from)]
            }
        case .expand: return combined(node, [inputs[0], [0]], shape) { a, _ in a }
        case .gather(let indices, let indexShape, let axis):
            return elements(shape) { index in
                let position = offset(Array(index[axis..<(axis + indexShape.count)]), indexShape)
                return inputs[0][offset(index[..<axis] + [indices[position]] + index[(axis + indexShape.count)...], from)]
            }
        case .resize(let resize): return ReferenceResize(resize).value(inputs[0], from)
        case .depthToSpace(let block, let order):
            return elements(shape) { index in
                let (y, x) = (index[2] % block, index[3] % block)
                let channel = order == .depthColumnRow
                    ? (y * block + x) * shape[1] + index[1] : (index[1] * block + y) * block + x
                return inputs[0][offset([index[0], channel, index[2] / block, index[3] / block], from)]
            }
        case .spaceToDepth(let block):
            return elements(shape) { index in
                let (place, channel) = (index[1] / from[1], index[1] % from[1])
                return inputs[0][offset([index[0], channel, index[2] * block + place / block, index[3] * block + place % block], from)]
            }
        case .slice(let starts, _, let axes, let steps):
            return elements(shape) { index in
                var place = index
                for (number, axis) in axes.enumerated() {
                    let start = starts[number] < 0 ? starts[number] + from[axis] : min(starts[number], from[axis] - 1)
                    place[axis] = start + index[axis] * steps[number]
                }
                return inputs[0][offset(place, from)]
            }
        case .pad(let pads, .constant(let value)):
            return elements(shape) { index in
                let place = index.indices.map { index[$0] - pads[$0] }
                let isInside = place.indices.allSatisfy { (0..<from[$0]).contains(place[$0]) }
                return isInside ? inputs[0][offset(place, from)] : Double(value)
            }
        case .pad(let pads, let padding):
            return elements(shape) { index in
                let place = index.indices.map { axis in
                    let (position, size) = (index[axis] - pads[axis], from[axis])
                    // Like a walk that turns around, stands still or starts anew at the ends.
                    if (0..<size).contains(position) { return position }
                    switch padding {
                    case .reflect: return position < 0 ? -position : size - 1 - (position - (size - 1))
                    case .edge: return position < 0 ? 0 : size - 1
                    case .wrap: return (position + 1000 * size) % size
                    case .constant: return 0
                    }
                }
                return inputs[0][offset(place, from)]
            }
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
            let features = from[from.count - 1]
            return (0..<(input.count / features)).flatMap { row in
                weights.indices.map { zip(weights[$0], input[(row * features)...]).reduce(bias($0)) { $0 + $1.0 * $1.1 } }
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
                    let y = index[2] * pooling.strides[0] - pooling.pads[0] + ky * pooling.dilations[0]
                    let x = index[3] * pooling.strides[1] - pooling.pads[1] + kx * pooling.dilations[1]
                    if y < from[2] + pooling.pads[2], x < from[3] + pooling.pads[3] { places += 1 }
                    guard (0..<from[2]).contains(y), (0..<from[3]).contains(x) else { continue }
                    inside.append(input[((index[0] * from[1] + index[1]) * from[2] + y) * from[3] + x])
                }
            }
            return reduce(inside, places)
        }
    }

    private func concatenated(_ node: Node, _ inputs: [Values], _ shape: [Int], axis: Int) -> Values {
        elements(shape) { index in
            var place = index
            for (number, name) in node.inputs.enumerated() {
                let from = shapes[name] ?? []
                if place[axis] < from[axis] { return inputs[number][offset(place, from)] }
                place[axis] -= from[axis]
            }
            return 0
        }
    }

    // MARK: broadcasting and axes

    private func shape(_ name: String) -> [Int] { network.constants[name]?.shape ?? shapes[name] ?? [] }

    private func combined(_ node: Node, _ inputs: [Values], _ shape: [Int], _ function: (Double, Double) -> Double) -> Values {
        let from = node.inputs.map { self.shape($0) } + [[]]
        func element(_ index: [Int], _ operand: Int) -> Double {
            let place = zip(index.suffix(from[operand].count), from[operand]).map { $1 == 1 ? 0 : $0 }
            return inputs[operand][offset(place, from[operand])]
        }
        return elements(shape) { function(element($0, 0), element($0, 1)) }
    }

    private func matrixProduct(_ node: Node, _ inputs: [Values], _ shape: [Int]) -> Values {
        let (left, right) = (self.shape(node.inputs[0]), self.shape(node.inputs[1]))
        let (a, b) = (left.count == 1 ? [1] + left : left, right.count == 1 ? right + [1] : right)
        return elements(shape) { index in
            var outer = index
            let column = right.count == 1 ? 0 : outer.removeLast()
            let row = left.count == 1 ? 0 : outer.removeLast()
            func place(_ shape: [Int], _ last: [Int]) -> [Int] {
                zip(outer.suffix(shape.count - 2), shape).map { $1 == 1 ? 0 : $0 } + last
            }
            return (0..<a[a.count - 1]).reduce(0) { sum, k in
                sum + inputs[0][offset(place(a, [row, k]), a)] * inputs[1][offset(place(b, [k, column]), b)]
            }
        }
    }

    /// For every place along the other axes, in C order, a number made of the elements along some.
    private func along(_ axes: [Int], _ input: Values, _ from: [Int], _ reduce: (Values) -> Double) -> Values {
        let kept = from.indices.map { axes.contains($0) ? 1 : from[$0] }, inner = from.indices.map { axes.contains($0) ? from[$0] : 1 }
        return elements(kept) { index in
            reduce(elements(inner) { place in input[offset(zip(index, place).map { $0 + $1 }, from)] })
        }
    }

    /// For every element something of its own place and of its place in what `along` gives.
    private func spread(_ from: [Int], _ axes: [Int], _ value: (Int, Int) -> Double) -> Values {
        let kept = from.indices.map { axes.contains($0) ? 1 : from[$0] }
        return elements(from) { index in
            value(offset(index, from), offset(index.indices.map { axes.contains($0) ? 0 : index[$0] }, kept))
        }
    }
}
