import MultipointGraph

/// Which nodes run together: a layer, the residual addition that follows it, the activation that follows that.
struct FusedLayer {
    var layer: String
    var input: String
    var residual: String?
    var activation: Activation
    var output: String
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
        var readers: [String: [Int]] = [:]
        for (index, node) in nodes.enumerated() { for input in node.inputs { readers[input, default: []].append(index) } }
        func onlyReader(of value: String) -> Int? {
            guard !kept.contains(value), let all = readers[value], all.count == 1 else { return nil }
            return all[0]
        }
        var result = nodes.map(FusedNode.single)
        var claimed = Set<Int>()
        // From the end, so that of two layers that an addition joins the later one takes it: the other's result is then ready.
        for (index, node) in nodes.enumerated().reversed() {
            guard case .layer(let layer) = node.operation else { continue }
            var group = FusedLayer(layer: layer, input: node.inputs[0], residual: nil, activation: .identity, output: node.output)
            var last = index
            if let next = onlyReader(of: group.output), !claimed.contains(next), case .add = nodes[next].operation,
                let other = nodes[next].inputs.first(where: { $0 != group.output }), constants[other] == nil,
                shapes[other] == shapes[group.output]
            {
                (group.residual, group.output) = (other, nodes[next].output)
                result[last] = .absorbed
                last = next
            }
            if let next = onlyReader(of: group.output), !claimed.contains(next), let activation = nodes[next].operation.activation {
                (group.activation, group.output) = (activation, nodes[next].output)
                result[last] = .absorbed
                last = next
            }
            claimed.insert(last)
            if group.residual != nil, let add = readers[node.output]?.first { claimed.insert(add) }
            result[last] = .layer(group, name: node.name)
        }
        return result
    }
}

extension Operation {
    /// The operation as an activation that a layer can take over.
    var activation: Activation? {
        switch self {
        case .relu: .relu
        case .leakyRelu(let alpha): .leakyRelu(alpha: alpha)
        case .clip(let minimum, let maximum): .clip(minimum: minimum, maximum: maximum)
        case .sigmoid: .sigmoid
        default: nil
        }
    }
}
