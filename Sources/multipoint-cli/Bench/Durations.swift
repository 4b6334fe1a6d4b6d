/// Times of runs, in seconds.
struct Durations {
    private(set) var values: [Double] = []

    mutating func add(_ seconds: Double) { values.append(seconds) }

    var minimum: Double { values.min() ?? 0 }
    var median: Double { quantile(0.5) }

    /// The smallest value that at least this part of all values does not exceed.
    func quantile(_ part: Double) -> Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return 0 }
        let rank = Int((part * Double(sorted.count)).rounded(.up)) - 1
        return sorted[min(max(rank, 0), sorted.count - 1)]
    }
}
