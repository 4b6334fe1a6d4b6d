import Dispatch

/// Calls `body` for every index below `count`, from several threads at once if `threads` is above 1. What `body` does for an index
/// must not depend on the others.
func forEachIndex(below count: Int, threads: Int, _ body: @Sendable (Int) -> Void) {
    let workers = min(threads, count)
    // Without Dispatch for a single thread: its workers do not survive a fork of the host process.
    guard workers > 1 else {
        for index in 0..<count { body(index) }
        return
    }
    DispatchQueue.concurrentPerform(iterations: workers) { worker in
        for index in stride(from: worker, to: count, by: workers) { body(index) }
    }
}
