import MultipointGraph
import MultipointQuantization

/// How much the network's outputs change when weights change: the squared change on calibration samples, as a part of the
/// outputs' own power (each output's, then their sum).
struct OutputSensitivity<Inputs: CalibrationInputs> {
    private let network: Network
    private let calibration: Inputs
    private let threads: Int
    private let samples: [Int]
    /// Values that are compared: outputs, or what the softmax or sigmoid that gives an output reads. Differences of logits count
    /// alike, however sure the network is.
    private let values: [String]
    /// For every batch, every value of the float network.
    private var reference: [[String: [Float]]] = []
    private var powers: [String: Double] = [:]

    /// - Parameters:
    ///   - maximumSamples: how many are looked at, at most.
    ///   - maximumBytes: of values kept between layers, at most.
    init(
        _ network: Network, _ calibration: Inputs, maximumSamples: Int, maximumBytes: Int = 1_000_000_000, threads: Int
    ) throws {
        (self.network, self.calibration, self.threads) = (network, calibration, threads)
        let provided = Set(network.inputs.map(\.name))
        values = Array(Set(network.outputs.map { network.unsquashed($0.name) })).filter { !provided.contains($0) }.sorted()
        samples = try SegmentedRun.samples(
            of: network, keeping: values, count: calibration.sampleCount, maximum: maximumSamples, bytes: maximumBytes, copies: 1)
        guard !values.isEmpty else { return }
        reference = try start().finish(network, computing: values)
        for value in values {
            powers[value] = reference.reduce(0.0) { sum, batch in
                (batch[value] ?? []).reduce(sum) { $0 + Double($1) * Double($1) }
            }
        }
    }

    private func start() throws -> SegmentedRun {
        try SegmentedRun(network, calibration, samples: samples, keeping: values, threads: threads)
    }

    /// - Parameter changed: the network with other weights.
    func change(to changed: Network) throws -> Double {
        values.isEmpty ? 0 : distance(try start().finish(changed, computing: values))
    }

    /// The change that each layer makes alone. Only what comes after a layer is run again.
    /// - Parameters:
    ///   - order: layers, in the order of their first use.
    ///   - replacement: of a layer; nil leaves it out.
    ///   - body: called with every layer's change.
    func changes(
        inOrder order: [String], replacement: (String) -> Layer?, body: (String, Double) throws -> Void
    ) throws {
        guard !values.isEmpty else { return }
        var run = try start()
        let firstUses = network.firstUses
        for name in order {
            guard let node = firstUses[name], let layer = replacement(name) else { continue }
            _ = try run.advance(to: node, in: network)
            var changed = network
            changed.layers[name] = layer
            try body(name, distance(run.finish(changed, computing: values)))
        }
    }

    private func distance(_ outputs: [[String: [Float]]]) -> Double {
        var total = 0.0
        for value in values {
            guard let power = powers[value], power > 0 else { continue }
            var sum = 0.0
            for (found, expected) in zip(outputs, reference) {
                for (a, b) in zip(found[value] ?? [], expected[value] ?? []) { sum += (Double(a) - Double(b)) * (Double(a) - Double(b)) }
            }
            total += sum / power
        }
        return total
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
