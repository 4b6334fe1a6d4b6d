import ArgumentParser
import MultipointGraph
import MultipointRuntime

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure a network's speed, loading and memory, and how near it comes to its bare convolutions.",
        discussion: """
            The floor is the time of every layer's convolution alone, as a oneDNN primitive of its shape with weights of its own, one \
            after the other, without bias, activation or anything between: for packed layers on 8-bit tensors (with groups on floats, \
            conversions counted, where that is faster), for float layers on floats. Network and floor run in turns, and the ratio is \
            the shortest run of one over that of the other. Loading and memory are measured in a process of their own.
            """)

    @Argument(help: "A packed file, or an ONNX network to run in float.") var model: String
    @Option(help: "Batch sizes, separated by commas.") var batch = CountList([1])
    @Option(help: "Numbers of threads, separated by commas.") var threads = CountList([1])
    @Option(
        help: """
            Measure also the throughput of this many sessions at once, each on a thread of its own (with --threads threads each), \
            beside that of one.
            """)
    var sessions = 1
    @Option(help: "Seconds of measuring for each combination.") var seconds = 4.0
    @Flag(help: "Show every step's time, and the floor of the layer that it computes.") var profile = false
    @Flag(help: "Measure processor time instead of the clock's: for one thread, on a machine that others keep busy.")
    var cpuTime = false
    @OptionGroup var inputShapes: InputShapeOptions
    @Flag(help: "Print JSON.") var json = false
    /// How this command starts itself.
    @Flag(help: .hidden) var firstAnswer = false

    func validate() throws {
        guard batch.numbers.allSatisfy((1...65_536).contains) else { throw ValidationError("--batch: 1 to 65536 expected") }
        guard threads.numbers.allSatisfy((1...1024).contains) else { throw ValidationError("--threads: 1 to 1024 expected") }
        guard (1...1024).contains(sessions) else { throw ValidationError("--sessions \(sessions): 1 to 1024 expected") }
        guard !cpuTime || threads.numbers == [1] else { throw ValidationError("--cpu-time: goes with --threads 1 only") }
        guard seconds > 0, seconds <= 3600 else { throw ValidationError("--seconds \(seconds): a positive number up to 3600 expected") }
    }

    func run() throws {
        if firstAnswer {
            return print(try jsonText(FirstAnswer(model: model, inputShapes, batch: batch.numbers[0], threads: threads.numbers[0])))
        }
        let network = try ModelFile.readNetwork(model, inputShapes)
        let prepared = PreparedNetwork(network)
        let progress = ProgressLine()
        var results: [BenchResult] = []
        for batch in batch.numbers {
            for threads in threads.numbers {
                progress.show("loading", 0)
                let load = try FirstAnswer.measured(model: model, inputShapes, batch: batch, threads: threads)
                let bench = Bench(
                    prepared: prepared, network: network, batch: batch, threads: threads, seconds: seconds, profiles: profile,
                    stopwatch: cpuTime ? .processorTime : .wallClock, sessions: sessions)
                var result = try bench.run { progress.show("batch \(batch), \(threads) threads:", $0) }
                result.load = .init(load)
                results.append(result)
            }
        }
        progress.clear()
        let report = BenchReport(model: model, layers: network.layersText, machine: .current, results: results)
        print(json ? try jsonText(report) : report.text)
    }
}

/// Whole numbers separated by commas, at least one.
struct CountList: ExpressibleByArgument, CustomStringConvertible {
    let numbers: [Int]

    init(_ numbers: [Int]) { self.numbers = numbers }

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        numbers = parts.compactMap { Int($0) }
        if numbers.isEmpty || numbers.count != parts.count { return nil }
    }

    var description: String { numbers.map(String.init).joined(separator: ",") }
    var defaultValueDescription: String { description }
}

extension Network {
    fileprivate var layersText: String {
        let packed = layers.values.count(where: \.isPacked)
        return packed == 0 ? "\(layers.count) layers in float" : "\(layers.count) layers, \(packed) of them packed"
    }
}
