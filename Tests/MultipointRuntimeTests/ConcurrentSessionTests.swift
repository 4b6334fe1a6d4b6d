import Foundation
import MultipointGraph
import MultipointRuntime
import XCTest

/// Sessions of one network on threads of the operating system, all in a run at once, against one session alone.
final class ConcurrentSessionTests: XCTestCase {
    func testSessionsOnTheirOwnThreadsGiveTheSameBits() throws {
        let (threads, rounds, images) = (4, 40, 16)
        for name in ["ladder", "greedy"] {
            let prepared = PreparedNetwork(try Digits.load(name))
            let all = try Digits.images(images)
            let inputs = (0..<images).map { Array(all[($0 * 64)..<(($0 + 1) * 64)]) }
            let alone = try Session(prepared, maximumBatch: 1, threads: 1)
            let expected = try inputs.map { try alone.run([$0], batch: 1)[0].map(\.bitPattern) }
            XCTAssertEqual(Set(expected).count, images, "\(name): images that give the same result cannot be told apart")
            let start = Start(of: threads)
            let crew = (0..<threads).map { number in
                Worker(start) {
                    let session = try Session(prepared, maximumBatch: 1, threads: 1)
                    return {
                        for round in 0..<rounds {
                            // Another image on every thread: what one wrote into another's memory would show.
                            let image = (round + number * images / threads) % images
                            let found = try session.run([inputs[image]], batch: 1)[0].map(\.bitPattern)
                            guard found == expected[image] else { throw Different(name: name, thread: number, round: round) }
                        }
                    }
                }
            }
            for worker in crew { try worker.begin() }
            for worker in crew { try worker.join() }
        }
    }

    private struct Different: Error {
        var name: String
        var thread: Int
        var round: Int
    }
}

/// Where threads wait until the last is there.
private final class Start: @unchecked Sendable {
    private let barrier = UnsafeMutablePointer<pthread_barrier_t>.allocate(capacity: 1)

    init(of count: Int) { pthread_barrier_init(barrier, nil, UInt32(count)) }

    deinit {
        pthread_barrier_destroy(barrier)
        barrier.deallocate()
    }

    func wait() { pthread_barrier_wait(barrier) }
}

/// A thread that prepares its work, waits for the others to have done so, and does it.
private final class Worker: @unchecked Sendable {
    private let start: Start
    private let prepare: () throws -> () throws -> Void
    private var thread = pthread_t()
    /// Written by the thread, read after it has ended.
    private var failure: (any Error)?

    init(_ start: Start, prepare: @escaping () throws -> () throws -> Void) { (self.start, self.prepare) = (start, prepare) }

    func begin() throws {
        let status = pthread_create(
            &thread, nil,
            { context in
                context.map { Unmanaged<Worker>.fromOpaque($0).takeRetainedValue().work() }
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        guard status == 0 else { throw POSIXError(POSIXErrorCode(rawValue: status) ?? .EAGAIN) }
    }

    private func work() {
        let prepared = Result { try prepare() }
        // Whatever came of it: the others wait.
        start.wait()
        do { try prepared.get()() } catch { failure = error }
    }

    func join() throws {
        pthread_join(thread, nil)
        if let failure { throw failure }
    }
}
