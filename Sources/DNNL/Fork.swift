import CDNNL

/// Forks of the process by other threads.
public enum Fork {
    /// Runs what holds a lock; a thread that forks meanwhile waits, so that the child does not find the lock taken for ever. Not one
    /// inside another, and not around calls of the caller's or of oneDNN.
    @inline(__always)
    public static func excluded<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        onednn_forks_wait()
        defer { onednn_forks_may() }
        return try body()
    }

    /// How often this process's line has been forked since the library was loaded: another number than before means that threads which
    /// were there then may be gone.
    public static var generation: Int32 { onednn_forks() }
}
