import MultipointGraph
import MultipointRuntime

/// Runs a network and its floor in turns: times of machines move, and what is compared has to see the same minutes.
struct Bench {
    let prepared: PreparedNetwork
    let network: Network
    let batch: Int
    let threads: Int
    /// Of measuring, half of it in the network; as much again for a profile.
    let seconds: Double
    let profiles: Bool
    var stopwatch = Stopwatch.wallClock
    /// To run at once; 1 leaves this out. As much time again.
    var sessions = 1

    /// One turn; longer than what the other's weights cost in cache.
    private static let turnSeconds = 0.05
    private static let warmUpSeconds = 0.3

    func run(progress: (Double) -> Void) throws -> BenchResult {
        let benched = try BenchedNetwork(prepared, batch: batch, threads: threads)
        let floor = try Floor(network, batch: batch, threads: threads)
        let (once, floorOnce) = (try warmUp(benched.run), try warmUp(floor.run))
        var (times, floorTimes) = (Durations(), Durations())
        try takeTurns(progress) {
            try takeTurn(&times, once, benched.run)
            try takeTurn(&floorTimes, floorOnce, floor.run)
        }
        let hasFloor = !floor.products.isEmpty
        return BenchResult(
            batch: batch, threads: benched.session.threads, runs: times.values.count,
            latency: .init(minimum: times.minimum * 1e3, median: times.median * 1e3, p99: times.quantile(0.99) * 1e3),
            imagesPerSecond: Double(batch) / times.median, floorMilliseconds: hasFloor ? floorTimes.minimum * 1e3 : nil,
            floorRatio: hasFloor ? times.minimum / floorTimes.minimum : nil, arenaBytes: benched.session.arenaByteCount,
            profile: profiles ? try profile(benched, floor, once, progress) : nil,
            sessions: sessions > 1 ? try throughput(once, progress) : nil)
    }

    /// - Returns: the shortest time.
    private func warmUp(_ body: () throws -> Void) throws -> Double {
        var (shortest, total) = (Double.infinity, 0.0)
        while total < Bench.warmUpSeconds {
            let time = try stopwatch.seconds(body)
            (shortest, total) = (min(shortest, time), total + time)
        }
        return shortest
    }

    /// For as long as asked, and at least three times.
    private func takeTurns(_ progress: (Double) -> Void, _ turn: () throws -> Void) throws {
        let start = ContinuousClock.now
        var (turns, elapsed) = (0, 0.0)
        while turns < 3 || elapsed < seconds {
            try turn()
            turns += 1
            elapsed = (ContinuousClock.now - start) / .seconds(1)
            progress(min(Double(turns) / 3, elapsed / seconds))
        }
    }

    private func throughput(_ once: Double, _ progress: (Double) -> Void) throws -> BenchResult.Sessions {
        var throughput = try SessionThroughput(
            prepared, sessions: sessions, batch: batch, threads: threads, once: once, turnSeconds: 4 * Bench.turnSeconds)
        try takeTurns(progress) { try throughput.takeTurn() }
        return throughput.result
    }

    /// At least two runs, of which the first finds the other's data in the cache and does not count.
    private func takeTurn(_ times: inout Durations, _ once: Double, _ body: () throws -> Void) throws {
        try body()
        for _ in 0..<max(1, Int(Bench.turnSeconds / once)) { times.add(try stopwatch.seconds(body)) }
    }

    private func profile(
        _ benched: BenchedNetwork, _ floor: Floor, _ once: Double, _ progress: (Double) -> Void
    ) throws -> [BenchResult.Step] {
        var minima = [Double](repeating: .infinity, count: floor.products.count)
        let runs = max(2, Int(Bench.turnSeconds / once))
        benched.session.startProfiling()
        try takeTurns(progress) {
            for _ in 0..<runs { try benched.run() }
            for _ in 0..<runs { try floor.run(minima: &minima) }
        }
        benched.session.stopProfiling()
        let steps = benched.session.profile?.steps ?? []
        let total = steps.reduce(0) { $0 + $1.minimumSeconds }
        var floors: [String: (seconds: Double, implementation: String)] = [:]
        for (product, seconds) in zip(floor.products, minima) { floors[product.node] = (seconds, product.implementation) }
        return steps.map { step in
            // A layer of several products shows its floor at the first.
            let floor = step.kind == .layer ? floors.removeValue(forKey: step.name) : nil
            return BenchResult.Step(
                name: step.name, operation: step.operation, implementation: step.implementation, kind: "\(step.kind)",
                microseconds: step.minimumSeconds * 1e6, share: step.minimumSeconds / total,
                gops: step.operations > 0 ? Double(step.operations) / step.minimumSeconds / 1e9 : nil, bytes: step.bytes,
                floorMicroseconds: floor.map { $0.seconds * 1e6 }, floorImplementation: floor?.implementation)
        }
    }
}
