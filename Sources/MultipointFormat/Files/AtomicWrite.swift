import Glibc

/// Writes a file so that its path has the old content or the new one, never a part: a temporary file in the same folder, made
/// durable, then renamed. On failure nothing is left.
package func writeAtomically(_ bytes: [UInt8], to path: String) throws(PackedFileError) {
    try requireWritable(path)
    try placing("`\(path)`") { () throws(PackedFileError) in
        let (descriptor, temporary) = try temporaryFile(beside: path)
        do throws(PackedFileError) {
            defer { close(descriptor) }
            try write(bytes, to: descriptor)
            guard fsync(descriptor) == 0 else { throw .system("cannot be written") }
        } catch {
            PartialFiles.remove(temporary)
            throw error
        }
        guard PartialFiles.rename(temporary, to: path) else { throw .system("cannot be written") }
        synchronizeFolder(of: path)
    }
}

/// Says early that a path cannot be written, as far as that can be known before.
package func requireWritable(_ path: String) throws(PackedFileError) {
    try placing("`\(path)`") { () throws(PackedFileError) in
        guard !path.utf8.contains(0), !path.isEmpty else { throw PackedFileError(.io, "cannot be written: not a path") }
        var status = stat()
        // A rename would replace a device by a file.
        if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
            throw PackedFileError(.io, "cannot be written: not a regular file")
        }
        // The slash: a file is no folder, whatever its permissions.
        guard access(folder(of: path) + "/", W_OK | X_OK) == 0 else { throw .system("cannot be written") }
    }
}

private func folder(of path: String) -> String {
    path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
}

/// With the permissions that a new file of the user gets (`mkstemp` would make it private).
private func temporaryFile(beside path: String) throws(PackedFileError) -> (Int32, String) {
    for _ in 0..<100 {
        let candidate = "\(path).\(String(UInt64.random(in: 0...UInt64.max), radix: 36)).part"
        let descriptor = PartialFiles.create(candidate)
        if descriptor >= 0 { return (descriptor, candidate) }
        guard errno == EEXIST else { break }
    }
    throw .system("cannot be written")
}

private func write(_ bytes: [UInt8], to descriptor: Int32) throws(PackedFileError) {
    var written = 0
    while written < bytes.count {
        let count = bytes[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { throw .system("cannot be written") }
        written += count
    }
}

/// Makes the new name durable. A file system that cannot is no failure: the content is written.
private func synchronizeFolder(of path: String) {
    let descriptor = open(folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
}
