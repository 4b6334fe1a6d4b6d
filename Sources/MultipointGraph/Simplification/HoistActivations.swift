extension Network {
    /// Moves functions of single elements in front of what only moves elements behind a layer, so that they follow the layer itself.
    mutating func hoistActivations() {
        let uses = ValueUses(self)
        for index in nodes.indices {
            guard case .elementwise = nodes[index].operation else { continue }
            var position = index
            while let producer = mover(nodes[position].inputs[0], uses) {
                // Values keep their places in the list; the two operations and their names change them.
                let (move, function) = (nodes[producer], nodes[position])
                nodes[producer] = Node(name: function.name, operation: function.operation, inputs: move.inputs, output: move.output)
                nodes[position] = Node(name: move.name, operation: move.operation, inputs: [move.output], output: function.output)
                position = producer
            }
        }
    }

    /// The node that moves a layer's result to where only one node reads it.
    private func mover(_ value: String, _ uses: ValueUses) -> Int? {
        guard uses.counts[value] == 1, quantization[value] == nil, let producer = uses.producers[value],
            nodes[producer].operation.movesElements, isLayerResult(nodes[producer].inputs[0], uses)
        else { return nil }
        return producer
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
