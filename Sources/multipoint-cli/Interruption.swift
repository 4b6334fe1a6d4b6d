import Glibc
import MultipointFormat

/// The signals that end the command.
private let endingSignals = [SIGINT, SIGTERM]

/// Where the signal handler writes the signal's number. Set before the handler is installed, never changed after.
private nonisolated(unsafe) var signalPipe: Int32 = -1

/// From here on SIGINT and SIGTERM remove the files that are being written, leave what was there, and end the process with
/// status 128 + signal (130, 143). A signal that the process was started to ignore (`nohup`, a script's background job) stays ignored.
///
/// The handler itself only writes a byte: a thread does what handlers may not. It does not run on the threads that compute: they
/// block the signals, because interrupting oneDNN's sgemm with a handler has been seen to corrupt the heap.
func endCleanlyOnSignals() {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    signalPipe = ends[1]
    var thread = pthread_t()
    let context = UnsafeMutableRawPointer(bitPattern: UInt(ends[0]) + 1)
    let status = pthread_create(
        &thread, nil,
        { context in
            endOnFirstByte(from: Int32(truncatingIfNeeded: UInt(bitPattern: context) - 1))
            return nil
        }, context)
    guard status == 0 else { return }
    pthread_detach(thread)
    for signal in endingSignals { installHandler(signal) }
    // Threads that are made later inherit this; the one above was made before.
    var blocked = sigset_t()
    sigemptyset(&blocked)
    for signal in endingSignals { sigaddset(&blocked, signal) }
    pthread_sigmask(SIG_BLOCK, &blocked, nil)
}

private func installHandler(_ signal: Int32) {
    var action = sigaction()
    guard sigaction(signal, nil, &action) == 0 else { return }
    let ignored = unsafeBitCast(action.__sigaction_handler.sa_handler, to: UInt.self) == unsafeBitCast(SIG_IGN, to: UInt.self)
    if ignored { return }
    action = sigaction()
    action.__sigaction_handler.sa_handler = { signal in
        let reason = errno
        var byte = UInt8(truncatingIfNeeded: signal)
        _ = write(signalPipe, &byte, 1)
        errno = reason
    }
    action.sa_flags = SA_RESTART
    sigaction(signal, &action, nil)
}

private func endOnFirstByte(from descriptor: Int32) {
    var signal: UInt8 = 0
    while true {
        let count = read(descriptor, &signal, 1)
        if count == 1 { break }
        guard count < 0, errno == EINTR else { return }
    }
    PartialFiles.removeForever {
        ProgressLine.wipe()
        _exit(128 + Int32(signal))
    }
}
