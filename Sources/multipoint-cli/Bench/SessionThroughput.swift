import MultipointRuntime

/// Throughput of several sessions of one network, each on a thread of its own, and of one session alone. The two run in turns.
struct SessionThroughput {
    private let networks: [BenchedNetwork]
    /// Of every session in a turn; as many of the one alone.
    private let runs: Int
    private var (one, all) = (Durations(), Durations())

    /// - Parameter once: seconds that a run takes.
    init(_ prepared: PreparedNetwork, sessions: Int, batch: Int, threads: Int, once: Double, turnSeconds: Double) throws {
        networks = try (0..<sessions).map { _ in try BenchedNetwork(prepared, batch: batch, threads: threads) }
        runs = max(2, Int(turnSeconds / once))
    }

    mutating func takeTurn() throws {
        one.add(try SessionThread.seconds(networks.prefix(1), runs: runs))
        all.add(try SessionThread.seconds(networks[...], runs: runs))
    }

    /// Of the shortest turns.
    var result: BenchResult.Sessions {
        let (count, images) = (Double(networks.count), Double(runs * (networks.first?.batch ?? 0)))
        return .init(
            count: networks.count, turns: all.values.count, imagesPerSecond: count * images / all.minimum,
            imagesPerSecondOfOne: images / one.minimum, scaling: count * one.minimum / all.minimum)
    }
}
