import MultipointGraph
import MultipointQuantization
import MultipointRuntime

/// Runs a network on samples piece by piece: it stops before a node, keeps the values that the nodes from there on read, and goes on
/// from them. So going through all layers of a network costs one run of it, and a layer may be changed before the run comes to it.
struct SegmentedRun {
    private let shapes: [String: [Int]]
    private let hasFixedBatch: Bool
    private let threads: Int
    /// By value: whether a network can have it as an input, dense with the batch as its first dimension.
    private let isPossibleInput: [String: Bool]
    /// Values that will be asked for in the end, whether anything reads them or not.
    private let kept: Set<String>
    /// The node that is next.
    private(set) var position = 0
    /// The values known, and the number of samples.
    private(set) var batches: [(values: [String: [Float]], count: Int)]

    /// - Parameters:
    ///   - samples: numbers of samples of the calibration.
    ///   - kept: values that will be asked for in the end.
    init(
        _ network: Network, _ calibration: some CalibrationInputs, samples: [Int], keeping kept: [String] = [], threads: Int
    ) throws {
        self.kept = Set(kept)
        let (one, hasFixedBatch) = (try network.shapes(batch: 1), network.hasFixedBatch)
        let two = hasFixedBatch ? one : try network.shapes(batch: 2)
        (shapes, self.hasFixedBatch, self.threads) = (one, hasFixedBatch, threads)
        isPossibleInput = Dictionary(
            one.map { name, shape in (name, hasFixedBatch || (shape.first == 1 && two[name]?.first == 2)) },
            uniquingKeysWith: { first, _ in first })
        let names = network.inputs.map(\.name)
        batches = try calibration.batches(samples, for: network).map { inputs, count in
            (Dictionary(zip(names, inputs)) { first, _ in first }, count)
        }
    }

    /// Bytes of the values that a network's later nodes read, at the place where that is most, for one sample.
    static func largestByteCount(_ network: Network, keeping kept: [String] = []) throws -> Int {
        let shapes = try network.shapes(batch: 1)
        return network.nodes.indices.reduce(4) { largest, node in
            max(largest, network.live(before: node, keeping: Set(kept)).reduce(0) { $0 + 4 * (elementCount(of: shapes[$1] ?? []) ?? 0) })
        }
    }

    /// As many samples, evenly spread, as there are or fit into `bytes`.
    static func samples(
        of network: Network, keeping kept: [String] = [], count total: Int, maximum: Int, bytes: Int, copies: Int
    ) throws -> [Int] {
        let fitting = bytes / max(1, try largestByteCount(network, keeping: kept) * copies)
        let count = max(1, min(total, maximum, fitting))
        return (0..<count).map { $0 * total / count }
    }

    /// Runs up to a node, not below the last one, and returns what the nodes from there on read, among it the node's inputs.
    /// - Parameter network: the same nodes as ever; layers from the last node on may have changed.
    mutating func advance(to node: Int, in network: Network) throws -> [[String: [Float]]] {
        let live = network.live(before: node, keeping: kept).sorted()
        let moves = live.allSatisfy { isPossibleInput[$0] == true }
        let wanted = moves ? live : network.nodes[node].inputs.filter { network.constants[$0] == nil }
        let segment = piece(of: network, position..<node, computing: wanted)
        let results = try run(segment, wanted)
        if moves {
            position = node
            for index in batches.indices { batches[index].values = results[index] }
        }
        return results
    }

    /// Runs from the present position to the end.
    /// - Returns: for every batch the values asked for.
    func finish(_ network: Network, computing values: [String]) throws -> [[String: [Float]]] {
        try run(piece(of: network, position..<network.nodes.count, computing: values), values)
    }

    /// A network of the nodes of a range that some values need, whose inputs are what is known.
    private func piece(of network: Network, _ range: Range<Int>, computing values: [String]) -> Network {
        let known = Set(batches.first?.values.keys.map { $0 } ?? [])
        let wanted = values.filter { !known.contains($0) }
        var rest = network
        rest.nodes = Array(network.nodes[range])
        rest = rest.computing(wanted)
        let read = Set(rest.nodes.flatMap(\.inputs)).intersection(known)
        rest.inputs = read.sorted().map { name in
            let shape = (shapes[name] ?? []).map { ValueInfo.Dimension.fixed($0) }
            return ValueInfo(name: name, shape: hasFixedBatch ? shape : [.batch] + shape.dropFirst())
        }
        return rest
    }

    private func run(_ piece: Network, _ wanted: [String]) throws -> [[String: [Float]]] {
        let computed = piece.outputs.map(\.name)
        let session = computed.isEmpty
            ? nil
            : try Session(network: piece, maximumBatch: batches.map(\.count).max() ?? 1, threads: threads, outputs: computed)
        return try batches.map { values, count in
            var result = values.filter { wanted.contains($0.key) }
            guard let session else { return result }
            let outputs = try session.run(piece.inputs.map { values[$0.name] ?? [] }, batch: count)
            for (name, output) in zip(computed, outputs) { result[name] = output }
            return result
        }
    }
}

extension Network {
    /// The values that exist before a node and that it or a later one reads, that are outputs, or that are kept.
    func live(before node: Int, keeping kept: Set<String> = []) -> Set<String> {
        let made = Set(inputs.map(\.name) + nodes[..<node].map(\.output))
        return made.intersection(kept.union(nodes[node...].flatMap(\.inputs) + outputs.map(\.name)))
    }

    /// By layer, the node that uses it first.
    var firstUses: [String: Int] {
        var result: [String: Int] = [:]
        for (index, node) in nodes.enumerated() {
            if case .layer(let name) = node.operation, result[name] == nil { result[name] = index }
        }
        return result
    }
}
