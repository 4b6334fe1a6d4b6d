import DNNL

/// A compiled sequence of steps over buffers. Immutable, shared; every run happens in an `Execution`.
final class Program: Sendable {
    let steps: [any Step]
    let buffers: [BufferKind]
    /// Offset of each arena buffer, by buffer index; 0 for the others.
    let offsets: [Int]
    let arenaByteCount: Int
    let threads: Int

    init(steps: [any Step], buffers: [BufferKind], offsets: [Int], arenaByteCount: Int, threads: Int) {
        self.steps = steps
        self.buffers = buffers
        self.offsets = offsets
        self.arenaByteCount = arenaByteCount
        self.threads = threads
    }
}

extension Program {
    /// Bytes of all buffers of the arena, side by side.
    var unsharedByteCount: Int {
        buffers.reduce(0) { if case .arena(let byteCount) = $1 { $0 + byteCount } else { $0 } }
    }
}

/// One step of a program. Immutable; `bound` makes the part that holds addresses.
protocol Step: Sendable {
    /// The node that the step comes from.
    var name: String { get }
    /// What it does, such as "Conv+Relu".
    var operation: String { get }
    /// oneDNN's implementation name, or a word for our own.
    var implementation: String { get }
    var buffers: [BufferID] { get }
    var kind: StepKind { get }
    /// Multiplications and additions of a layer's product; 0 for every other step.
    var operations: Int { get }
    /// What a multiplication and addition of the step's product counts as in `Program.work`.
    var productWork: Int { get }
    /// Elements that windows and taps read, each as often as it is read; 0 for a step that reads everything about once.
    var visits: Int { get }
    func bound() throws -> any BoundStep
}

/// A step with addresses, owned by one execution.
protocol BoundStep: AnyObject {
    /// Takes the addresses of all buffers, by buffer index. Allocates nothing.
    func move(to addresses: UnsafePointer<UnsafeMutableRawPointer?>) throws(DNNLError)
    func run(_ stream: Stream) throws(DNNLError)
}

/// Builds a program step by step.
final class ProgramBuilder {
    private(set) var steps: [any Step] = []
    private var buffers: [BufferKind] = []
    private var lives: [ClosedRange<Int>?] = []
    let threads: Int

    init(threads: Int) { self.threads = threads }

    func buffer(_ kind: BufferKind) -> BufferID {
        buffers.append(kind)
        lives.append(nil)
        return BufferID(index: buffers.count - 1)
    }

    func kind(_ buffer: BufferID) -> BufferKind { buffers[buffer.index] }

    func append(_ step: any Step) {
        let now = steps.count
        steps.append(step)
        for buffer in step.buffers {
            lives[buffer.index] = (lives[buffer.index]?.lowerBound ?? now)...now
        }
    }

    func finish() throws(RuntimeError) -> Program {
        var requests: [MemoryPlan.Request] = []
        var owners: [Int] = []
        for (index, kind) in buffers.enumerated() {
            guard case .arena(let byteCount) = kind, let life = lives[index] else { continue }
            requests.append(.init(byteCount: byteCount, life: life))
            owners.append(index)
        }
        let plan = try MemoryPlan(requests)
        var offsets = [Int](repeating: 0, count: buffers.count)
        for (request, owner) in owners.enumerated() { offsets[owner] = plan.offsets[request] }
        return Program(steps: steps, buffers: buffers, offsets: offsets, arenaByteCount: plan.byteCount, threads: threads)
    }
}
