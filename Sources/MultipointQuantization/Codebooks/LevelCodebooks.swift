/// Which codebooks a level of points may have.
enum LevelCodebooks: Sendable {
    /// The same one in every level.
    case fixed(Codebook)
    /// Subsets: searched with one scale for the layer, as published, and with a scale for every channel, as the points will have. In
    /// a further level both searches look at what the levels before left, and the first level's codebook is possible too.
    case subset(SubsetQuantization)

    /// Those to try in the next level, of which the first wins a draw. There is at least one.
    /// - Parameters:
    ///   - base: the first level's; nil for the first level itself.
    ///   - residual: what the level is to represent, in rows of `rowLength`.
    func candidates(
        base: Codebook?, residual: @autoclosure () -> [Float], rowLength: Int
    ) throws(QuantizationError) -> [Codebook] {
        switch self {
        case .fixed(let codebook): return [codebook]
        case .subset(let search):
            let rows = residual()
            var result = base.map { [$0] } ?? []
            for found in [try search.codebook(for: rows), try search.codebook(for: rows, rowLength: rowLength)]
            where !result.contains(found) { result.append(found) }
            return result
        }
    }
}
