/// What is fuzzed: a function of bytes, which may refuse them and must not do anything worse.
public enum FuzzTarget: String, CaseIterable, Sendable {
    /// A packed file, through the C ABI: opened, described, run.
    case packed
    /// An ONNX model: read, translated, compiled, run.
    case onnx
    /// A `.npy` file.
    case npy
    /// `graph` and `layers` of a packed file whose tensors are sound; the two texts are separated by a zero byte.
    case graph
    /// Calls of the C ABI in any order, with any arguments.
    case abi

    /// - Parameter bounds: what a network may ask for.
    @discardableResult
    public func run(_ bytes: UnsafeRawBufferPointer, _ bounds: FuzzBounds) -> FuzzOutcome {
        switch self {
        case .packed: runPacked(bytes, bounds)
        case .onnx: runONNX(bytes, bounds)
        case .npy: runNPY(bytes)
        case .graph: runGraph(bytes, bounds)
        case .abi: runCalls(bytes)
        }
    }

    @discardableResult
    public func run(_ bytes: [UInt8], _ bounds: FuzzBounds) -> FuzzOutcome { bytes.withUnsafeBytes { run($0, bounds) } }
}

/// Limits of sessions; 0 is the library's default.
public struct FuzzBounds: Sendable {
    var runByteCount: UInt64
    var work: UInt64

    /// Milliseconds, so that there is time for many inputs.
    public static let quick = FuzzBounds(runByteCount: 1 << 26, work: 1 << 31)
    /// What SECURITY.md advises to servers.
    public static let server = FuzzBounds(runByteCount: 256 << 20, work: 1 << 36)
    public static let defaults = FuzzBounds(runByteCount: 0, work: 0)
}

/// How far an input got.
public enum FuzzOutcome: String, Sendable {
    case refused
    /// Taken, but no network that can be run, or one beyond a limit.
    case read
    case run
}

/// A promise that does not hold: ends the process, as a trap does.
func require(_ condition: Bool, _ promise: @autoclosure () -> String) {
    if !condition { fatalError("broken promise: \(promise())") }
}
