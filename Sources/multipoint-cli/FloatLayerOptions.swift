import ArgumentParser

/// `--float-layer`: layers that are not packed.
struct FloatLayerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Leave this layer as it is: float weights, float arithmetic. May be repeated. Layers have the names of their nodes, which \
            `multipoint doctor --json` and `multipoint inspect` print; * stands for any characters.
            """, valueName: "name"))
    var floatLayer: [String] = []

    /// - Parameter names: of all layers.
    /// - Throws: `CommandError` for one that is nowhere.
    func layers(among names: [String]) throws -> Set<String> {
        var found: Set<String> = []
        for pattern in floatLayer {
            let matches = names.contains(pattern) ? [pattern] : names.filter { $0.matches(pattern) }
            guard !matches.isEmpty else {
                throw CommandError("--float-layer: no layer is called `\(pattern)`; there are \(Self.list(names))")
            }
            found.formUnion(matches)
        }
        return found
    }

    private static func list(_ names: [String]) -> String {
        let shown = names.prefix(8).map { "`\($0)`" }.joined(separator: ", ")
        return names.count > 8 ? "\(shown) and \(names.count - 8) more" : shown
    }
}

extension String {
    /// Whether the text is the pattern with something, or nothing, in place of each `*`.
    func matches(_ pattern: String) -> Bool {
        var parts = pattern.split(separator: "*", omittingEmptySubsequences: false)
        guard parts.count > 1, let last = parts.popLast() else { return self == pattern }
        let first = parts.removeFirst()
        guard count >= first.count + last.count, hasPrefix(first), hasSuffix(last) else { return false }
        var rest = self[...].dropFirst(first.count).dropLast(last.count)
        for part in parts where !part.isEmpty {
            guard let place = rest.firstRange(of: part) else { return false }
            rest = rest[place.upperBound...]
        }
        return true
    }
}
