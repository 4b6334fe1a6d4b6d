import MultipointGraph

/// Which nodes run together: a layer, the residual addition that follows it, the activation that follows that.
struct FusedLayer {
    var layer: String
    var input: String
    var residual: String?
    /// Nil for none.
    var activation: Elementwise?
    var output: String
    /// Values between the layer and the output, which exist nowhere.
    var absorbed: [String] = []
}

/// What is left to do at each node after fusion.
enum FusedNode {
    case single(Node)
    /// At the position of the last node of the group.
    case layer(FusedLayer, name: String)
    /// Part of a group further down.
    case absorbed
}

extension Network {
    /// Groups layers with what follows them. A value joins only if nothing else reads it.
    /// - Parameter kept: values that must exist on their own.
    func fused(keeping kept: Set<String>, shapes: [String: [Int]]) -> [FusedNode] {
        Fusion(network: self, kept: kept, shapes: shapes).nodes()
    }

    /// For every node that has a layer: the value that holds its result once the addition and the activation that run with it are done, and
    /// the values on the way there, which exist nowhere.
    public func layerResults(shapes: [String: [Int]]) -> [(layer: String, value: String, absorbed: [String])] {
        fused(keeping: Set(outputs.map(\.name)), shapes: shapes).compactMap {
            if case .layer(let group, _) = $0 { (group.layer, group.output, group.absorbed) } else { nil }
        }
    }
}

private struct Fusion {
    let network: Network
    let kept: Set<String>
    let shapes: [String: [Int]]
    private let readers: [String: [Int]]
    private let producers: [String: Int]

    init(network: Network, kept: Set<String>, shapes: [String: [Int]]) {
        self.network = network
        self.kept = kept
        self.shapes = shapes
        var (readers, producers) = ([String: [Int]](), [String: Int]())
        for (index, node) in network.nodes.enumerated() {
            for input in node.inputs { readers[input, default: []].append(index) }
            producers[node.output] = index
        }
        (self.readers, self.producers) = (readers, producers)
    }

    func nodes() -> [FusedNode] {
        var result = network.nodes.map(FusedNode.single)
        for (index, node) in network.nodes.enumerated() {
            guard case .layer(let layer) = node.operation else { continue }
            var group = FusedLayer(layer: layer, input: node.inputs[0], residual: nil, activation: nil, output: node.output)
            var last = index
            if let (next, other) = addition(after: index) {
                group.absorbed.append(group.output)
                (group.residual, group.output) = (other, network.nodes[next].output)
                result[last] = .absorbed
                last = next
            }
            if let next = onlyReader(of: group.output), let activation = network.nodes[next].operation.activation {
                group.absorbed.append(group.output)
                (group.activation, group.output) = (activation, network.nodes[next].output)
                result[last] = .absorbed
                last = next
            }
            result[last] = .layer(group, name: node.name)
        }
        return result
    }

    private func onlyReader(of value: String) -> Int? {
        guard !kept.contains(value), let all = readers[value], all.count == 1 else { return nil }
        return all[0]
    }

    /// The addition that a layer takes over, and its other operand.
    private func addition(after index: Int) -> (node: Int, other: String)? {
        let output = network.nodes[index].output
        guard let next = onlyReader(of: output), case .binary(.add) = network.nodes[next].operation,
            let other = network.nodes[next].inputs.first(where: { $0 != output }), network.constants[other] == nil,
            shapes[other] == shapes[output]
        else { return nil }
        if let rival = producers[other], case .layer = network.nodes[rival].operation, onlyReader(of: other) == next,
            rank(rival) > rank(index)
        {
            return nil
        }
        return (next, other)
    }

    /// Of two layers that an addition joins, which should do it: rather one whose kernel adds 8-bit tensors well, which strided and grouped
    /// ones do not, then the one with more work to hide it behind, then the later one.
    private func rank(_ index: Int) -> (Int, Int, Int) {
        guard case .layer(let name) = network.nodes[index].operation, let layer = network.layers[name] else { return (0, 0, index) }
        guard case .convolution(let attributes) = layer.operation else { return (1, layer.rowLength, index) }
        return (attributes.group == 1 && attributes.strides == [1, 1] ? 1 : 0, layer.shape.dropFirst(2).reduce(1, *), index)
    }
}

extension Operation {
    /// The operation as an activation that a layer can take over.
    var activation: Elementwise? {
        guard case .elementwise(let function) = self else { return nil }
        return switch function {
        case .relu, .leakyRelu, .clip, .sigmoid, .hardSwish, .swish, .mish, .gelu, .geluTanh, .elu, .tanh, .softplus: function
        case .hardSigmoid(let alpha, _) where alpha > 0: function
        default: nil
        }
    }
}

extension Elementwise {
    /// A clip of a linear function, which takes the place of the layer's own scaling.
    var isAffineClip: Bool { if case .hardSigmoid = self { true } else { false } }
}
