import DNNL
import Headroom
import MultipointGraph

/// A network compiled for a largest batch and a thread count, with all memory that a run needs. One thread at a time.
public final class Session {
    public let prepared: PreparedNetwork
    public let maximumBatch: Int
    public let threads: Int
    public let limits: SessionLimits
    /// Names of the values that a run returns.
    public let outputNames: [String]

    /// One for each combination of batch size and layouts that was run lately; all share the arena and the prepared network's weights.
    /// The first is that of the largest batch, which stays; the others are in order of their last use.
    private var executions: [(interface: ProgramInterface, execution: Execution)] = []
    private static let mostExecutions = 17
    private var arena: AlignedBuffer
    private let largest: Program
    /// Whether runs are timed step by step. A session that is not profiled pays one comparison per run.
    public private(set) var isProfiling = false
    private var profiled: (batch: Int, execution: Execution, times: StepTimes)?

    /// Compiles the largest batch.
    /// - Parameters:
    ///   - threads: 0 means what OpenMP would use on this thread.
    ///   - outputs: any values of the network, instead of its outputs.
    public init(
        _ prepared: PreparedNetwork, maximumBatch: Int, threads: Int = 0, outputs: [String]? = nil, limits: SessionLimits = .none
    ) throws {
        try requireSupportedMachine()
        self.prepared = prepared
        self.maximumBatch = maximumBatch
        self.limits = limits
        self.threads = try resolvedThreads(threads)
        outputNames = outputs ?? prepared.network.outputs.map(\.name)
        guard (1...65_536).contains(maximumBatch) else {
            throw RuntimeError(.invalidArgument, "maximum batch: 1 to 65536 expected, found \(maximumBatch)")
        }
        try requireThreads(self.threads)
        let batch = prepared.network.hasFixedBatch ? 1 : maximumBatch
        guard batch == maximumBatch else {
            throw RuntimeError(
                .invalidArgument, "maximum batch \(maximumBatch): network `\(prepared.network.name)` has a fixed batch size")
        }
        let interface = ProgramInterface(
            batch: batch, inputs: prepared.network.inputs.map { _ in .dense }, outputs: outputNames.map { _ in .dense })
        let execution = try Session.compile(prepared, interface, outputNames, self.threads, limits)
        executions = [(interface, execution)]
        largest = execution.program
        arena = try AlignedBuffer(byteCount: execution.program.arenaByteCount)
    }

    /// For tools and tests: prepares the network and compiles it.
    public convenience init(network: Network, maximumBatch: Int, threads: Int = 0, outputs: [String]? = nil) throws {
        try self.init(PreparedNetwork(network), maximumBatch: maximumBatch, threads: threads, outputs: outputs)
    }

    private static func compile(
        _ prepared: PreparedNetwork, _ interface: ProgramInterface, _ outputs: [String], _ threads: Int,
        _ limits: SessionLimits
    ) throws -> Execution {
        let shapes = try prepared.shapes(batch: interface.batch)
        // Of the inputs, then of the outputs.
        let externals = prepared.externalByteCounts(shapes, outputs: outputs)
        try limits.check(shapes, batch: interface.batch, externals: externals)
        try requireMemory()
        return try Threads.with(threads) {
            let program = try NetworkCompiler.compile(prepared, interface, shapes, outputs: outputs, threads: threads)
            try limits.check(program, batch: interface.batch, externals: externals)
            return try placing("network `\(prepared.network.name)`") { try Execution(program) }
        }
    }

    /// Bytes of activations, conversions and scratchpads: all memory that belongs to the session alone, whatever the batch.
    public var arenaByteCount: Int { arena.byteCount }

    /// Bytes that the largest batch would take if no two of its tensors shared memory.
    public var unsharedByteCount: Int { largest.unsharedByteCount }

    /// Bytes of weights and biases that a run of the largest batch reads.
    public var weightByteCount: Int { largest.constantByteCount }

    /// What a run of the largest batch does, in order.
    public var steps: [(name: String, operation: String, implementation: String)] {
        largest.steps.map { ($0.name, $0.operation, $0.implementation) }
    }

    /// Runs a batch. Inputs and outputs are float tensors in the caller's memory, in the order of `network.inputs` and
    /// `outputNames`; the shapes are those that `network.shapes(batch:)` gives. Memory needs no alignment.
    ///
    /// A combination of batch size and layouts is compiled when first seen, and again if sixteen others were run since; a run that
    /// compiles nothing allocates nothing.
    public func run(
        batch: Int, inputs: UnsafeBufferPointer<ExternalTensor>, outputs: UnsafeBufferPointer<ExternalTensor>
    ) throws {
        try requireThreads(threads)
        let execution = try self.execution(batch: batch, inputs, outputs)
        if isProfiling { beginProfile(execution, batch: batch) }
        try withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer.self, capacity: inputs.count + outputs.count) { externals in
            for (index, tensor) in inputs.enumerated() { externals.initializeElement(at: index, to: tensor.data) }
            for (index, tensor) in outputs.enumerated() { externals.initializeElement(at: inputs.count + index, to: tensor.data) }
            try placing("network `\(prepared.network.name)`") {
                try execution.run(arena: arena.base, externals: UnsafeBufferPointer(externals))
            }
        }
    }

    private func execution(
        batch: Int, _ inputs: UnsafeBufferPointer<ExternalTensor>, _ outputs: UnsafeBufferPointer<ExternalTensor>
    ) throws -> Execution {
        if let known = executions.firstIndex(where: { $0.interface.describes(batch: batch, inputs, outputs) }) {
            if known > 1 { executions.insert(executions.remove(at: known), at: 1) }
            return executions[min(known, 1)].execution
        }
        guard (1...maximumBatch).contains(batch) else {
            throw RuntimeError(.invalidArgument, "batch: 1 to \(maximumBatch) expected, found \(batch)")
        }
        let interface = ProgramInterface(batch: batch, inputs: inputs.map(\.layout), outputs: outputs.map(\.layout))
        let execution = try Session.compile(prepared, interface, outputNames, threads, limits)
        if execution.program.arenaByteCount > arena.byteCount {
            arena = try AlignedBuffer(byteCount: execution.program.arenaByteCount)
        }
        if executions.count == Session.mostExecutions { executions.removeLast() }
        executions.insert((interface, execution), at: 1)
        return execution
    }
}

extension ProgramInterface {
    /// Compares without allocating anything.
    fileprivate func describes(
        batch: Int, _ inputs: UnsafeBufferPointer<ExternalTensor>, _ outputs: UnsafeBufferPointer<ExternalTensor>
    ) -> Bool {
        guard batch == self.batch, inputs.count == self.inputs.count, outputs.count == self.outputs.count else { return false }
        for index in inputs.indices where inputs[index].layout != self.inputs[index] { return false }
        for index in outputs.indices where outputs[index].layout != self.outputs[index] { return false }
        return true
    }
}

// MARK: profile

extension Session {
    /// Times every step of the runs that follow, and forgets earlier ones.
    public func startProfiling() {
        stopProfiling()
        profiled = nil
        isProfiling = true
    }

    /// Runs are timed no more; the profile stays readable.
    public func stopProfiling() {
        profiled?.execution.times = nil
        isProfiling = false
    }

    /// A program of other steps starts a new profile: times of different batch sizes do not add up.
    private func beginProfile(_ execution: Execution, batch: Int) {
        if let profiled, profiled.execution === execution { return }
        profiled?.execution.times = nil
        let times = StepTimes(stepCount: execution.program.steps.count)
        execution.times = times
        profiled = (batch, execution, times)
    }

    /// Nil before the first run since `startProfiling`.
    public var profile: SessionProfile? {
        guard let (batch, execution, times) = profiled, let shapes = try? prepared.shapes(batch: batch) else { return nil }
        let externals = prepared.externalByteCounts(shapes, outputs: outputNames)
        return SessionProfile(execution.program, times, batch: batch, externalByteCounts: externals)
    }
}

extension PreparedNetwork {
    /// Elements of all inputs of a batch, whatever the caller takes for one.
    public func inputCount(batch: Int) -> Int {
        network.inputs.reduce(0) { $0.addingSaturated(elementCount(of: $1.shape(batch: max(1, batch))) ?? .max) }
    }

    /// Of every value.
    func shapes(batch: Int) throws(RuntimeError) -> [String: [Int]] {
        do { return try network.shapes(batch: batch) } catch { throw RuntimeError(.invalidArgument, "batch \(batch): \(error)") }
    }

    /// Of the inputs, then the outputs.
    fileprivate func externalByteCounts(_ shapes: [String: [Int]], outputs: [String]) -> [Int] {
        (network.inputs.map(\.name) + outputs).map { name in
            (shapes[name].flatMap(elementCount(of:)) ?? 0) * ElementType.float32.byteCount
        }
    }
}

/// A float tensor of the caller's.
public struct ExternalTensor {
    public var data: UnsafeMutableRawPointer
    public var layout: Layout

    public init(data: UnsafeMutableRawPointer, layout: Layout = .dense) {
        self.data = data
        self.layout = layout
    }
}

extension Network {
    /// Whether no input leaves the batch size open.
    public var hasFixedBatch: Bool { !inputs.contains { $0.shape.contains(.batch) } }
}
