extension GraphDefinition {
    /// Most nodes that a network may have.
    static let maximumNodeCount = 100_000

    /// The nodes that an output depends on, each after the nodes that it depends on, in the definition's order as far as that
    /// allows; with names that are unique and not empty.
    /// - Throws: `GraphError` for a name that nothing defines or two things define, a cycle, too many nodes.
    func nodesInOrder() throws(GraphError) -> [NodeDefinition] {
        guard nodes.count <= GraphDefinition.maximumNodeCount else {
            throw GraphError("\(nodes.count) nodes; up to \(GraphDefinition.maximumNodeCount) are possible", kind: .unsupported)
        }
        let producers = try producersOfValues()
        try checkReferences(producers)
        let order = try topologicalOrder(producers)
        let live = liveNodes(producers)
        return GraphDefinition.withUniqueNames(order.filter { live[$0] }.map { nodes[$0] })
    }

    /// How often nodes, and the network's outputs, use each value.
    func useCounts(of nodes: [NodeDefinition]) -> [String: Int] {
        var counts: [String: Int] = [:]
        for node in nodes { for input in node.inputs where !input.isEmpty { counts[input, default: 0] += 1 } }
        for output in outputs { counts[output.name, default: 0] += 1 }
        return counts
    }

    /// The node that computes each value.
    private func producersOfValues() throws(GraphError) -> [String: Int] {
        var given = Set(initializers.keys)
        // It would be taken for optional inputs that are left out.
        guard !given.contains("") else { throw GraphError("an initializer has no name") }
        for input in inputs {
            guard !input.name.isEmpty else { throw GraphError("an input has no name") }
            guard given.insert(input.name).inserted else { throw GraphError("input `\(input.name)` is defined twice") }
        }
        var producers: [String: Int] = [:]
        for (index, node) in nodes.enumerated() {
            guard let first = node.outputs.first, !first.isEmpty else {
                throw GraphError(node: GraphDefinition.title(node), "it has no output")
            }
            for output in node.outputs where !output.isEmpty {
                guard !given.contains(output), producers.updateValue(index, forKey: output) == nil else {
                    throw GraphError(
                        node: GraphDefinition.title(node), "its output `\(output)` is already the name of another value")
                }
            }
        }
        return producers
    }

    private func checkReferences(_ producers: [String: Int]) throws(GraphError) {
        let given = Set(inputs.map(\.name)).union(initializers.keys)
        for node in nodes {
            for input in node.inputs where !input.isEmpty && !given.contains(input) && producers[input] == nil {
                throw GraphError(node: GraphDefinition.title(node), "nothing defines its input `\(input)`")
            }
        }
        guard !inputs.isEmpty, !outputs.isEmpty else {
            throw GraphError("\(inputs.count) inputs and \(outputs.count) outputs; at least one of each expected")
        }
        var seen: Set<String> = []
        for output in outputs {
            guard seen.insert(output.name).inserted else { throw GraphError("output `\(output.name)` is listed twice") }
            guard producers[output.name] != nil else {
                throw GraphError("output `\(output.name)`: no node computes it")
            }
        }
    }

    /// Depth-first and without recursion: a hostile graph may be as deep as it has nodes.
    private func topologicalOrder(_ producers: [String: Int]) throws(GraphError) -> [Int] {
        enum Mark { case new, open, done }
        var marks = Array(repeating: Mark.new, count: nodes.count)
        var order: [Int] = []
        order.reserveCapacity(nodes.count)
        for root in nodes.indices where marks[root] == .new {
            marks[root] = .open
            var path = [(node: root, nextInput: 0)]
            while let (node, nextInput) = path.last {
                guard nextInput < nodes[node].inputs.count else {
                    marks[node] = .done
                    order.append(node)
                    path.removeLast()
                    continue
                }
                path[path.count - 1].nextInput += 1
                guard let producer = producers[nodes[node].inputs[nextInput]] else { continue }
                switch marks[producer] {
                case .done: continue
                case .open:
                    throw GraphError(node: GraphDefinition.title(nodes[producer]), "it depends on its own output (a cycle)")
                case .new:
                    marks[producer] = .open
                    path.append((producer, 0))
                }
            }
        }
        return order
    }

    private func liveNodes(_ producers: [String: Int]) -> [Bool] {
        var live = Array(repeating: false, count: nodes.count)
        var pending = outputs.compactMap { producers[$0.name] }
        while let node = pending.popLast() {
            if live[node] { continue }
            live[node] = true
            pending += nodes[node].inputs.compactMap { producers[$0] }
        }
        return live
    }

    /// ONNX allows nodes without names and with equal ones; here a node's name identifies its layer. Names of Constant nodes do not
    /// count: those nodes do not outlive the translation.
    private static func withUniqueNames(_ nodes: [NodeDefinition]) -> [NodeDefinition] {
        var names = UniqueNames(nodes.lazy.filter { $0.operatorType != "Constant" }.map(\.name))
        var seen: Set<String> = []
        return nodes.map { node in
            var node = node
            if node.operatorType == "Constant" {
                node.name = title(node)
            } else if node.name.isEmpty || !seen.insert(node.name).inserted {
                node.name = names.next(title(node))
            }
            return node
        }
    }

    /// What to call a node that may have no name.
    private static func title(_ node: NodeDefinition) -> String {
        node.name.isEmpty ? "\(node.operatorType)_\(node.outputs.first ?? "")" : node.name
    }
}
