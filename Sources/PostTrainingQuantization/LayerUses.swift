import MultipointGraph
import MultipointRuntime

/// Where a network uses its layers.
struct LayerUses {
    /// The values that each layer reads: one, or several if several nodes share the layer.
    private(set) var inputs: [String: [String]] = [:]
    /// Layers in the order of their first use.
    private(set) var order: [String] = []
    /// Layers that read a network input without another layer between.
    private(set) var first: Set<String> = []
    /// Layers whose result reaches a network output without another layer between.
    private(set) var last: Set<String> = []

    init(_ network: Network) {
        // Values that no layer has touched yet.
        var raw = Set(network.inputs.map(\.name))
        for node in network.nodes {
            guard case .layer(let layer) = node.operation else {
                if node.inputs.contains(where: raw.contains) { raw.insert(node.output) }
                continue
            }
            if inputs[layer] == nil { order.append(layer) }
            for value in node.inputs {
                if !inputs[layer, default: []].contains(value) { inputs[layer, default: []].append(value) }
                if raw.contains(value) { first.insert(layer) }
            }
        }
        // Values that no layer touches any more.
        var final = Set(network.outputs.map(\.name))
        for node in network.nodes.reversed() where final.contains(node.output) {
            if case .layer(let layer) = node.operation { last.insert(layer) } else { final.formUnion(node.inputs) }
        }
    }

    func position(_ layer: String) -> QuantizationOptions.Position {
        switch (first.contains(layer), last.contains(layer)) {
        case (true, true): .only
        case (true, false): .first
        case (false, true): .last
        case (false, false): .inner
        }
    }
}

/// Which value holds a layer's result once the addition and the activation that run with it in the runtime are done.
struct LayerResults {
    private let network: Network
    /// Values on the way to a layer's result, which exist nowhere.
    private(set) var absorbed: Set<String> = []
    /// For each layer the value, one per node that uses it.
    private(set) var values: [String: [String]] = [:]

    init(_ network: Network, shapes: [String: [Int]]) {
        self.network = network
        for (layer, value, absorbed) in network.layerResults(shapes: shapes) {
            values[layer, default: []].append(value)
            self.absorbed.formUnion(absorbed)
        }
    }

    /// Values that a program could keep in 8 bits: what layers read, then every other result that is stored and not for the caller.
    func storedValues(_ uses: LayerUses, layers: [String]) -> [String] {
        var seen = absorbed.union(network.outputs.map(\.name))
        let read = layers.flatMap { uses.inputs[$0] ?? [] }
        seen.subtract(read)
        return (read + network.nodes.map(\.output)).filter { seen.insert($0).inserted }
    }
}
