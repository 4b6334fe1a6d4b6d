import Glibc

/// Times of a program's steps, added up over runs. One thread at a time.
final class StepTimes {
    private(set) var runs = 0
    private var current: [UInt64]
    /// Nanoseconds of all runs, and of the step's shortest.
    private(set) var totals: [UInt64]
    private(set) var minima: [UInt64]

    init(stepCount: Int) {
        current = [UInt64](repeating: 0, count: stepCount)
        totals = current
        minima = [UInt64](repeating: .max, count: stepCount)
    }

    /// Nanoseconds of a clock that only moves forward.
    static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(truncatingIfNeeded: time.tv_sec) &* 1_000_000_000 &+ UInt64(truncatingIfNeeded: time.tv_nsec)
    }

    func add(_ nanoseconds: UInt64, step: Int) { current[step] = nanoseconds }

    /// Counts a run once all of its steps are done: one that fails leaves no trace.
    func endRun() {
        runs += 1
        for step in current.indices {
            totals[step] &+= current[step]
            minima[step] = min(minima[step], current[step])
        }
    }
}
