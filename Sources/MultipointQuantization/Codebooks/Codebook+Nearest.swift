/// Rounding to a codebook, eight numbers at a time: the inner loop of every step search.
protocol NearestEntry {
    /// The entry nearest to each number; halfway, either neighbour.
    func entry(nearest x: SIMD8<Float>) -> SIMD8<Float>
    /// The code of an entry that `entry(nearest:)` returned.
    func code(of entry: Float) -> UInt8
    /// The least max|r| / step that a step search has to try: below it come only vectors that larger ones give too, up to a factor.
    var leastPeak: Float { get }
}

/// x rounded to an integer, halves to even: where 2²³ ≤ y < 2²⁴, the spacing of floats is 1, so adding and subtracting 1.5 · 2²³
/// rounds. Exact for |x| ≤ 2²¹.
@inline(__always)
private func rounded(_ x: SIMD8<Float>) -> SIMD8<Float> {
    let magic = SIMD8<Float>(repeating: 12_582_912)
    return (x + magic) - magic
}

@inline(__always)
private func clamped(_ x: SIMD8<Float>, _ low: Float, _ high: Float) -> SIMD8<Float> {
    let (low, high) = (SIMD8<Float>(repeating: low), SIMD8<Float>(repeating: high))
    let capped = x.replacing(with: high, where: x .> high)
    return capped.replacing(with: low, where: capped .< low)
}

/// A q within ±Q/3 can be tripled inside the codebook (odd stays odd).
private func peakThatTriples(_ largest: Float) -> Float { max(largest / 3 - 1, 0.5) }

/// ±1, ±3, …, ±Q: 2n + 1 with n from −(Q + 1)/2 to (Q − 1)/2.
struct NearestOdd: NearestEntry {
    let largest: Float

    var leastPeak: Float { peakThatTriples(largest) }

    @inline(__always)
    func entry(nearest x: SIMD8<Float>) -> SIMD8<Float> {
        let n = rounded(clamped(x * 0.5 - 0.5, -(largest + 1) / 2, (largest - 1) / 2))
        return n + n + 1
    }

    @inline(__always)
    func code(of entry: Float) -> UInt8 { UInt8((entry + largest) * 0.5) }
}

/// 0, ±1, …, ±Q.
struct NearestInteger: NearestEntry {
    let largest: Float

    var leastPeak: Float { peakThatTriples(largest) }

    @inline(__always)
    func entry(nearest x: SIMD8<Float>) -> SIMD8<Float> { rounded(clamped(x, -largest, largest)) }

    @inline(__always)
    func code(of entry: Float) -> UInt8 { UInt8(entry + largest) }
}

/// ±m for two, four or eight magnitudes m. The nearest one is the first, plus the step to the next for every midpoint below |x|;
/// integers and their midpoints are exact in Float.
///
/// Compared as integers, which order floats without a sign as their numbers do, and whose difference has the answer in its sign:
/// seven comparisons of vectors in a row are more than the optimizer takes for vector instructions.
struct NearestSubset: NearestEntry {
    private let first: Float
    /// Bits of what lies between a magnitude and the next one; of infinity where there is none.
    private let midpoints: SIMD8<Int32>
    /// Bits of the differences.
    private let steps: SIMD8<Int32>
    private let bits: Int
    /// Up to the first midpoint a vector rounds to signs of the first magnitude (or to nothing, if that is 0).
    let leastPeak: Float

    init(_ codebook: Codebook) {
        let magnitudes = codebook.magnitudes.prefix(8).map { Float($0) }
        first = magnitudes.first ?? 0
        bits = codebook.bits
        var (midpoints, steps) = (SIMD8<Float>(repeating: .infinity), SIMD8<Float>.zero)
        for (i, (low, high)) in zip(magnitudes, magnitudes.dropFirst()).enumerated() {
            midpoints[i] = (low + high) / 2
            steps[i] = high - low
        }
        leastPeak = midpoints[0]
        self.midpoints = bitPatterns(midpoints)
        self.steps = bitPatterns(steps)
    }

    @inline(__always)
    func entry(nearest x: SIMD8<Float>) -> SIMD8<Float> {
        let magnitude = bitPatterns(x) & SIMD8(repeating: .max)
        var q = SIMD8<Float>(repeating: first)
        @inline(__always)
        func climb(_ i: Int) {
            let isAbove = (SIMD8(repeating: midpoints[i]) &- magnitude) &>> SIMD8(repeating: 31)
            q += floats(isAbove & SIMD8(repeating: steps[i]))
        }
        // Written out: with an index that only the running program knows, the lanes go through memory.
        climb(0)
        if bits > 2 {
            climb(1)
            climb(2)
        }
        if bits > 3 {
            climb(3)
            climb(4)
            climb(5)
            climb(6)
        }
        return floats(bitPatterns(q) | (bitPatterns(x) & SIMD8(repeating: .min)))
    }

    /// Codes ascend with the entries: the magnitudes with a minus, then those with a plus.
    @inline(__always)
    func code(of entry: Float) -> UInt8 {
        let magnitude = SIMD8(repeating: Int32(truncatingIfNeeded: abs(entry).bitPattern))
        let rank = -((midpoints &- magnitude) &>> SIMD8(repeating: 31)).wrappedSum()
        let half = Int32(1) << Int32(bits - 1)
        return UInt8(truncatingIfNeeded: entry < 0 ? half - 1 - rank : half + rank)
    }
}

@inline(__always)
private func bitPatterns(_ x: SIMD8<Float>) -> SIMD8<Int32> { unsafeBitCast(x, to: SIMD8<Int32>.self) }

@inline(__always)
private func floats(_ x: SIMD8<Int32>) -> SIMD8<Float> { unsafeBitCast(x, to: SIMD8<Float>.self) }

extension Codebook {
    /// The code of the entry nearest to a number; NaN counts as 0.
    public func code(nearest x: Float) -> UInt8 {
        func code(_ rounding: some NearestEntry) -> UInt8 {
            rounding.code(of: rounding.entry(nearest: SIMD8(repeating: x.isNaN ? 0 : x))[0])
        }
        return switch family {
        case .odd: code(NearestOdd(largest: Float(largest)))
        case .uniform: code(NearestInteger(largest: Float(largest)))
        case .subset: code(NearestSubset(self))
        }
    }
}
