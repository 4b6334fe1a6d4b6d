/// How weights are distributed: the part of them in each of equally wide bins from −limit to limit.
struct WeightHistogram: Equatable {
    static let binCount = 101

    let limit: Double
    private(set) var parts: [Double]
    let minimum: Double
    let maximum: Double
    let standardDeviation: Double

    /// - Parameters:
    ///   - weights: finite, not empty.
    ///   - limit: positive; weights beyond it count in the outermost bins.
    init(_ weights: [Float], limit: Double) {
        self.limit = limit
        var counts = [Int](repeating: 0, count: Self.binCount)
        var (sum, squares, low, high) = (0.0, 0.0, Double.infinity, -Double.infinity)
        for weight in weights {
            let x = Double(weight)
            let place = (x / limit + 1) / 2 * Double(Self.binCount)
            counts[Int(min(max(place, 0), Double(Self.binCount - 1)))] += 1
            (sum, squares, low, high) = (sum + x, squares + x * x, min(low, x), max(high, x))
        }
        let count = Double(max(1, weights.count))
        parts = counts.map { Double($0) / count }
        (minimum, maximum) = (low, high)
        standardDeviation = max(0, squares / count - (sum / count) * (sum / count)).squareRoot()
    }

    static func limit(_ weights: [Float]) -> Double { Double(weights.reduce(0) { max($0, abs($1)) }) }
}
