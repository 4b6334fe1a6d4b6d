import MultipointGraph

/// How often an activation has which value over a calibration: its extremes, and counts in equal bins.
///
/// A bin is 2^e wide, e the least with which the largest magnitude so far is within `binsPerSide` bins of 0. When it grows, bins
/// merge in pairs; bins of a power of two around 0 and whole counts make the result a function of the values alone, in whatever order
/// and batches they come.
public struct ActivationHistogram: Equatable, Sendable {
    /// Bins for the numbers on either side of 0; 0 itself counts apart. The largest magnitude is in the upper half of them: 16 bins
    /// or more for every step of 8 bits.
    static let binsPerSide = 8192
    /// Channels count in whole numbers up to this, so that sums do not depend on their order.
    private static let largestWeight = Double(1 << 20)
    /// 2^126 is the largest power of two that is a float and has a float inverse of full precision.
    private static let leastExponent = -126

    public private(set) var range = ActivationRange()
    private var exponent = ActivationHistogram.leastExponent
    /// Numbers of values: negative ones, [binsPerSide] by falling value, then positive ones by rising value; nothing before the first.
    private var counts: [UInt64] = []
    /// The same, each value counting as much as its channel does; empty where all channels count alike.
    private var weighted: [UInt64] = []
    private var zeros: UInt64 = 0
    /// Per channel; empty where all count alike.
    private let weights: [UInt64]
    /// Neighbouring elements of one channel.
    private let run: Int

    /// - Parameters:
    ///   - energies: per channel, how much a squared error in it matters, from 0. Empty: all alike.
    ///   - run: neighbouring elements that belong to one channel: H · W for [N, C, H, W], 1 where channels are the last axis.
    public init(energies: [Double] = [], run: Int = 1) {
        self.run = max(1, run)
        let largest = energies.max() ?? 0
        guard energies.allSatisfy({ $0 >= 0 && $0.isFinite }), energies.contains(where: { $0 != largest }) else {
            weights = []
            return
        }
        weights = energies.map { UInt64(($0 / largest * ActivationHistogram.largestWeight).rounded()) }
    }

    /// Counts values: whole samples, their channels as `init` says.
    /// - Throws: `QuantizationError` with the place of a number that is not finite; nothing is then counted.
    public mutating func include(_ values: UnsafeBufferPointer<Float>) throws(QuantizationError) {
        try range.include(values)
        guard !values.isEmpty else { return }
        prepareBins()
        // Exact: a power of two.
        let inverse = Float(sign: .plus, exponent: -exponent, significand: 1)
        let (side, last) = (Int32(ActivationHistogram.binsPerSide), Int32(ActivationHistogram.binsPerSide - 1))
        var zeros: UInt64 = 0
        counts.withUnsafeMutableBufferPointer { counts in
            weighted.withUnsafeMutableBufferPointer { weighted in
                var channel = 0
                for start in stride(from: 0, to: values.count, by: run) {
                    let weight = weights.isEmpty ? 0 : weights[channel]
                    for value in values[start..<min(start + run, values.count)] {
                        guard value != 0 else {
                            zeros &+= 1
                            continue
                        }
                        let k = min(last, Int32(abs(value) * inverse))
                        let bin = Int(value < 0 ? k : side &+ k)
                        counts[bin] &+= 1
                        if !weighted.isEmpty { weighted[bin] &+= weight }
                    }
                    channel = channel + 1 == weights.count ? 0 : channel + 1
                }
            }
        }
        self.zeros &+= zeros
    }

    /// Makes bins that reach the extremes.
    private mutating func prepareBins() {
        let size = 2 * ActivationHistogram.binsPerSide
        if counts.isEmpty {
            counts = [UInt64](repeating: 0, count: size)
            if !weights.isEmpty { weighted = counts }
        }
        let largest = max(abs(range.minimum), abs(range.maximum))
        guard largest > 0 else { return }
        // |x| < 2^(exponent + 1).
        let sideExponent = ActivationHistogram.binsPerSide.trailingZeroBitCount
        let needed = max(ActivationHistogram.leastExponent, Int(largest.exponent) + 1 - sideExponent)
        guard needed > exponent else { return }
        ActivationHistogram.merge(&counts, doublings: needed - exponent)
        ActivationHistogram.merge(&weighted, doublings: needed - exponent)
        exponent = needed
    }

    private static func merge(_ counts: inout [UInt64], doublings: Int) {
        for first in stride(from: 0, to: counts.count, by: binsPerSide) {
            // Upwards: bin k goes to a place that has been read.
            for k in 0..<binsPerSide {
                let count = counts[first + k]
                counts[first + k] = 0
                counts[first + (doublings < Int.bitWidth ? k >> doublings : 0)] &+= count
            }
        }
    }

    // MARK: what was counted

    /// Values that stand for all values of their bins, its centres, with how much those count together.
    struct Masses: Equatable, Sendable {
        var values: [Double] = []
        var masses: [Double] = []
    }

    /// The bins that have anything in them, by rising value. 0 is left out: every quantization has it exactly.
    /// - Parameter weighted: by what channels count.
    func masses(weighted usesWeights: Bool) -> Masses {
        let source = usesWeights && !weighted.isEmpty ? weighted : counts
        let (side, width) = (ActivationHistogram.binsPerSide, Double(sign: .plus, exponent: exponent, significand: 1))
        var result = Masses()
        guard !source.isEmpty else { return result }
        for k in (0..<side).reversed() where source[k] > 0 { result.append(-(Double(k) + 0.5) * width, source[k]) }
        for k in 0..<side where source[side + k] > 0 { result.append((Double(k) + 0.5) * width, source[side + k]) }
        return result
    }

    /// Number of values, 0 among them.
    var count: UInt64 { counts.reduce(zeros, &+) }

    /// The least upper edge of a bin below which at least this part of the values is, 0 to 1; within the extremes.
    func quantile(_ part: Double) -> Float {
        let (side, width) = (ActivationHistogram.binsPerSide, Float(sign: .plus, exponent: exponent, significand: 1))
        guard !counts.isEmpty else { return 0 }
        let rank = max(1, part * Double(count))
        var below = 0.0
        func reaches(_ count: UInt64) -> Bool {
            below += Double(count)
            return below >= rank
        }
        for k in (0..<side).reversed() where reaches(counts[k]) { return clamped(-Float(k) * width) }
        if reaches(zeros) { return 0 }
        for k in 0..<side where reaches(counts[side + k]) { return clamped(Float(k + 1) * width) }
        return range.maximum
    }

    private func clamped(_ value: Float) -> Float { min(max(value, range.minimum), range.maximum) }
}

extension ActivationHistogram.Masses {
    fileprivate mutating func append(_ value: Double, _ mass: UInt64) {
        values.append(value)
        masses.append(Double(mass))
    }

    /// Σ m (x − x̂)², x̂ being x in 8 bits.
    func error(_ quantization: AffineQuantization) -> Double {
        let (scale, zero) = (Double(quantization.scale), Double(quantization.zeroPoint))
        let (inverse, low, high) = (1 / scale, -zero, 255 - zero)
        // Adding 1.5 · 2⁵² rounds numbers of that size half to even, without a call.
        let magic = 6_755_399_441_055_744.0
        var sum = 0.0
        values.withUnsafeBufferPointer { values in
            masses.withUnsafeBufferPointer { masses in
                for i in values.indices {
                    let real = values[i] * inverse
                    let clamped = real < low ? low : (real > high ? high : real)
                    let difference = values[i] - scale * ((clamped + magic) - magic)
                    sum += masses[i] * difference * difference
                }
            }
        }
        return sum
    }
}
