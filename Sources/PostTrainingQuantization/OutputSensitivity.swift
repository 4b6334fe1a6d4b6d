import DNNL
import MultipointGraph
import MultipointQuantization
import MultipointRuntime

/// How much the network's outputs change when weights change: the squared change on calibration samples, as a part of the
/// outputs' own power (each output's, then their sum).
struct OutputSensitivity {
    private let network: Network
    private let threads: Int
    /// Values that are compared: outputs, or what the softmax or sigmoid that gives an output reads. Differences of logits count
    /// alike, however sure the network is.
    private let values: [String]
    private let batches: [(inputs: [[Float]], count: Int)]
    /// For every batch, every value of the float network.
    private var reference: [[[Float]]] = []
    private var powers: [Double]

    init(_ network: Network, _ calibration: some CalibrationInputs, maximumSamples: Int, threads: Int) throws {
        (self.network, self.threads) = (network, threads)
        let provided = Set(network.inputs.map(\.name))
        values = Array(Set(network.outputs.map { network.unsquashed($0.name) })).filter { !provided.contains($0) }.sorted()
        batches = try calibration.spread(over: network, maximumSamples: maximumSamples)
        powers = [Double](repeating: 0, count: values.count)
        guard !values.isEmpty else { return }
        let reference = try run(network)
        self.reference = reference
        powers = values.indices.map { value in
            reference.reduce(0.0) { sum, batch in batch[value].reduce(sum) { $0 + Double($1) * Double($1) } }
        }
    }

    private func run(_ network: Network) throws -> [[[Float]]] {
        let session = try Session(network: network, maximumBatch: batches.first?.count ?? 1, threads: threads, outputs: values)
        return try batches.map { try session.run($0.inputs, batch: $0.count) }
    }

    /// - Parameter layer: in place of the network's of the same name.
    func change(with layer: Layer) throws -> Double {
        guard !values.isEmpty else { return 0 }
        var changed = network
        changed.layers[layer.name] = layer
        var total = 0.0
        let outputs = try run(changed)
        for value in values.indices where powers[value] > 0 {
            var sum = 0.0
            for (found, expected) in zip(outputs, reference) {
                for (a, b) in zip(found[value], expected[value]) { sum += (Double(a) - Double(b)) * (Double(a) - Double(b)) }
            }
            total += sum / powers[value]
        }
        return total
    }
}

extension CalibrationInputs {
    /// Some of the samples, evenly spread, in batches for the network.
    func spread(over network: Network, maximumSamples: Int) throws -> [(inputs: [[Float]], count: Int)] {
        let (total, count) = (sampleCount, min(sampleCount, maximumSamples))
        let chosen = (0..<count).map { $0 * total / count }
        let size = network.hasFixedBatch ? 1 : min(32, count)
        var batches: [(inputs: [[Float]], count: Int)] = []
        for start in stride(from: 0, to: count, by: size) {
            let samples = chosen[start..<min(count, start + size)]
            var inputs = [[Float]](repeating: [], count: network.inputs.count)
            for sample in samples {
                for (index, values) in try self.batch(sample..<sample + 1).enumerated() { inputs[index] += values }
            }
            batches.append((inputs, samples.count))
        }
        return batches
    }
}

extension Network {
    /// A value, or what the softmax or sigmoid that makes it reads.
    func unsquashed(_ value: String) -> String {
        guard let node = nodes.first(where: { $0.output == value }), let input = node.inputs.first else { return value }
        switch node.operation {
        case .softmax, .sigmoid: return input
        // Between a softmax and its output there may be a reshape.
        case .flatten, .reshape, .squeeze, .unsqueeze:
            let source = unsquashed(input)
            return source == input ? value : source
        default: return value
        }
    }
}
