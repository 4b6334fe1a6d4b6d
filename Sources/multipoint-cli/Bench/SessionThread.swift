import Glibc

/// A thread that runs one session again and again, as soon as the gate is open.
final class SessionThread {
    private let network: BenchedNetwork
    private let runs: Int
    private let gate: Gate
    private var thread = pthread_t()
    /// Written by the thread, read once it has ended.
    private var failure: (any Error)?

    private init(_ network: BenchedNetwork, runs: Int, _ gate: Gate) {
        (self.network, self.runs, self.gate) = (network, runs, gate)
    }

    /// From when all threads may run to when the last has ended.
    static func seconds(_ networks: ArraySlice<BenchedNetwork>, runs: Int) throws -> Double {
        let gate = Gate()
        let threads = networks.map { SessionThread($0, runs: runs, gate) }
        var begun: [SessionThread] = []
        var status: Int32 = 0
        for thread in threads where status == 0 {
            status = thread.begin()
            if status == 0 { begun.append(thread) }
        }
        let time = multipoint_cli.seconds {
            gate.open()
            for thread in begun { pthread_join(thread.thread, nil) }
        }
        guard status == 0 else { throw CommandError("cannot start a thread for a session: \(String(cString: strerror(status)))") }
        for thread in begun { if let failure = thread.failure { throw failure } }
        return time
    }

    private func begin() -> Int32 {
        let context = Unmanaged.passRetained(self)
        let status = pthread_create(
            &thread, nil,
            { context in
                if let context { Unmanaged<SessionThread>.fromOpaque(context).takeRetainedValue().work() }
                return nil
            }, context.toOpaque())
        if status != 0 { context.release() }
        return status
    }

    private func work() {
        gate.pass()
        do { for _ in 0..<runs { try network.run() } } catch { failure = error }
    }
}

/// Closed to all threads but the one that made it, which opens it.
private final class Gate {
    private let lock = UnsafeMutablePointer<pthread_rwlock_t>.allocate(capacity: 1)

    init() {
        pthread_rwlock_init(lock, nil)
        pthread_rwlock_wrlock(lock)
    }

    deinit {
        pthread_rwlock_destroy(lock)
        lock.deallocate()
    }

    func open() { pthread_rwlock_unlock(lock) }

    func pass() {
        pthread_rwlock_rdlock(lock)
        pthread_rwlock_unlock(lock)
    }
}
