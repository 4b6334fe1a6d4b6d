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

    public func run(_ bytes: UnsafeRawBufferPointer) {
        switch self {
        case .packed: _ = runPacked(bytes)
        case .onnx: _ = runONNX(bytes)
        case .npy: runNPY(bytes)
        case .graph: runGraph(bytes)
        case .abi: runCalls(bytes)
        }
    }

    public func run(_ bytes: [UInt8]) { bytes.withUnsafeBytes { run($0) } }
}

/// How far an input got.
public enum FuzzOutcome: String, Sendable {
    case refused
    /// Taken, but no network that can be run, or one too large to run here.
    case read
    case run
}

/// A promise that does not hold: ends the process, as a trap does.
func require(_ condition: Bool, _ promise: @autoclosure () -> String) {
    if !condition { fatalError("broken promise: \(promise())") }
}
