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
        if wanted > 1 { noteParallelRun() }
        return try body()
    }

    /// Calls `body(context, thread, threads)` once in each of up to `count` OpenMP threads, oneDNN's own worker threads.
    @inline(__always)
    public static func parallel(
        _ count: Int, _ context: UnsafeMutableRawPointer, _ body: @convention(c) (UnsafeMutableRawPointer?) -> Void
    ) {
        if count <= 1 { body(context) } else { GOMP_parallel(body, context, UInt32(clamping: count), 0) }
    }

    /// The most threads that OpenMP gives to a region (OMP_THREAD_LIMIT).
    public static var limit: Int { Int(omp_get_thread_limit()) }

    /// Whether the calling thread can have `count` threads for a region, itself included. GNU OpenMP ends the process where it cannot
    /// create one, so they are created here first, when a thread wants more than it ever had. Others may take them in between.
    @inline(__always)
    public static func canHave(_ count: Int) -> Bool { count <= Int(multipoint_threads_had()) || canCreate(count) }

    private static func canCreate(_ count: Int) -> Bool {
        let missing = Int32(clamping: count - Int(multipoint_threads_had()))
        guard (try? requireHeadroom("start threads")) != nil, multipoint_threads_possible(missing) == missing else { return false }
        multipoint_threads_have(Int32(clamping: count))
        return true
    }

    /// Inside `parallel`: this thread's number and how many there are.
    @inline(__always)
    public static var place: (thread: Int, of: Int) { (Int(omp_get_thread_num()), Int(omp_get_num_threads())) }

    /// Inside `parallel`: this thread's part of `count` pieces of work.
    @inline(__always)
    public static func share(of count: Int) -> Range<Int> {
        let place = place
        return (count * place.thread / place.of)..<(count * (place.thread + 1) / place.of)
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
