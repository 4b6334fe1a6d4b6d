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

    /// The allocation counts every channel as if it shared nothing with others; what the layers' levels take besides (mostly
    /// codebooks) depends on the widths that occur, so the largest target whose result keeps to the budget is found by halving.
    /// - Parameter orLeast: exceed a budget that is too small instead of throwing.
    func widths(within budget: Int, orLeast: Bool = false) throws(QuantizationError) -> [String: [Int]] {
        let allocation = BitAllocation(choices())
        func result(_ target: Int) -> (widths: [String: [Int]], bytes: Int) {
            let widths = split(allocation.bits(within: target))
            return (widths, widths.reduce(0) { $0 + (layers[$1.key]?.byteCount($1.value) ?? 0) })
        }
        var best = result(allocation.leastBytes)
        guard best.bytes <= budget || orLeast else {
            let weights = Double(max(1, weightCount))
            throw QuantizationError(
                "a budget of \(budget) bytes, \(Double(budget * 8) / weights) bits per weight: these layers need at least \(best.bytes), \(Double(best.bytes * 8) / weights) bits per weight")
        }
        var (low, high) = (allocation.leastBytes, max(allocation.leastBytes, budget))
        while low <= high {
            let target = low + (high - low) / 2
            let found = result(target)
            if found.bytes <= budget {
                if found.bytes >= best.bytes { best = found }
                low = target + 1
            } else {
                high = target - 1
            }
        }
        return best.widths
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
