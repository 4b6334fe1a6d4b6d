/// The universal set of subset quantization (Oh, Sim, Kim, Lee: "Non-uniform Step Size Quantization for Accurate Post-training
/// Quantization", ECCV 2022): sums of two powers of two, so that a product is two shifts and an addition.
enum UniversalSet {
    /// (p + r) / 2 for p in {1, 1/2, 1/8, 0} and r in {1, 1/4, 1/16, 0}, in units of 1/32, ascending. 1/2 comes about twice.
    static let magnitudes: [Int] = {
        let (p, r) = ([16, 8, 2, 0], [16, 4, 1, 0])
        return Set(p.flatMap { p in r.map { p + $0 } }).sorted()
    }()

    /// Every subset of a size, each ascending, in lexical order.
    static func subsets(size: Int) -> [[Int]] {
        func extended(_ chosen: [Int], from start: Int) -> [[Int]] {
            if chosen.count == size { return [chosen] }
            return magnitudes.indices.dropFirst(start).flatMap { extended(chosen + [magnitudes[$0]], from: $0 + 1) }
        }
        return extended([], from: 0)
    }
}
