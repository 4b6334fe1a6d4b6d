extension Network {
    /// Moves functions of single elements in front of what only moves elements behind a layer, so that they follow the layer itself.
    mutating func hoistActivations() {
        let uses = ValueUses(self)
        /// Results of layers, moved or not, which only one node reads on their way.
        var results: Set<String> = []
        for index in nodes.indices {
            switch nodes[index].operation {
            case .layer: results.insert(nodes[index].output)
            case .elementwise: hoist(index, uses, &results)
            case let operation where operation.movesElements:
                let input = nodes[index].inputs[0]
                if results.contains(input), isInner(input, uses) { results.insert(nodes[index].output) }
            default: continue
            }
        }
    }

    private mutating func hoist(_ index: Int, _ uses: ValueUses, _ results: inout Set<String>) {
        var position = index
        while let producer = mover(nodes[position].inputs[0], uses, results) {
            // Values keep their places in the list; the two operations and their names change them.
            let (move, function) = (nodes[producer], nodes[position])
            nodes[producer] = Node(name: function.name, operation: function.operation, inputs: move.inputs, output: move.output)
            nodes[position] = Node(name: move.name, operation: move.operation, inputs: [move.output], output: function.output)
            // Now the function's result.
            results.remove(move.output)
            position = producer
        }
    }

    /// The node that moves a layer's result to where only one node reads it.
    private func mover(_ value: String, _ uses: ValueUses, _ results: Set<String>) -> Int? {
        guard results.contains(value), isInner(value, uses), let producer = uses.producers[value],
            nodes[producer].operation.movesElements
        else { return nil }
        return producer
    }

    private func isInner(_ value: String, _ uses: ValueUses) -> Bool { uses.counts[value] == 1 && quantization[value] == nil }
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
