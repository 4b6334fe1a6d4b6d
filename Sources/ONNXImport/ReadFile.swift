import Glibc

/// Reads a regular file, or a part of it.
/// - Parameter count: nil for everything from `offset`.
/// - Throws: `ONNXImportError` of kind `.io` with the system's reason, or if the file is too short.
func readFile(_ path: String, offset: Int = 0, count: Int? = nil) throws(ONNXImportError) -> [UInt8] {
    // Without O_NONBLOCK, opening a pipe would wait for a writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw systemError(path, "cannot be opened") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw systemError(path, "cannot be examined") }
    guard status.st_mode & S_IFMT == S_IFREG else { throw ONNXImportError("`\(path)` is not a regular file", kind: .io) }
    let size = Int(status.st_size)
    guard offset <= size, count ?? 0 <= size - offset else {
        throw ONNXImportError("`\(path)` has \(size) bytes; \(count ?? 0) from \(offset) on expected", kind: .io)
    }
    let bytes = try readBytes(descriptor, path, offset: offset, count: count ?? size - offset)
    var after = stat()
    guard fstat(descriptor, &after) == 0 else { throw systemError(path, "cannot be examined") }
    guard after.st_size == status.st_size, after.st_mtim.tv_sec == status.st_mtim.tv_sec, after.st_mtim.tv_nsec == status.st_mtim.tv_nsec
    else { throw ONNXImportError("`\(path)` changed while it was read", kind: .io) }
    return bytes
}

private func readBytes(_ descriptor: CInt, _ path: String, offset: Int, count: Int) throws(ONNXImportError) -> [UInt8] {
    var failure: ONNXImportError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        while initialized < count, let base = buffer.baseAddress {
            let got = pread(descriptor, base + initialized, count - initialized, offset + initialized)
            if got > 0 { initialized += got; continue }
            if got < 0 && errno == EINTR { continue }
            failure =
                got < 0
                ? systemError(path, "cannot be read")
                : ONNXImportError("`\(path)` became shorter while it was read", kind: .io)
            return
        }
    }
    if let failure { throw failure }
    return bytes
}

private func systemError(_ path: String, _ what: String) -> ONNXImportError {
    ONNXImportError("`\(path)` \(what): \(String(cString: strerror(errno)))", kind: .io)
}
