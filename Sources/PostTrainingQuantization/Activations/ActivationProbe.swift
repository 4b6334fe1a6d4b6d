import MultipointGraph
import MultipointQuantization
import MultipointRuntime

/// How much what follows from one value changes when that value alone is rounded to 8 bits: the squared change as a part of the
/// power, summed over the results of all layers behind it and the network's outputs. Outputs alone would be few numbers, and what is
/// best for them on some samples would be so by chance.
struct ActivationProbe {
    private let network: Network
    private let threads: Int
    /// Values that are compared, where they depend on the rounded one.
    private let values: [String]
    private let batches: [(inputs: [[Float]], count: Int)]

    /// - Parameter results: values to compare besides the outputs.
    init(
        _ network: Network, _ calibration: some CalibrationInputs, results: [String], maximumSamples: Int, threads: Int
    ) throws {
        (self.network, self.threads) = (network, threads)
        values = Array(Set(results + network.outputs.map { network.unsquashed($0.name) })).sorted()
        batches = try calibration.spread(over: network, maximumSamples: maximumSamples)
    }

    /// Only what follows from the value runs for every quantization.
    /// - Returns: one change for each quantization.
    func changes(rounding value: String, _ quantizations: [AffineQuantization]) throws -> [Double] {
        let rest = try network.following(value, to: values)
        guard !rest.outputs.isEmpty else { return [Double](repeating: 0, count: quantizations.count) }
        let provided = Set(network.inputs.map(\.name))
        let computed = rest.inputs.map(\.name).filter { !provided.contains($0) }
        let largest = batches.first?.count ?? 1
        let before = computed.isEmpty
            ? nil : try Session(network: network.computing(computed), maximumBatch: largest, threads: threads, outputs: computed)
        let session = try Session(network: rest, maximumBatch: largest, threads: threads)
        var distances = [[Double]](repeating: [Double](repeating: 0, count: rest.outputs.count), count: quantizations.count)
        var powers = [Double](repeating: 0, count: rest.outputs.count)
        for batch in batches {
            var given = Dictionary(zip(network.inputs.map(\.name), batch.inputs)) { first, _ in first }
            if let before { given.merge(zip(computed, try before.run(batch.inputs, batch: batch.count))) { _, new in new } }
            let inputs = rest.inputs.map { given[$0.name] ?? [] }
            let expected = try session.run(inputs, batch: batch.count)
            for (output, values) in expected.enumerated() { powers[output] += squaredDistance(values, nil) }
            for (place, quantization) in quantizations.enumerated() {
                var inputs = inputs
                for (index, input) in rest.inputs.enumerated() where input.name == value {
                    inputs[index] = inputs[index].map(quantization.rounded)
                }
                for (output, found) in try session.run(inputs, batch: batch.count).enumerated() {
                    distances[place][output] += squaredDistance(found, expected[output])
                }
            }
        }
        return distances.map { zip($0, powers).reduce(0) { $0 + ($1.1 > 0 ? $1.0 / $1.1 : 0) } }
    }
}

/// ‖a − b‖², or ‖a‖².
private func squaredDistance(_ a: [Float], _ b: [Float]?) -> Double {
    guard let b else { return a.reduce(0) { $0 + Double($1) * Double($1) } }
    var sum = 0.0
    for i in 0..<min(a.count, b.count) {
        let difference = Double(a[i]) - Double(b[i])
        sum += difference * difference
    }
    return sum
}

extension AffineQuantization {
    /// The value that 8 bits keep of a real one.
    func rounded(_ value: Float) -> Float {
        let stored = (value / scale).rounded(.toNearestOrEven) + Float(zeroPoint)
        return scale * (min(255, max(0, stored)) - Float(zeroPoint))
    }
}

extension Network {
    /// The part of the network that turns a value, and whatever else it needs, into those of `results` that depend on it.
    fileprivate func following(_ value: String, to results: [String]) throws -> Network {
        var dependent: Set<String> = [value]
        for node in nodes where node.inputs.contains(where: dependent.contains) { dependent.insert(node.output) }
        var result = computing(results.filter { $0 != value && dependent.contains($0) })
        result.nodes = result.nodes.filter { $0.output != value && dependent.contains($0.output) }
        let produced = Set(result.nodes.map(\.output))
        let read = Set(result.nodes.flatMap(\.inputs)).filter { !produced.contains($0) && constants[$0] == nil }
        let (one, two) = (try shapes(batch: 1), hasFixedBatch ? [:] : try shapes(batch: 2))
        result.inputs = read.sorted().map { name in
            var info = ValueInfo(name: name, shape: (one[name] ?? []).map { .fixed($0) })
            if let other = two[name], other != one[name] { info.shape[0] = .batch }
            return info
        }
        let layers = Set(result.nodes.compactMap { if case .layer(let name) = $0.operation { name } else { nil } })
        result.layers = self.layers.filter { layers.contains($0.key) }
        result.layerOrder = layerOrder.filter(layers.contains)
        return result
    }
}
