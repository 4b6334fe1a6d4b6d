extension RefinementLadder {
    /// Multipoint over a subset codebook, as a ladder: the base is the codebook that subset quantization finds for the weights, each
    /// channel with a scale of its own; every refinement m · v ± u is the one that leaves the least of the weights' squares when a
    /// channel has it, found like the subset itself by the best scale on a histogram. Rows stay within ±64.
    /// - Parameters:
    ///   - bits: of the base, 2 to 4.
    ///   - rowLength: of a channel.
    /// - Throws: `QuantizationError` for a width without subsets, or with the place of a number that is not finite.
    public static func subset(
        for weights: [Float], rowLength: Int, bits: Int, threads: Int = 1
    ) throws(QuantizationError) -> RefinementLadder {
        let codebook = try SubsetQuantization(bits: bits, threads: threads).codebook(for: weights, rowLength: rowLength)
        var ladder = RefinementLadder(family: .subset, base: codebook.values.map { Int($0) }, refinements: [])
        guard let histogram = MagnitudeHistogram(weights, rowLength: rowLength) else { return ladder }
        while ladder.widths.upperBound < 6, let next = ladder.bestRefinement(on: histogram) {
            ladder = RefinementLadder(family: .subset, base: ladder.base, refinements: ladder.refinements + [next])
        }
        return ladder
    }

    private static var largestEntry: Int { 64 }

    /// Nil where none fits. Only the first may widen the steps between the base's integers, which share no divisor.
    private func bestRefinement(on histogram: MagnitudeHistogram) -> Refinement? {
        let values = values(bits: widths.upperBound)
        let largest = values.reduce(1) { max($0, abs($1)) }
        var best: (refinement: Refinement, error: Double)?
        for ratio in 1...(refinements.isEmpty ? max(1, Self.largestEntry / largest) : 1) {
            for u in 1..<max(2, Self.largestEntry - ratio * largest + 1) where ratio * largest + u <= Self.largestEntry {
                let magnitudes = Set(values.flatMap { [abs(ratio * $0 - u), abs(ratio * $0 + u)] }).sorted()
                let error = ScaleAlternation(magnitudes: magnitudes).best(on: histogram).error
                if error < best?.error ?? .infinity { best = (Refinement(ratio: ratio, low: -u, high: u), error) }
            }
        }
        return best?.refinement
    }
}
