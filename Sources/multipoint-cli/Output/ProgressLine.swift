import Glibc

/// One line on standard error that tells what is done; nothing if that is not a terminal.
final class ProgressLine {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var shown = ""

    func show(_ stage: String, _ fraction: Double) {
        guard isTerminal else { return }
        let line = "\(stage) \(Int((min(max(fraction, 0), 1) * 100).rounded(.down))) %"
        guard line != shown else { return }
        shown = line
        write("\r\u{1B}[K" + line)
    }

    func clear() {
        if isTerminal, !shown.isEmpty { write("\r\u{1B}[K") }
        shown = ""
    }

    /// An error that follows starts on a line of its own.
    deinit { clear() }

    private func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
    }
}
