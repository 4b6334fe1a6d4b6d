import Glibc

/// Where a model's external data is.
struct ModelFolder {
    /// In front of locations: empty or ending in a slash.
    private let prefix: String
    /// Without links, ending in a slash: the folder, and the one of the model's own file if its path is a link, as in caches that keep
    /// every file under a name of their own.
    private let roots: [String]

    init(_ folder: String) { self.init(prefix: folder, roots: [folder]) }

    init(ofModel path: String) {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        let target = resolved(path).flatMap { target in target.lastIndex(of: "/").map { String(target[...$0]) } }
        self.init(prefix: folder, roots: [folder] + (target.map { [$0] } ?? []))
    }

    private init(prefix: String, roots: [String]) {
        self.prefix = prefix
        self.roots = roots.compactMap { resolved($0.isEmpty ? "." : $0) }.map { $0.hasSuffix("/") ? $0 : $0 + "/" }
    }

    /// The path of a file that the model names. A model must not reach other files of whoever reads it.
    func path(of location: String) throws(ONNXImportError) -> String {
        let path = prefix + location
        // What does not exist, and that the folder itself is no file, is found out when it is opened.
        guard isBelow(location), resolved(path).map({ file in roots.contains { "\(file)/".hasPrefix($0) } }) ?? true else {
            throw ONNXImportError("external data `\(location)` is outside the model's folder")
        }
        return path
    }

    /// A relative path that never goes up.
    private func isBelow(_ location: String) -> Bool {
        !location.isEmpty && !location.hasPrefix("/") && !location.contains("\0")
            && !location.split(separator: "/").contains("..")
    }
}

/// An absolute path without links; nil if there is no such file.
private func resolved(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
}
