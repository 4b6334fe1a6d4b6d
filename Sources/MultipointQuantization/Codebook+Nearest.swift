/// Rounding to a codebook, eight numbers at a time: the inner loop of every step search.
protocol NearestEntry {
    /// The entry nearest to each number; halfway, either neighbour.
    func entry(nearest x: SIMD8<Float>) -> SIMD8<Float>
    /// The code of an entry that `entry(nearest:)` returned.
    func code(of entry: Float) -> UInt8
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

/// ±1, ±3, …, ±Q: 2n + 1 with n from −(Q + 1)/2 to (Q − 1)/2.
struct NearestOdd: NearestEntry {
    let largest: Float

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

    @inline(__always)
    func entry(nearest x: SIMD8<Float>) -> SIMD8<Float> { rounded(clamped(x, -largest, largest)) }

    @inline(__always)
    func code(of entry: Float) -> UInt8 { UInt8(entry + largest) }
}

extension Codebook {
    /// The code of the entry nearest to a number; NaN counts as 0.
    public func code(nearest x: Float) -> UInt8 {
        func code(_ rounding: some NearestEntry) -> UInt8 {
            rounding.code(of: rounding.entry(nearest: SIMD8(repeating: x.isNaN ? 0 : x))[0])
        }
        return switch family {
        case .odd: code(NearestOdd(largest: Float(largest)))
        case .uniform: code(NearestInteger(largest: Float(largest)))
        }
    }
}
