import Glibc

/// A regular file, read into memory. Its bytes live as long as this object.
///
/// It is not mapped: if a mapped file is truncated while in use, the process dies of SIGBUS.
package final class FileContent {
    package let bytes: UnsafeRawBufferPointer

    /// - Parameters:
    ///   - check: sees the first nine bytes before the rest is read, and the file's size, to refuse other files early.
    ///   - progress: from 0 to 1.
    package init(
        path: String, limits: ReadingLimits = ReadingLimits(fileByteCount: .max),
        check: (UnsafeRawBufferPointer, Int) throws(PackedFileError) -> Void = { _, _ in },
        progress: PackedFile.Progress = { _ in true }
    ) throws(PackedFileError) {
        guard !path.utf8.contains(0) else { throw PackedFileError(.io, "a path with a zero byte") }
        // A named pipe would block without O_NONBLOCK.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .system("cannot be opened") }
        defer { close(descriptor) }
        let before = try FileContent.status(of: descriptor)
        let size = Int(before.st_size)
        try limits.checkFile(size)
        // Unlike Swift's allocator this one may fail.
        guard let rounded = FileContent.roundedUp(size), let memory = aligned_alloc(64, rounded) else {
            throw PackedFileError(.outOfMemory, "cannot be read: no memory for its \(size) bytes")
        }
        let buffer = UnsafeMutableRawBufferPointer(start: memory, count: size)
        bytes = UnsafeRawBufferPointer(buffer)
        // From here on, all properties being set, deinit frees the memory also if this throws.
        let prefix = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(9, size)])
        try FileContent.read(descriptor, into: prefix)
        try check(UnsafeRawBufferPointer(prefix), size)
        let step = 1 << 23
        for start in stride(from: prefix.count, to: size, by: step) {
            try advance(progress, start, of: size)
            try FileContent.read(
                descriptor, into: UnsafeMutableRawBufferPointer(rebasing: buffer[start..<min(size, start + step)]))
        }
        let after = try FileContent.status(of: descriptor)
        guard after.st_size == before.st_size, after.st_mtim.tv_sec == before.st_mtim.tv_sec,
            after.st_mtim.tv_nsec == before.st_mtim.tv_nsec
        else { throw PackedFileError(.io, "changed while it was read") }
    }

    deinit { free(UnsafeMutableRawPointer(mutating: bytes.baseAddress)) }

    /// To a positive multiple of 64, or nil on overflow.
    private static func roundedUp(_ size: Int) -> Int? {
        let (sum, overflow) = max(size, 1).addingReportingOverflow(63)
        return overflow ? nil : sum & ~63
    }

    private static func status(of descriptor: Int32) throws(PackedFileError) -> stat {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system("cannot be read") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw PackedFileError(.io, "cannot be read: not a regular file") }
        return status
    }

    private static func read(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer) throws(PackedFileError) {
        var rest = buffer[...]
        while !rest.isEmpty {
            let target = UnsafeMutableRawBufferPointer(rebasing: rest)
            let count = Glibc.read(descriptor, target.baseAddress, target.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .system("cannot be read") }
            guard count > 0 else { throw PackedFileError(.io, "became shorter while it was read") }
            rest = rest.dropFirst(count)
        }
    }
}

extension PackedFileError {
    /// The system's reason is in `errno`.
    static func system(_ problem: String) -> PackedFileError {
        let reason = errno
        return PackedFileError(.io, "\(problem): \(systemReason(reason))")
    }
}

/// `strerror` is not safe with threads.
func systemReason(_ code: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { text in
        guard let base = text.baseAddress, strerror_r(code, base, text.count) == 0 else { return "error \(code)" }
        return String(cString: base)
    }
}
