// `stdout` is a variable to Swift.
@preconcurrency import Glibc

/// Standard output that takes everything, or an error.
enum StandardOutput {
    /// Opens the standard descriptors that the process was started without, so that no file that is opened later gets their numbers and
    /// what is printed with it. They can neither be read nor written.
    static func reserveDescriptors() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest free number is this one.
            _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    /// From here on, the process ends with status 1 and the reason if not all that was printed could be written.
    static func checkAtExit() {
        atexit {
            let isWritten = fflush(stdout) == 0
            let reason = errno
            if isWritten, ferror(stdout) == 0 { return }
            var text = [CChar](repeating: 0, count: 256)
            let isKnown = !isWritten && strerror_r(reason, &text, text.count) == 0
            fputs("Error: standard output: cannot be written", stderr)
            if isKnown {
                fputs(": ", stderr)
                fputs(text, stderr)
            }
            fputs("\n", stderr)
            _exit(EXIT_FAILURE)
        }
    }
}
