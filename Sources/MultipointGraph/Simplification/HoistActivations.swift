extension Network {
    /// Moves functions of single elements in front of what only moves elements behind a layer, so that they follow the layer itself.
    mutating func hoistActivations() {
        let uses = ValueUses(self)
        for index in nodes.indices {
            guard case .elementwise = nodes[index].operation, uses.counts[nodes[index].inputs[0]] == 1,
                quantization[nodes[index].inputs[0]] == nil, let producer = uses.producers[nodes[index].inputs[0]],
                nodes[producer].operation.movesElements, isLayerResult(nodes[producer].inputs[0], uses)
            else { continue }
            // Values keep their places in the list; the two operations and their names change them.
            let (move, function) = (nodes[producer], nodes[index])
            nodes[producer] = Node(name: function.name, operation: function.operation, inputs: move.inputs, output: move.output)
            nodes[index] = Node(name: move.name, operation: move.operation, inputs: [move.output], output: function.output)
        }
    }

    /// Whether only one node uses the value, which is a layer's result, moved or not.
    private func isLayerResult(_ value: String, _ uses: ValueUses) -> Bool {
        var value = value
        while uses.counts[value] == 1, quantization[value] == nil, let producer = uses.producers[value] {
            if case .layer = nodes[producer].operation { return true }
            guard nodes[producer].operation.movesElements else { return false }
            value = nodes[producer].inputs[0]
        }
        return false
    }
}

extension Operation {
    /// Whether the result's elements are elements of the only input.
    fileprivate var movesElements: Bool {
        switch self {
        case .depthToSpace, .spaceToDepth, .slice, .squeeze, .unsqueeze: true
        default: false
        }
    }
}
