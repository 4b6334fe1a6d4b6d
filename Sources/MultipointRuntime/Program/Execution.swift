import DNNL

/// One program with addresses: everything a run needs, made once. One thread at a time.
final class Execution {
    let program: Program
    private let steps: [any BoundStep]
    /// Indices of the steps that touch the caller's memory.
    private let externalSteps: [Int]
    private let addresses: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    private let stream: Stream
    private var arena: UnsafeMutableRawPointer?
    /// Where runs add their steps' times; nil for none.
    var times: StepTimes?

    init(_ program: Program) throws {
        self.program = program
        stream = try Stream()
        steps = try program.steps.map { try $0.bound() }
        externalSteps = program.steps.indices.filter { index in
            program.steps[index].buffers.contains {
                if case .external = program.buffers[$0.index] { true } else { false }
            }
        }
        addresses = .allocate(capacity: max(1, program.buffers.count))
        addresses.initialize(repeating: nil, count: max(1, program.buffers.count))
        for (index, kind) in program.buffers.enumerated() {
            if case .constant(let buffer) = kind { addresses[index] = buffer.base }
        }
    }

    deinit { addresses.deallocate() }

    /// Runs the steps. `externals` are the caller's memories by external number. Allocates nothing of its own.
    func run(arena newArena: UnsafeMutableRawPointer, externals: UnsafeBufferPointer<UnsafeMutableRawPointer>) throws(DNNLError) {
        try place(arena: newArena, externals: externals)
        try Threads.with(program.threads) { () throws(DNNLError) in
            if let times { return try runTimed(times) }
            for step in steps { try step.run(stream) }
        }
    }

    private func runTimed(_ times: StepTimes) throws(DNNLError) {
        var last = StepTimes.now
        for (index, step) in steps.enumerated() {
            try step.run(stream)
            let now = StepTimes.now
            times.add(now &- last, step: index)
            last = now
        }
        times.endRun()
    }

    private func place(
        arena newArena: UnsafeMutableRawPointer, externals: UnsafeBufferPointer<UnsafeMutableRawPointer>
    ) throws(DNNLError) {
        let arenaMoved = arena != newArena
        // Until all steps have moved, none can be relied on.
        if arenaMoved { arena = nil }
        for (index, kind) in program.buffers.enumerated() {
            switch kind {
            case .arena: if arenaMoved { addresses[index] = newArena + program.offsets[index] }
            case .external(let number): if number < externals.count { addresses[index] = externals[number] }
            case .constant: break
            }
        }
        if arenaMoved {
            for step in steps { try step.move(to: addresses) }
            arena = newArena
        } else {
            for index in externalSteps { try steps[index].move(to: addresses) }
        }
    }
}
