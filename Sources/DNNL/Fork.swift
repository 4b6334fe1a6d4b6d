import Glibc
import Synchronization

/// What a forked child must know of the threads that it has lost.
///
/// A thread that was compiling when another one forked held locks (oneDNN's cache of primitives, the Swift runtime's of types), which nobody
/// gives back in the child: whatever takes one of them there would wait for ever.
public enum Fork {
    /// Calls in progress that may hold such a lock.
    private static let inside = Atomic<Int>(0)
    /// Of the calls in progress when this process was forked, those of threads that it does not have.
    private static let lost = Atomic<Int>(0)
    private static let forks = Atomic<Int>(0)

    private static let isWatched: Bool =
        pthread_atfork(nil, nil) {
            Fork.lost.store(max(0, Fork.inside.load(ordering: .relaxed)), ordering: .relaxed)
            Fork.inside.store(0, ordering: .relaxed)
            Fork.forks.add(1, ordering: .relaxed)
        } == 0

    /// How often this process's line has been forked since the library was first used: another number than before means that threads
    /// which were there then are gone.
    public static var generation: Int { forks.load(ordering: .relaxed) }

    /// Whether locks may be held by threads that this process does not have.
    public static var mayHang: Bool { lost.load(ordering: .relaxed) > 0 }

    /// Runs what may hold a lock.
    @inline(__always)
    public static func noticing<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        _ = isWatched
        inside.add(1, ordering: .relaxed)
        defer { inside.subtract(1, ordering: .relaxed) }
        return try body()
    }
}
