extension Network {
    /// Makes one reshape of several that follow each other.
    mutating func mergeReshapes() {
        let results = Set(nodes.lazy.filter(\.operation.isReshape).map(\.output))
        guard nodes.contains(where: { $0.operation.isReshape && results.contains($0.inputs[0]) }) else { return }
        let samples = sampleShapes()
        guard samples.count == 2 else { return }
        var reshapes: [String: String] = [:]
        for index in nodes.indices where nodes[index].operation.isReshape {
            var input = nodes[index].inputs[0]
            if let first = reshapes[input], quantization[input] == nil,
                let target = Network.target(from: samples.map { $0[first] ?? [] }, to: samples.map { $0[nodes[index].output] ?? [] })
            {
                nodes[index].operation = .reshape(target, allowZero: false)
                nodes[index].inputs = [first]
                input = first
            }
            reshapes[nodes[index].output] = input
        }
        removeUnused()
    }

    /// What Reshape has to be told to make the results of the sources, whatever the batch size; nil if it cannot be told.
    private static func target(from sources: [[Int]], to results: [[Int]]) -> [Int]? {
        var target = results[0]
        for axis in target.indices {
            let isCopy = zip(sources, results).allSatisfy { axis < $0.count && $0[axis] == $1[axis] }
            if isCopy && (axis == 0 || results[0][axis] != results[1][axis]) {
                target[axis] = 0
            } else if results[0][axis] != results[1][axis] {
                target[axis] = -1
            }
        }
        return target.count(where: { $0 == -1 }) <= 1 ? target : nil
    }
}

extension Operation {
    /// Whether the operation keeps all elements and their order.
    fileprivate var isReshape: Bool {
        switch self {
        case .reshape, .flatten, .squeeze, .unsqueeze: true
        default: false
        }
    }
}
