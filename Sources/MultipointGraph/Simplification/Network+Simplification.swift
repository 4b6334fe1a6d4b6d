extension Network {
    /// Removes and folds what need not be computed at run time. The outputs keep their names and values (up to the rounding of
    /// folded weights); values whose quantization is known stay.
    /// - Parameter filedLayers: layers that are not changed.
    mutating func simplify(keeping filedLayers: Set<String>) {
        // Removing a node may bring others together; a few rounds settle every network but a contrived one.
        for _ in 0..<8 {
            let before = nodes
            removeIdentities()
            mergeTransposes()
            recognizeChannelShuffles()
            mergeReshapes()
            mergeClips()
            recognizeActivations()
            hoistActivations()
            if nodes == before { break }
        }
        foldChannelConstants(keeping: filedLayers)
        // Batch normalization may have been between a layer and its activation.
        hoistActivations()
        foldPads(keeping: filedLayers)
        removeUnused()
    }

    /// Shapes for two batch sizes: what holds for both holds for all (see `valuesWithBatch`).
    func sampleShapes() -> [[String: [Int]]] {
        var samples: [[String: [Int]]] = []
        for batch in 1...2 {
            if let shapes = try? shapes(batch: batch) { samples.append(shapes) }
        }
        return samples.count == 2 ? samples : []
    }

    /// Nodes whose results nothing uses, constants, and quantization of values that are gone.
    mutating func removeUnused() {
        var used = Set(outputs.map(\.name))
        var kept: [Node] = []
        for node in nodes.reversed() where used.contains(node.output) {
            kept.append(node)
            used.formUnion(node.inputs)
        }
        nodes = kept.reversed()
        constants = constants.filter { used.contains($0.key) }
        let values = Set(inputs.map(\.name)).union(nodes.map(\.output))
        quantization = quantization.filter { values.contains($0.key) }
    }
}

/// Who computes and who uses each value of a network.
struct ValueUses {
    /// Indices into the network's nodes.
    private(set) var producers: [String: Int] = [:]
    /// How many inputs of nodes, and outputs of the network, a value is.
    private(set) var counts: [String: Int] = [:]

    init(_ network: Network) {
        for (index, node) in network.nodes.enumerated() {
            producers[node.output] = index
            for input in node.inputs { counts[input, default: 0] += 1 }
        }
        for output in network.outputs { counts[output.name, default: 0] += 1 }
    }

    /// Notes that a node now computes `new` instead of `old`, which is gone.
    mutating func rename(_ old: String, to new: String) {
        producers[new] = producers.removeValue(forKey: old)
        counts[old] = nil
    }
}
