import DNNL
import Headroom

/// Why something cannot be compiled or run, in the caller's words.
public struct RuntimeError: Error, Equatable, CustomStringConvertible, Sendable {
    public enum Kind: Sendable {
        case invalidArgument
        case unsupported
        /// More than `SessionLimits` allow.
        case limitExceeded
        case outOfMemory
        /// The process was forked after a run with several threads.
        case forked
        case unsupportedMachine
        /// oneDNN refused something that it should accept.
        case dnnl
    }

    public var kind: Kind
    public var description: String

    public init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    /// A oneDNN failure with the place where it happened.
    init(_ error: DNNLError, in place: String) {
        let kind: Kind =
            switch error.reason {
            case .outOfMemory: .outOfMemory
            case .unimplemented: .unsupported
            case .other: .dnnl
            }
        self.init(kind, "\(place): \(error)")
    }
}

/// Runs `body`; oneDNN's errors get the place, others pass through.
func placing<R>(_ place: @autoclosure () -> String, _ body: () throws -> R) throws -> R {
    do {
        return try body()
    } catch let error as DNNLError {
        throw RuntimeError(error, in: place())
    } catch let error as OutOfMemory {
        throw RuntimeError(.outOfMemory, "\(place()): \(error)")
    }
}

/// Refuses machines that oneDNN's integer kernels cannot run on.
func requireSupportedMachine() throws(RuntimeError) {
    guard Machine.isSupported else {
        throw RuntimeError(.unsupportedMachine, "this CPU lacks SSE4.1, which the integer kernels need")
    }
}

/// Refuses to wait for worker threads that a fork has left behind, and to ask for more than there can be.
public func requireThreads(_ count: Int) throws(RuntimeError) {
    guard count > 1 else { return }
    if Threads.wereLostInFork {
        throw RuntimeError(
            .forked, "this process was forked after a run with several threads; only plans and sessions of 1 thread can run here")
    }
    guard !Threads.areTaken else {
        throw RuntimeError(
            .invalidArgument, "threads: in a parallel region of OpenMP's only plans and sessions of 1 thread can run, found \(count)")
    }
    guard Threads.canHave(count) else {
        throw RuntimeError(.outOfMemory, "threads: the system does not give this process \(count) threads at the moment")
    }
}

/// A requested thread count: 0 is what OpenMP would use on this thread, or 1 in a parallel region and in a forked child that has lost
/// its workers.
public func resolvedThreads(_ requested: Int) throws(RuntimeError) -> Int {
    if requested == 0, Threads.wereLostInFork || Threads.areTaken { return 1 }
    let count = requested == 0 ? min(max(1, Threads.current), max(1, Threads.limit)) : requested
    guard (1...1024).contains(count) else {
        let found = requested == 0 ? "0, for which OpenMP would use \(count) (OMP_NUM_THREADS)" : "\(requested)"
        throw RuntimeError(.invalidArgument, "threads: 0 to 1024 expected, found \(found)")
    }
    guard count <= max(1, Threads.limit) else {
        throw RuntimeError(.invalidArgument, "threads: OpenMP allows \(Threads.limit) (OMP_THREAD_LIMIT), found \(count)")
    }
    return count
}
