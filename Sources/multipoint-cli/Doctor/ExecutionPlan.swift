import MultipointGraph
import MultipointRuntime
import PostTrainingQuantization

/// How a float network would be executed once it is packed.
struct ExecutionPlan {
    private let network: Network
    private let packable: Set<String>
    private let types: ExecutionTypes
    private(set) var multiplyAdds = Diagnosis.MultiplyAdds()

    /// - Throws: what the runtime throws if this machine cannot compile the network.
    init(_ network: Network) throws {
        self.network = network
        packable = packableLayers(network)
        types = try ExecutionTypes(PreparedNetwork(try packedStandIn(for: network)))
        let shapes = try network.shapes(batch: 1)
        for node in network.nodes {
            let count = products(of: node, shapes)
            multiplyAdds.total += count
            if types.nodesIn8Bits.contains(node.name) { multiplyAdds.int8 += count }
        }
    }

    /// Multiply-adds of a layer or a product of matrices.
    private func products(of node: Node, _ shapes: [String: [Int]]) -> Int {
        let results = elementCount(of: shapes[node.output] ?? []) ?? 0
        switch node.operation {
        case .layer(let name): return results * (network.layers[name]?.rowLength ?? 0)
        case .matrixProduct: return results * (node.inputs.first.flatMap { (shapes[$0] ?? network.constants[$0]?.shape)?.last } ?? 0)
        default: return 0
        }
    }

    /// By the names of the definition's nodes. A node of which several were made is in float if one of them is.
    func verdicts(origins: [String: String]) -> [String: (Diagnosis.Verdict, String?)] {
        var result: [String: (Diagnosis.Verdict, String?)] = [:]
        var found: [String: Diagnosis.Verdict] = [:]
        for node in network.nodes {
            let verdict = verdict(node, found)
            found[node.output] = verdict
            guard let name = origins[node.name], result[name]?.0 != .float else { continue }
            result[name] = (verdict, verdict == .float ? reason(node) : nil)
        }
        return result
    }

    /// - Parameter found: for values so far.
    private func verdict(_ node: Node, _ found: [String: Diagnosis.Verdict]) -> Diagnosis.Verdict {
        if case .layer = node.operation { return types.nodesIn8Bits.contains(node.name) ? .int8 : .float }
        if let isIn8Bits = types.isStoredIn8Bits[node.output] {
            if isIn8Bits { return .int8 }
            // The last node of a layer's group, whose result the caller gets as floats.
            return joinsLayer(node) ? layerVerdict(node, found) : .float
        }
        return layerVerdict(node, found)
    }

    /// Whether a node is done by the layer before it: what it reads exists nowhere.
    private func joinsLayer(_ node: Node) -> Bool {
        node.inputs.contains { types.isStoredIn8Bits[$0] == nil && network.constants[$0] == nil }
    }

    private func layerVerdict(_ node: Node, _ found: [String: Diagnosis.Verdict]) -> Diagnosis.Verdict {
        let layer = node.inputs.first { types.isStoredIn8Bits[$0] == nil && network.constants[$0] == nil }
        return layer.flatMap { found[$0] } ?? .float
    }

    private func reason(_ node: Node) -> String? {
        switch node.operation {
        case .layer(let name) where !packable.contains(name):
            "it has \(network.layers[name]?.rowLength ?? 0) weights in a channel; up to \(PackedWeights.maximumRowLength) are packed"
        case .layer: "its convolution is faster in float"
        case .matrixProduct: "a product of two computed values"
        default: nil
        }
    }
}
