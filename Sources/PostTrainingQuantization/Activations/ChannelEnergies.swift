import MultipointGraph

/// How much a squared error in a channel of a value is expected to change the network's outputs: Σ (Δ output)² for every element's
/// (Δ value)², if errors are independent and signs are random.
///
/// Energies go from the outputs back to the inputs: through a layer by its squared weights, e_i = Σ_o e_o Σ_taps w²; through an
/// addition to both operands; through a mean over n elements by 1 / n². An activation lets half of it through. No samples are
/// needed. Only their ratios between channels of a value are used.
struct ChannelEnergies {
    /// How a value's elements belong to channels: axis 1 of images, else the last axis.
    struct Channels {
        let count: Int
        /// Neighbouring elements of one channel.
        let run: Int
        /// Elements of a sample.
        let elements: Int

        init(_ shape: [Int]) {
            elements = max(1, elementCount(of: shape) ?? 1)
            (count, run) = shape.count == 4 ? (max(1, shape[1]), max(1, shape[2] * shape[3])) : (max(1, shape.last ?? 1), 1)
        }

        func channel(_ element: Int) -> Int { element / run % count }
    }

    private let network: Network
    private let shapes: [String: [Int]]
    private var energies: [String: [Double]] = [:]

    /// - Parameter shapes: for a batch of one.
    init(_ network: Network, shapes: [String: [Int]]) {
        (self.network, self.shapes) = (network, shapes)
        for output in network.outputs { energies[output.name] = [Double](repeating: 1, count: channels(output.name).count) }
        for node in network.nodes.reversed() {
            guard let output = energies[node.output] else { continue }
            for input in node.inputs where network.constants[input] == nil {
                add(back(output, through: node, to: input), to: input)
            }
        }
    }

    func channels(_ value: String) -> Channels { Channels(shapes[value] ?? []) }

    /// Per channel of the value; empty if nothing is known to depend on it.
    subscript(value: String) -> [Double] {
        guard let found = energies[value], found.allSatisfy(\.isFinite) else { return [] }
        return found
    }

    private mutating func add(_ more: [Double], to value: String) {
        guard let known = energies[value], known.count == more.count else {
            energies[value] = more
            return
        }
        energies[value] = zip(known, more).map { $0 + $1 }
    }

    private func back(_ output: [Double], through node: Node, to input: String) -> [Double] {
        let (from, to) = (channels(node.output), channels(input))
        let ratio = Double(from.elements / from.count) / Double(to.elements / to.count)
        switch node.operation {
        case .layer(let name):
            guard let layer = network.layers[name] else { return scaled(output, ratio, to) }
            return back(output, through: layer, to).map { $0 * ratio }
        case .elementwise(.relu), .elementwise(.clip), .elementwise(.leakyRelu), .elementwise(.hardSwish), .elementwise(.swish),
            .elementwise(.mish), .elementwise(.gelu), .elementwise(.geluTanh), .elementwise(.elu):
            return scaled(output, ratio / 2, to)
        case .globalAveragePool, .reduce(.mean, axes: [2, 3], _): return scaled(output, ratio * ratio, to)
        case .gather(let indices, _, axis: 1) where indices.count == output.count: return ofChosen(indices, output, to)
        case .averagePool(let pooling, _): return scaled(output, ratio / Double(max(1, pooling.kernel.reduce(1, *))), to)
        case .concat: return ofOperand(input, of: node, output) ?? scaled(output, 1, to)
        case .flatten, .reshape, .squeeze, .unsqueeze: return reordered(output, from, to)
        default: return scaled(output, ratio, to)
        }
    }

    private func back(_ output: [Double], through layer: Layer, _ to: Channels) -> [Double] {
        guard case .float(let weights) = layer.weights, layer.inputChannels == to.count, output.count == layer.channels else {
            return scaled(output, 1, to)
        }
        let perGroup = layer.channels / layer.group
        let inputs = layer.shape[1]
        let taps = layer.rowLength / inputs
        var result = [Double](repeating: 0, count: to.count)
        for channel in 0..<layer.channels {
            let first = channel / perGroup * inputs
            for input in 0..<inputs {
                var sum = 0.0
                let start = (channel * inputs + input) * taps
                for w in weights[start..<start + taps] { sum += Double(w) * Double(w) }
                result[first + input] += output[channel] * sum
            }
        }
        return result
    }

    /// An operand's channels of a concatenation along them; nil along another axis.
    private func ofOperand(_ input: String, of node: Node, _ output: [Double]) -> [Double]? {
        let counts = node.inputs.map { channels($0).count }
        guard counts.reduce(0, +) == output.count, node.inputs.count > 1 else { return nil }
        var (first, result) = (0, [Double](repeating: 0, count: channels(input).count))
        for (operand, count) in zip(node.inputs, counts) {
            if operand == input { for channel in 0..<count { result[channel] += output[first + channel] } }
            first += count
        }
        return result
    }

    /// Channels in another order, some of them several times or never.
    private func ofChosen(_ indices: [Int], _ output: [Double], _ to: Channels) -> [Double] {
        var result = [Double](repeating: 0, count: to.count)
        for (index, energy) in zip(indices, output) where result.indices.contains(index) { result[index] += energy }
        return result
    }

    /// Elements stay in their order: a channel has the mean of its elements.
    private func reordered(_ output: [Double], _ from: Channels, _ to: Channels) -> [Double] {
        guard from.elements == to.elements else { return scaled(output, 1, to) }
        var result = [Double](repeating: 0, count: to.count)
        for element in 0..<to.elements { result[to.channel(element)] += output[from.channel(element)] }
        let each = Double(to.elements / to.count)
        return result.map { $0 / each }
    }

    /// Channel for channel, or all alike where channels do not correspond.
    private func scaled(_ output: [Double], _ factor: Double, _ to: Channels) -> [Double] {
        if output.count == to.count { return output.map { $0 * factor } }
        return [Double](repeating: output.reduce(0, +) / Double(max(1, output.count)) * factor, count: to.count)
    }
}
