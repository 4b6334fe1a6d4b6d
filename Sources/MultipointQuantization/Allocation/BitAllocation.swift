/// Shares out a number of bytes over channels: the sum of their damages is to be least. For a multiplier λ every channel would
/// minimise damage + λ · bytes; as λ falls from infinity, channels move along the lower convex hulls of their (bytes, damage)
/// points, steepest edges first. So the hulls' edges, sorted by slope, are the solutions for all λ at once, and the last λ within
/// the budget is found by adding them up. What is left then goes to the next edges that fit.
public struct BitAllocation: Sendable {
    /// One way to store a channel.
    public struct Choice: Hashable, Sendable {
        public var bits: Int
        public var bytes: Int
        /// Not negative.
        public var damage: Double

        public init(bits: Int, bytes: Int, damage: Double) {
            (self.bits, self.bytes, self.damage) = (bits, bytes, damage)
        }
    }

    /// Corners of every channel's hull, by ascending bytes.
    private let hulls: [[Choice]]
    private let edges: [Edge]

    private struct Edge {
        var channel: Int
        /// The hull's corner that it leads to.
        var corner: Int
        var bytes: Int
        /// Damage avoided per byte.
        var slope: Double
    }

    /// - Parameter channels: for every channel at least one choice.
    public init(_ channels: [[Choice]]) {
        hulls = channels.map(BitAllocation.hull)
        var edges: [Edge] = []
        for (channel, hull) in hulls.enumerated() {
            for corner in hull.indices.dropFirst() {
                let bytes = hull[corner].bytes - hull[corner - 1].bytes
                let slope = (hull[corner - 1].damage - hull[corner].damage) / Double(bytes)
                edges.append(Edge(channel: channel, corner: corner, bytes: bytes, slope: slope))
            }
        }
        // Ties by channel: the result does not depend on the sort.
        self.edges = edges.sorted { ($1.slope, $0.channel, $0.corner) < ($0.slope, $1.channel, $1.corner) }
    }

    /// The lower convex hull: damage falls, and ever more slowly.
    private static func hull(_ choices: [Choice]) -> [Choice] {
        var hull: [Choice] = []
        for choice in choices.sorted(by: { ($0.bytes, $0.damage) < ($1.bytes, $1.damage) }) {
            if let last = hull.last, choice.damage >= last.damage || choice.bytes == last.bytes { continue }
            while hull.count >= 2, slope(hull[hull.count - 2], choice) >= slope(hull[hull.count - 2], hull[hull.count - 1]) {
                hull.removeLast()
            }
            hull.append(choice)
        }
        return hull
    }

    private static func slope(_ a: Choice, _ b: Choice) -> Double { (a.damage - b.damage) / Double(b.bytes - a.bytes) }

    /// Bytes with the least for every channel.
    public var leastBytes: Int { hulls.reduce(0) { $0 + ($1.first?.bytes ?? 0) } }

    /// The bits of every channel. With less than `leastBytes` every channel has its least.
    public func bits(within budget: Int) -> [Int] {
        var corners = [Int](repeating: 0, count: hulls.count)
        var rest = budget - leastBytes
        for edge in edges where edge.bytes <= rest && corners[edge.channel] == edge.corner - 1 {
            corners[edge.channel] = edge.corner
            rest -= edge.bytes
        }
        return zip(hulls, corners).map { $0.isEmpty ? 0 : $0[$1].bits }
    }
}
