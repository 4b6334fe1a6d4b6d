import MultipointRuntime

/// A network at one batch size and thread count. Encoded as it is for JSON.
struct BenchResult: Encodable {
    var batch: Int
    var threads: Int
    var runs: Int
    var latency: Latency
    var imagesPerSecond: Double
    /// The layers' bare products, measured in turns with the network; nil in a network without layers.
    var floorMilliseconds: Double?
    /// The network's shortest run over the floor's.
    var floorRatio: Double?
    var load: Load?
    var arenaBytes: Int
    var profile: [Step]?
    /// If asked for, several sessions at once.
    var sessions: Sessions?

    /// Milliseconds.
    struct Latency: Encodable {
        var minimum: Double
        var median: Double
        var p99: Double
    }

    /// Sessions of the network on as many threads of the host's, each with the threads of its own that `threads` says.
    struct Sessions: Encodable {
        var count: Int
        /// Of which the shortest count.
        var turns: Int
        /// Of all sessions together.
        var imagesPerSecond: Double
        /// Of one session alone, run in turns with them.
        var imagesPerSecondOfOne: Double
        /// All sessions' throughput over that of one.
        var scaling: Double
    }

    /// From opening the file to the first answer, in a process of its own. Milliseconds.
    struct Load: Encodable {
        var total: Double
        var read: Double
        var decode: Double
        var compile: Double
        var firstRun: Double
        var peakBytes: Int

        init(_ answer: FirstAnswer) {
            (read, decode) = (answer.readSeconds * 1e3, answer.decodeSeconds * 1e3)
            (compile, firstRun) = (answer.compileSeconds * 1e3, answer.runSeconds * 1e3)
            total = answer.seconds * 1e3
            peakBytes = answer.peakBytes
        }
    }

    /// A step's shortest time, which parts of a run its minima are, and the floor of the layer that it computes.
    struct Step: Encodable {
        var name: String
        var operation: String
        var implementation: String
        var kind: String
        var microseconds: Double
        var share: Double
        /// 10⁹ multiplications and additions per second; nil where the step is no product.
        var gops: Double?
        var bytes: Int
        var floorMicroseconds: Double?
        var floorImplementation: String?
    }
}

/// What `bench` tells.
struct BenchReport: Encodable {
    var model: String
    var layers: String
    var machine: Machine
    var results: [BenchResult]

    struct Machine: Encodable {
        var processor: String
        var cores: Int
        var dnnl: String
        var instructionSet: String
    }
}
