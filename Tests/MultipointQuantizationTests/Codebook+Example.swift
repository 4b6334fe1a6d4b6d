import MultipointQuantization

extension Codebook {
    /// A codebook of a family: for subsets, whose values the width does not say, one of them.
    static func example(_ family: Family, bits: Int) throws -> Codebook {
        guard family == .subset else { return try Codebook(family, bits: bits) }
        return try Codebook(subset: [2: [1, 4], 3: [0, 3, 9, 16], 4: [1, 3, 6, 9, 12, 17, 24, 32]][bits] ?? [])
    }
}
