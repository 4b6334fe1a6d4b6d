import Glibc
import MultipointFormat

/// Says early that a path cannot be written, or that what is there is one of the files that are read: it would be lost.
func requireWritable(_ path: String, apartFrom inputs: [String]) throws {
    try requireWritable(path)
    var status = stat()
    guard stat(path, &status) == 0 else { return }
    for input in inputs {
        var other = stat()
        guard stat(input, &other) == 0, other.st_dev == status.st_dev, other.st_ino == status.st_ino else { continue }
        throw CommandError("`\(path)`: cannot be written: it is the input `\(input)`")
    }
}

/// The same for several outputs, each of which has a path of its own.
func requireWritable(_ paths: [String], apartFrom inputs: [String]) throws {
    for (index, path) in paths.enumerated() {
        try requireWritable(path, apartFrom: inputs)
        if paths[..<index].contains(path) { throw CommandError("`\(path)`: two outputs have this path") }
    }
}
