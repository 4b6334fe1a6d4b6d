import Glibc

/// The scale of one vector before it is rounded: the a that minimises Σ_k h_k (w_k − a q_k)², q the nearest integers of a ladder's
/// width.
/// A grid search over a like `StepSearch`, whose bounds hold as they are with weights h_k in every sum.
struct WeightedScale {
    /// w / max|w| and h, zeros beyond the vector's end.
    private let x: [SIMD8<Float>]
    private let h: [SIMD8<Float>]
    private let magnitude: Double
    private let mean: Double
    /// Σ h w² in the caller's units, and those of one unit of Σ h x².
    private let power: Double
    private let unit: Double

    private static var candidatesPerOctave: Double { 24 }
    private static var refinements: Int { 8 }

    /// - Parameter h: not negative; where all of it is 0, the vector counts evenly.
    init(_ w: some Collection<Float>, h weights: some Collection<Float>) {
        let largest = w.reduce(0) { max($0, abs($1)) }
        magnitude = Double(largest)
        let (inverse, total) = (largest > 0 ? 1 / Double(largest) : 0, weights.reduce(0) { $0 + Double($1) })
        let even = !(total > 0)
        var (x, h) = ([SIMD8<Float>](repeating: .zero, count: (w.count + 7) / 8), [SIMD8<Float>]())
        h = x
        var (sum, norm, square) = (0.0, 0.0, 0.0)
        for (i, (value, weight)) in zip(w, weights).enumerated() {
            x[i / 8][i % 8] = Float(Double(value) * inverse)
            // Normalised to a mean of 1, so that Float's range is no concern.
            h[i / 8][i % 8] = even ? 1 : Float(Double(weight) / total * Double(w.count))
            sum += Double(abs(x[i / 8][i % 8])) * Double(h[i / 8][i % 8])
            norm += Double(h[i / 8][i % 8])
            square += Double(x[i / 8][i % 8]) * Double(x[i / 8][i % 8]) * Double(h[i / 8][i % 8])
        }
        unit = Double(largest) * Double(largest) * (even || w.isEmpty ? 1 : total / Double(w.count))
        power = square * unit
        (self.x, self.h) = (x, h)
        mean = norm > 0 ? max(sum / norm, 1e-6) : 1
    }

    /// The scale for a ladder's integers of `bits` bits; nil for a vector whose scale is no normal float.
    func best(_ ladder: RefinementLadder, bits: Int) -> Float? {
        let scale = Float(bestCandidate(ladder, bits: bits).scale * magnitude)
        return scale.isNormal && scale > 0 ? scale : nil
    }

    /// Σ_k h_k (w_k − a q_k)² with that scale.
    func error(_ ladder: RefinementLadder, bits: Int) -> Double { max(0, power - bestCandidate(ladder, bits: bits).gain * unit) }

    private func bestCandidate(_ ladder: RefinementLadder, bits: Int) -> Candidate {
        let largest = Double(ladder.values(bits: bits).reduce(0) { max($0, abs($1)) })
        switch ladder.family {
        case .odd, .zero:
            return best(EvenGrid(ladder.family, half: SIMD8(repeating: Float(1 << (bits - 1)))), largest)
        case .subset:
            return best(TableGrid([[Float]](repeating: TableGrid.table(ladder.values(bits: bits)), count: 8)), largest)
        }
    }

    private typealias Candidate = (u: Double, gain: Double, scale: Double)

    private func best(_ grid: some EntryGrid, _ largest: Double) -> Candidate {
        let high = largest / mean
        let low = min(high, max(largest / 3 - 1, 0.5))
        let ratio = exp2(-1 / WeightedScale.candidatesPerOctave)
        var best = candidate(high, grid)
        func consider(_ u: Double) {
            let other = candidate(u, grid)
            if other.gain > best.gain { best = other }
        }
        var u = high * ratio
        while u > low {
            consider(u)
            u *= ratio
        }
        let (start, end) = (best.u * ratio, best.u / ratio)
        for i in 1..<WeightedScale.refinements { consider(start + (end - start) * Double(i) / Double(WeightedScale.refinements)) }
        return best
    }

    /// q = nearest(u x), a = Σ h x q / Σ h q², and by how much a q reduces Σ h x².
    private func candidate(_ u: Double, _ grid: some EntryGrid) -> Candidate {
        let factor = SIMD8<Float>(repeating: Float(u))
        var (dot, square) = (SIMD8<Float>.zero, SIMD8<Float>.zero)
        for i in x.indices {
            let q = grid.nearest(x[i] * factor)
            dot += h[i] * x[i] * q
            square += h[i] * q * q
        }
        let (product, norm) = (Double(dot.sum()), Double(square.sum()))
        // Of scales that turn the vector round none is wanted.
        return norm > 0 && product > 0 ? (u, product * product / norm, product / norm) : (u, 0, 0)
    }
}

/// What rounding every weight by itself to a ladder's integers of a width leaves of a layer, H's diagonal taken for all of it: a cheap
/// look at how well the integers suit the weights.
/// - Parameters:
///   - matrix: [channels, rowLength] in C order.
///   - secondMoment: of as many groups as divide the channels.
/// - Throws: `QuantizationError` for arrays that do not fit and numbers that are not finite.
public func diagonalError(
    matrix: [Float], channels: Int, rowLength: Int, secondMoment: SecondMoment, ladder: RefinementLadder, bits: Int, threads: Int
) throws(QuantizationError) -> Double {
    try validateMatrix(matrix, channels, rowLength, secondMoment)
    guard ladder.widths.contains(bits) else {
        throw QuantizationError("\(bits) bits: a width of the ladder's \(ladder.widths) is expected")
    }
    let perGroup = channels / secondMoment.groups
    let diagonals = (0..<secondMoment.groups).map { secondMoment.diagonal(group: $0) }
    var errors = [Double](repeating: 0, count: channels)
    errors.withUnsafeMutableBufferPointer { errors in
        // Every index has an error of its own.
        nonisolated(unsafe) let errors = errors
        forEachIndex(below: channels, threads: threads) { channel in
            let row = matrix[channel * rowLength..<(channel + 1) * rowLength]
            errors[channel] = WeightedScale(row, h: diagonals[channel / perGroup]).error(ladder, bits: bits)
        }
    }
    return errors.reduce(0, +)
}
