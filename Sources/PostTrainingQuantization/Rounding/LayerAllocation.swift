import MultipointGraph
import MultipointQuantization

/// Chooses the width of every channel of a network: the least sum over layers of (sensitivity × the channels' output errors) within
/// a budget.
///
/// A layer's sensitivity is the change of the network's output with that layer alone rounded, divided by the layer's output error. It
/// is measured near the widths that the layer will have: first with all channels near the budget's mean, then with the allocation
/// that follows from it.
struct LayerAllocation<Inputs: CalibrationInputs> {
    let network: Network
    /// In the order of their first use.
    let names: [String]
    let layers: [String: RoundedLayer]
    let sensitivity: OutputSensitivity<Inputs>
    /// By layer.
    private var sensitivities: [String: Double] = [:]

    /// How often sensitivities are measured.
    static var rounds: Int { 2 }

    /// - Parameter progress: called with the fraction done; false cancels.
    init(
        _ network: Network, names: [String], layers: [String: RoundedLayer], sensitivity: OutputSensitivity<Inputs>, meanBits: Double,
        progress: (Double) -> Bool
    ) throws {
        (self.network, self.names, self.layers, self.sensitivity) = (network, names, layers, sensitivity)
        let start = Int(min(max(meanBits.rounded(), 2), 6))
        var widths = layers.mapValues { layer in
            [Int](repeating: layer.widths.min { (abs($0 - start), $1) < (abs($1 - start), $0) } ?? start, count: layer.channels)
        }
        for round in 0..<Self.rounds {
            try measure(at: widths) { progress((Double(round) + $0) / Double(Self.rounds)) }
            guard round + 1 < Self.rounds else { break }
            widths = try self.widths(within: Int(meanBits * Double(weightCount) / 8), orLeast: true)
        }
    }

    /// Weights of all the layers.
    var weightCount: Int { layers.values.reduce(0) { $0 + $1.channels * $1.rowLength } }

    /// With every channel at its layer's largest width.
    var largestByteCount: Int {
        layers.values.reduce(0) { $0 + $1.byteCount([Int](repeating: $1.widths.last ?? 0, count: $1.channels)) }
    }

    private mutating func measure(at widths: [String: [Int]], progress: (Double) -> Bool) throws {
        var probed: [String: [Int]] = [:]
        for name in names {
            guard let layer = layers[name], let bits = widths[name] else { continue }
            // A layer without errors at these widths is looked at with fewer bits.
            let coarser = layer.widths.reversed().lazy.map { [Int](repeating: $0, count: layer.channels) }
            probed[name] = layer.error(bits) > 0 ? bits : coarser.first { layer.error($0) > 0 }
            sensitivities[name] = leastSensitivity(layer)
        }
        var done = 0
        try sensitivity.changes(inOrder: names) { name in
            guard let layer = layers[name], let bits = probed[name] else { return nil }
            return network.layers[name].map { layer.applied(to: $0, bits) }
        } body: { name, change in
            guard let layer = layers[name], let bits = probed[name] else { return }
            sensitivities[name] = max(leastSensitivity(layer), change / layer.error(bits))
            done += 1
            guard progress(Double(done) / Double(names.count)) else { throw QuantizationError.cancelled }
        }
    }

    /// Even a layer whose errors the samples do not show is no layer to be thrown away: all of its output counts for a little.
    private func leastSensitivity(_ layer: RoundedLayer) -> Double {
        let power = layer.powers.reduce(0, +)
        return power > 0 ? 1e-4 / power : 0
    }

    /// The allocation counts every channel as if it shared nothing with others; what the layers' levels need beyond that is taken off
    /// the budget, and the allocation done again.
    /// - Parameter orLeast: exceed a budget that is too small instead of throwing.
    func widths(within budget: Int, orLeast: Bool = false) throws(QuantizationError) -> [String: [Int]] {
        let allocation = BitAllocation(choices())
        var target = budget
        while true {
            let result = split(allocation.bits(within: target))
            let bytes = result.reduce(0) { $0 + (layers[$1.key]?.byteCount($1.value) ?? 0) }
            guard bytes > budget else { return result }
            guard target >= allocation.leastBytes else {
                if orLeast { return result }
                throw QuantizationError("a budget of \(budget) bytes: these layers need at least \(bytes)")
            }
            target -= max(1, bytes - budget)
        }
    }

    private func choices() -> [[BitAllocation.Choice]] {
        names.flatMap { name in
            layers[name].map { layer in
                (0..<layer.channels).map { layer.choices(channel: $0, sensitivity: sensitivities[name] ?? 0) }
            } ?? []
        }
    }

    private func split(_ bits: [Int]) -> [String: [Int]] {
        var result: [String: [Int]] = [:]
        var rest = bits[...]
        for name in names {
            guard let layer = layers[name] else { continue }
            result[name] = Array(rest.prefix(layer.channels))
            rest = rest.dropFirst(layer.channels)
        }
        return result
    }
}
