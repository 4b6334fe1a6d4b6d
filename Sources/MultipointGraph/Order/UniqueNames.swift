/// Names in use, to which new ones can be added without repetition.
public struct UniqueNames {
    private var taken: Set<String>
    /// The last number that was appended to a base.
    private var counters: [String: Int] = [:]

    public init(_ taken: some Sequence<String>) { self.taken = Set(taken) }

    /// `base`, or if that is taken, `base_2`, `base_3`, ...
    public mutating func next(_ base: String) -> String {
        if taken.insert(base).inserted { return base }
        while true {
            let number = counters[base, default: 1] + 1
            counters[base] = number
            let name = "\(base)_\(number)"
            if taken.insert(name).inserted { return name }
        }
    }
}
