import MultipointQuantization

/// How to quantize a network.
public struct QuantizationOptions: Hashable, Sendable {
    /// How weights become points.
    public enum Method: Hashable, Sendable {
        /// As published: greedy points with free scales, as many as the output error asks for. What follows applies to it alone,
        /// up to `maximumPoints`.
        case greedy
        /// The refinement ladder with output-aware rounding, channels' widths allocated within a budget.
        case ladder(Budget)
        /// One odd point of 1 to 6 bits for every channel, rounded like the ladder's: what a ladder is to be compared with.
        case single(bits: Int)
        /// Nearest rounding, 2 to 8 bits, one uniform point and one scale per channel; `ends` where they differ. A baseline.
        case nearest(bits: Int, scale: NearestRounding.Scale, ends: EndWidths? = nil)
        /// Subset quantization as published, 2 to 4 bits, one scale per layer; layers at the ends are uniform where `ends` is given,
        /// with a scale per channel. A baseline.
        case subset(bits: Int, ends: EndWidths? = EndWidths(first: 8, last: 8))
    }

    /// What all packed layers may take together: codes, scales, codebooks and numbers of points counted, biases not.
    public enum Budget: Hashable, Sendable {
        case bitsPerWeight(Double)
        case bytes(Int)
        /// The smallest that keeps the packed network's agreement with the float one on the calibration samples within this of 1.
        /// Agreement is how often, over all places of an output, the channel with the largest value is the same.
        case drop(Double)
    }

    /// Whether layers are rounded for the inputs that the packed layers before them give.
    public enum Sequence: Hashable, Sendable {
        /// If that changes the network's outputs on the calibration samples less.
        case automatic
        case always
        case never
    }

    public var method = Method.greedy
    /// Codebooks of the ladder; nil takes what measures best for each layer.
    public var ladderFamily: RefinementLadder.Family?
    /// Whether the points of a ladder have integer ratios and fold into one row. Without, every point has a scale of its own, and a
    /// channel's further points are further rows.
    public var foldsLadder = true
    public var sequence = Sequence.automatic
    /// Width of a point.
    public var bits = 4
    /// Width in the layers that read a network input without another layer between, and in those whose result reaches a network
    /// output so. A layer that is both has the larger.
    public var firstBits = 7
    public var lastBits = 7
    /// Nil: odd up to 6 bits, uniform above. First and last layers take this family if it has their width, else that default; with
    /// subsets they are uniform where their width allows, as published.
    public var codebook: Codebook.Family?
    /// A channel gets another point while its output error is above `epsilon`, and above `relativeEpsilon` times its output power;
    /// each rule counts where it is above 0. With both 0 every channel gets `maximumPoints`.
    public var epsilon = 0.0
    public var relativeEpsilon = 0.01
    /// Per channel, 1 to 255.
    public var maximumPoints = 4
    /// Ranges of the activations' 8 bits.
    public var activations = Activations.meanSquaredError
    /// Whether layers' biases take up the mean of what quantization changes in their results.
    public var correctsBias = true
    /// Names of layers that stay as they are.
    public var floatLayers: Set<String> = []
    /// Pack nothing: the result is the network itself.
    public var keepsFloat = false
    /// Output positions of a layer that enter its E[x xᵀ] at most, evenly spread over the calibration.
    public var maximumPatches = 16_384
    /// Bytes for the E[x xᵀ] of layers that are measured together; where they need more, the calibration runs several times.
    public var momentBytes = 1_500_000_000
    /// Samples, evenly spread over the calibration, on which the network's sensitivity to its layers' errors is measured at most.
    public var maximumProbes = 256
    /// Report what layers' output errors would be at other widths.
    public var measuresCurves = false
    /// 0: what OpenMP would use on the calling thread.
    public var threads = 0

    public init() {}

    /// - Throws: `QuantizationError` naming the option that is out of range.
    public func validate() throws(QuantizationError) {
        for (name, position) in [("bits", Position.inner), ("first bits", .first), ("last bits", .last)] {
            do {
                try packing(position).validate()
            } catch {
                // Widths are the position's own; the rest is not.
                throw error.description.hasPrefix("bits: ") ? QuantizationError(name + error.description.dropFirst(4)) : error
            }
        }
        switch method {
        case .ladder(.bitsPerWeight(let bits)) where !(bits > 0 && bits <= 32):
            throw QuantizationError("budget: more than 0 and at most 32 bits per weight expected, found \(bits)")
        case .ladder(.bytes(let bytes)) where bytes < 1:
            throw QuantizationError("budget: at least 1 byte expected, found \(bytes)")
        case .ladder(.drop(let drop)) where !(drop >= 0 && drop < 1):
            throw QuantizationError("drop: at least 0 and less than 1 expected, found \(drop)")
        case .single(let bits) where !RefinementLadder.odd.widths.contains(bits):
            throw QuantizationError("bits: 1 to 6 expected for a single point, found \(bits)")
        default: break
        }
        if !foldsLadder, ladderFamily ?? .odd != .odd {
            throw QuantizationError("ladder: points with free scales are odd; no other codebook goes with them")
        }
        for position in [Position.inner, .first, .last] { _ = try method.baseline(position) }
        if case .percentile(let percentile) = activations, !(percentile > 50 && percentile <= 100) {
            throw QuantizationError("percentile: more than 50 and at most 100 expected, found \(percentile)")
        }
        guard maximumPatches >= 1 else { throw QuantizationError("maximum patches: at least 1 expected, found \(maximumPatches)") }
        guard maximumProbes >= 1 else { throw QuantizationError("maximum probes: at least 1 expected, found \(maximumProbes)") }
        guard momentBytes >= 1 else { throw QuantizationError("moment bytes: at least 1 expected, found \(momentBytes)") }
        guard (0...1024).contains(threads) else { throw QuantizationError("threads: 0 to 1024 expected, found \(threads)") }
    }

    /// - Throws: `QuantizationError` if one of `floatLayers` is not among the layers.
    func requireFloatLayers(among names: [String]) throws(QuantizationError) {
        if let stranger = floatLayers.subtracting(names).min() {
            throw QuantizationError("float layers: there is no layer `\(stranger)`")
        }
    }

    /// Where in its network a layer is.
    enum Position { case inner, first, last, only }

    /// How layers of a position are packed.
    func packing(_ position: Position) -> PackingOptions {
        let width =
            switch position {
            case .inner: bits
            case .first: firstBits
            case .last: lastBits
            case .only: max(firstBits, lastBits)
            }
        var family = codebook
        if position != .inner {
            if family == .subset { family = .uniform }
            if family?.bits.contains(width) != true { family = nil }
        }
        return PackingOptions(
            bits: width, codebook: family, maximumPoints: maximumPoints, epsilon: epsilon, relativeEpsilon: relativeEpsilon)
    }
}
