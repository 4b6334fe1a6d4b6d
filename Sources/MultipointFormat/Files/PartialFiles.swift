import Glibc
import Synchronization

/// The temporary files of this process that are being written. A program that ends early, for a signal say, can have them removed.
package enum PartialFiles {
    private static let paths = Mutex<[String]>([])

    /// Removes all of them, then calls `body`. No file of `writeAtomically` is created or gets its name from here on: its
    /// callers wait, so `body` has to end the process.
    package static func removeForever(_ body: () -> Never) -> Never {
        paths.withLock { paths in
            for path in paths { unlink(path) }
            body()
        }
    }

    /// Creates a file that must not exist.
    /// - Returns: its descriptor, −1 with the reason in `errno`.
    static func create(_ path: String) -> Int32 {
        paths.withLock { paths in
            let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
            if descriptor >= 0 { paths.append(path) }
            return descriptor
        }
    }

    /// Gives a complete file its name.
    /// - Returns: whether that worked, with the reason in `errno`; if not, the file is removed.
    static func rename(_ path: String, to name: String) -> Bool {
        paths.withLock { paths in
            let failed = Glibc.rename(path, name) != 0
            let reason = errno
            if failed { unlink(path) }
            paths.removeAll { $0 == path }
            errno = reason
            return !failed
        }
    }

    static func remove(_ path: String) {
        paths.withLock { paths in
            unlink(path)
            paths.removeAll { $0 == path }
        }
    }
}
