import ArgumentParser
import Glibc

/// How progress shows on standard error.
enum ProgressStyle: String, CaseIterable, ExpressibleByArgument {
    /// One changing line, if standard error is a terminal.
    case auto
    /// A line of its own for every change, such as "calibrating 25 %": for programs that read them.
    case lines
}

/// One line on standard error that tells what is done and how long the rest of the stage will take; nothing if that is not a
/// terminal.
final class ProgressLine {
    private let style: ProgressStyle
    private let isTerminal: Bool
    private var shown = ""
    private var estimate = TimeLeft()
    private var lastDrawn = ContinuousClock.now

    private static var leastInterval: Duration { .milliseconds(100) }

    init(_ style: ProgressStyle = .auto) {
        self.style = style
        isTerminal = style == .auto && isatty(STDERR_FILENO) == 1
    }

    func show(_ stage: String, _ fraction: Double) {
        guard isTerminal || style == .lines else { return }
        let now = ContinuousClock.now
        let isNew = estimate.stage != stage
        let left = estimate.left(stage, fraction, at: now)
        guard isNew || fraction >= 1 || now - lastDrawn >= Self.leastInterval else { return }
        let percentage = "\(Int((min(max(fraction, 0), 1) * 100).rounded(.down))) %"
        let rest = left.map { ", \(durationText($0)) left" } ?? ""
        let line = style == .lines ? "\(printable(stage)) \(percentage)" : fitting(printable(stage), percentage + rest)
        guard line != shown else { return }
        (shown, lastDrawn) = (line, now)
        write(style == .lines ? line + "\n" : "\r\u{1B}[K" + line)
    }

    func clear() {
        if isTerminal, !shown.isEmpty { write("\r\u{1B}[K") }
        shown = ""
    }

    /// A line that stays, whether or not this is a terminal.
    func note(_ text: String) {
        clear()
        write(printable(text) + "\n")
    }

    /// Clears whichever line is shown.
    static func wipe() { if isatty(STDERR_FILENO) == 1 { write("\r\u{1B}[K") } }

    /// An error that follows starts on a line of its own.
    deinit { clear() }

    private func write(_ text: String) { ProgressLine.write(text) }

    private static func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
    }

    /// A line that wraps could not be taken back: the stage loses its beginning where there is no room.
    private func fitting(_ stage: String, _ rest: String) -> String {
        var size = winsize()
        let columns = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
        let room = max(1, columns - 2 - rest.count)
        return (stage.count <= room ? stage : "…" + stage.suffix(room - 1)) + " " + rest
    }
}

/// A path in a stage may hold anything.
private func printable(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 }))
}

/// How long the rest of a stage takes if it goes on as it has until now.
struct TimeLeft {
    private(set) var stage: String?
    private var start = ContinuousClock.now
    private var startFraction = 0.0

    /// Nothing is foretold before this.
    private static var leastElapsed: Duration { .seconds(1) }

    /// - Returns: nil while too little is known.
    mutating func left(_ stage: String, _ fraction: Double, at now: ContinuousClock.Instant) -> Duration? {
        if stage != self.stage || fraction < startFraction { (self.stage, start, startFraction) = (stage, now, fraction) }
        let (done, elapsed) = (fraction - startFraction, now - start)
        guard elapsed >= TimeLeft.leastElapsed, done >= 0.005, fraction < 1 else { return nil }
        return elapsed * ((1 - fraction) / done)
    }
}

/// "8 s", "2 min 5 s", "1 h 3 min"; rounded up, at least a second.
func durationText(_ duration: Duration) -> String {
    let seconds = max(1, Int(min(max((duration / .seconds(1)).rounded(.up), 0), 1e9)))
    if seconds < 60 { return "\(seconds) s" }
    if seconds < 3600 { return "\(seconds / 60) min \(seconds % 60) s" }
    return "\(seconds / 3600) h \(seconds % 3600 / 60) min"
}
