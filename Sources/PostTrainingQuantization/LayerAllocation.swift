import MultipointGraph
import MultipointQuantization

/// Chooses the width of every channel of a network: the least sum over layers of (sensitivity × the channels' output errors) within
/// a budget.
///
/// A layer's sensitivity is the change of the network's output with that layer alone rounded, divided by the layer's output error. It
/// is measured near the widths that the layer will have: first with all channels near the budget's mean, then with the allocation
/// that follows from it.
struct LayerAllocation {
    let network: Network
    let names: [String]
    let layers: [String: RoundedLayer]
    let sensitivity: OutputSensitivity

    /// Widths of a channel.
    static let widths = 2...6
    private static var rounds: Int { 2 }

    /// - Parameter progress: called with the fraction done; false cancels.
    func widths(budget: QuantizationOptions.Budget, progress: (Double) -> Bool) throws -> [String: [Int]] {
        let weights = layers.values.reduce(0) { $0 + $1.channels * $1.rowLength }
        let bytes: Int
        let mean: Double
        switch budget {
        case .bitsPerWeight(let bits): (bytes, mean) = (Int(bits * Double(weights) / 8), bits)
        case .bytes(let count): (bytes, mean) = (count, weights > 0 ? Double(count) * 8 / Double(weights) : 0)
        }
        let start = Int(min(max(mean.rounded(), Double(Self.widths.lowerBound)), Double(Self.widths.upperBound)))
        var widths = layers.mapValues { [Int](repeating: start, count: $0.channels) }
        for round in 0..<Self.rounds {
            var sensitivities: [String: Double] = [:]
            for (index, name) in names.enumerated() {
                guard let layer = layers[name], let bits = widths[name], let original = network.layers[name] else { continue }
                let error = layer.error(bits)
                let change = error > 0 ? try sensitivity.change(with: layer.applied(to: original, bits)) : 0
                sensitivities[name] = error > 0 ? change / error : 0
                let done = Double(round * names.count + index + 1) / Double(Self.rounds * names.count)
                guard progress(done) else { throw QuantizationError.cancelled }
            }
            widths = try allocate(bytes, sensitivities)
        }
        return widths
    }

    /// The allocation counts every channel as if its layer had its width as a base; what the actual bases need beyond that is taken
    /// off the budget, and the allocation done again.
    private func allocate(_ budget: Int, _ sensitivities: [String: Double]) throws(QuantizationError) -> [String: [Int]] {
        let allocation = BitAllocation(choices(sensitivities))
        var target = budget
        var result: [String: [Int]] = [:]
        while true {
            result = split(allocation.bits(within: target))
            let bytes = result.reduce(0) { $0 + (layers[$1.key]?.byteCount($1.value) ?? 0) }
            guard bytes > budget else { return result }
            guard target >= allocation.leastBytes else {
                throw QuantizationError("a budget of \(budget) bytes: these layers need at least \(bytes)")
            }
            target -= max(1, bytes - budget)
        }
    }

    private func choices(_ sensitivities: [String: Double]) -> [[BitAllocation.Choice]] {
        var channels: [[BitAllocation.Choice]] = []
        for name in names {
            guard let layer = layers[name] else { continue }
            for channel in 0..<layer.channels {
                channels.append(
                    (layer.isZero(channel: channel) ? [layer.widths[0]] : layer.widths).map { bits in
                        BitAllocation.Choice(
                            bits: bits, bytes: RefinementLadder.byteCount(bits: bits, baseBits: bits, rowLength: layer.rowLength),
                            damage: layer.error(channel: channel, bits: bits) * (sensitivities[name] ?? 0))
                    })
            }
        }
        return channels
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
