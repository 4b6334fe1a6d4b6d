import Glibc

/// What passes while something runs.
enum Stopwatch {
    case wallClock
    /// Of all of the process's threads. On a machine that others keep busy it tells more than the clock, but not for several threads:
    /// those that wait for others count.
    case processorTime

    var now: Double {
        var time = timespec()
        clock_gettime(self == .wallClock ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    func seconds(_ body: () throws -> Void) rethrows -> Double {
        let start = now
        try body()
        return now - start
    }
}

func seconds(_ body: () throws -> Void) rethrows -> Double { try Stopwatch.wallClock.seconds(body) }
