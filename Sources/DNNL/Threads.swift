import CDNNL
import Glibc
import Synchronization

/// Threads of one call, without touching the process-wide OpenMP setting.
public enum Threads {
    /// What OpenMP would use on the calling thread.
    public static var current: Int { Int(omp_get_max_threads()) }

    /// Runs `body` with the calling thread's OpenMP thread count set to `count`, and puts the old count back. The setting belongs
    /// to the calling thread alone (OpenMP 5.0, section 2.5: nthreads-var has one copy per data environment).
    @inline(__always)
    public static func with<R, E: Error>(_ count: Int, _ body: () throws(E) -> R) throws(E) -> R {
        let before = omp_get_max_threads()
        let wanted = Int32(clamping: count)
        if before != wanted { omp_set_num_threads(wanted) }
        defer { if before != wanted { omp_set_num_threads(before) } }
        // oneDNN shares out work for as many threads as it asks for. With OMP_DYNAMIC there could be fewer.
        let mayBeFewer = wanted > 1 && omp_get_dynamic() != 0
        if mayBeFewer { omp_set_dynamic(0) }
        defer { if mayBeFewer { omp_set_dynamic(1) } }
        if wanted > 1 { noteParallelRun() }
        return try body()
    }

    /// Whether the caller is in a parallel region of its own, where a region in it would get one thread (OMP_MAX_ACTIVE_LEVELS) or oneDNN
    /// take it to have one.
    @inline(__always)
    public static var areTaken: Bool { omp_in_parallel() != 0 }

    /// The most threads that OpenMP gives to a region (OMP_THREAD_LIMIT).
    public static var limit: Int { Int(omp_get_thread_limit()) }

    /// Whether the calling thread can have `count` threads for a region, itself included. GNU OpenMP ends the process where it cannot
    /// create one, so they are created here first, when a thread wants more than it ever had. Others may take them in between.
    @inline(__always)
    public static func canHave(_ count: Int) -> Bool { count <= Int(onednn_threads_had()) || canCreate(count) }

    private static func canCreate(_ count: Int) -> Bool {
        let missing = Int32(clamping: count - Int(onednn_threads_had()))
        guard (try? requireHeadroom("start threads")) != nil, onednn_threads_possible(missing) == missing else { return false }
        onednn_threads_have(Int32(clamping: count))
        return true
    }

    // MARK: fork

    /// The process that last ran several threads, 0 if none has.
    private static let parallelProcess = Atomic<Int32>(0)

    @inline(__always)
    private static func noteParallelRun() {
        let process = getpid()
        if parallelProcess.load(ordering: .relaxed) != process { parallelProcess.store(process, ordering: .relaxed) }
    }

    /// Whether this process was forked from one that ran several threads: GNU OpenMP's workers are gone, and waiting for them
    /// would never end. One thread still works.
    public static var wereLostInFork: Bool {
        let process = parallelProcess.load(ordering: .relaxed)
        return process != 0 && process != getpid()
    }
}

/// Work in pieces that threads share.
open class SharedWork {
    public let pieces: Int

    public init(pieces: Int) { self.pieces = pieces }

    /// Works on a thread's share of the pieces.
    open func run(_ share: Range<Int>) {}

    /// Works on all pieces in up to `threads` OpenMP threads, oneDNN's own worker threads. One thread does not ask OpenMP where it is: the
    /// caller may be in a region of its own.
    @inline(__always)
    public final func runAll(threads: Int) {
        if threads <= 1 { return run(0..<pieces) }
        let runShare: @convention(c) (UnsafeMutableRawPointer?) -> Void = { context in
            guard let context else { return }
            Unmanaged<SharedWork>.fromOpaque(context)._withUnsafeGuaranteedRef { $0.runShare() }
        }
        GOMP_parallel(runShare, Unmanaged.passUnretained(self).toOpaque(), UInt32(clamping: threads), 0)
        withExtendedLifetime(self) {}
    }

    private func runShare() {
        let (thread, threads) = (Int(omp_get_thread_num()), Int(omp_get_num_threads()))
        run((pieces * thread / threads)..<(pieces * (thread + 1) / threads))
    }
}
