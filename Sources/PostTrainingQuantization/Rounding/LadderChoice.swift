import Glibc
import MultipointGraph
import MultipointQuantization

/// Which ladder a layer takes: that with the least output error, over all channels together, within equal bytes near the mean width
/// that the network is to have. Codebooks that look no better than the odd one with every weight rounded by itself are not tried.
struct LadderChoice {
    let layer: Layer
    let moment: SecondMoment
    let algebra: LinearAlgebra
    let threads: Int
    /// Bits per weight that the network is to have.
    let meanBits: Double

    /// How much less error than the odd ladder another one has to leave. The measure has errors of its own, and odd rows start with
    /// one bit.
    private static var worthwhile: Double { 0.97 }

    /// - Parameter family: nil to choose.
    func best(_ family: RefinementLadder.Family?) throws(QuantizationError) -> RoundedLayer {
        do {
            return try chosen(family)
        } catch {
            let isNamed = error.description.hasPrefix("layer `")
            throw isNamed ? error : QuantizationError("layer `\(layer.name)`: \(error)", kind: error.kind)
        }
    }

    private func chosen(_ family: RefinementLadder.Family?) throws(QuantizationError) -> RoundedLayer {
        switch family {
        case .odd: return try rounded(.odd)
        case .zero: return try rounded(.zero)
        case .subset: return try rounded(subset)
        case nil: break
        }
        let odd = try rounded(.odd)
        var best = (layer: odd, error: try error(odd) * Self.worthwhile)
        for ladder in try candidates() {
            let other = try rounded(ladder)
            let error = try error(other)
            if error < best.error { best = (other, error) }
        }
        return best.layer
    }

    private func rounded(_ ladder: RefinementLadder) throws(QuantizationError) -> RoundedLayer {
        let widths = RoundedLayer.widths.filter { $0 == 0 || ladder.widths.contains($0) }
        return try RoundedLayer(layer, moment, .ladder(ladder), widths: widths, algebra, threads: threads)
    }

    private var width: Int { Int(min(max(meanBits.rounded(), 2), 6)) }

    /// Its base one bit below the mean, so that channels may have less.
    private var subset: RefinementLadder {
        get throws(QuantizationError) {
            guard case .float(let weights) = layer.weights else { return .odd }
            return try .subset(
                for: weights, rowLength: layer.rowLength, bits: min(max(width - 1, 2), 4), threads: threads)
        }
    }

    private func candidates() throws(QuantizationError) -> [RefinementLadder] {
        guard case .float(let weights) = layer.weights else { return [] }
        func plainError(_ ladder: RefinementLadder) throws(QuantizationError) -> Double {
            try diagonalError(
                matrix: weights, channels: layer.channels, rowLength: layer.rowLength, secondMoment: moment, ladder: ladder,
                bits: width, threads: threads)
        }
        let odd = try plainError(.odd)
        var result: [RefinementLadder] = []
        for ladder in [.zero, try subset] where ladder.widths.contains(width) {
            if try plainError(ladder) < odd { result.append(ladder) }
        }
        return result
    }

    /// The least sum of the channels' output errors, at the geometric mean over some sizes.
    private func error(_ layer: RoundedLayer) throws(QuantizationError) -> Double {
        let choices = (0..<layer.channels).map { layer.choices(channel: $0, sensitivity: 1) }
        let allocation = BitAllocation(choices)
        let offsets = [-0.5, 0, 0.5]
        var product = 1.0
        for offset in offsets {
            let bytes = Int((meanBits + offset) / 8 * Double(layer.channels * layer.rowLength))
            product *= layer.error(allocation.bits(within: bytes))
        }
        return pow(product, 1 / Double(offsets.count))
    }
}
