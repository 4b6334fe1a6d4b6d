extension Network {
    /// Makes one clip of two that follow each other; a Relu is one, too.
    mutating func mergeClips() {
        let uses = ValueUses(self)
        for index in nodes.indices {
            guard let outer = nodes[index].operation.range, uses.counts[nodes[index].inputs[0]] == 1,
                quantization[nodes[index].inputs[0]] == nil, let producer = uses.producers[nodes[index].inputs[0]],
                let inner = nodes[producer].operation.range
            else { continue }
            let bounds = [inner.minimum, inner.maximum].map { min(max($0, outer.minimum), outer.maximum) }
            let isRelu = bounds == [0, .greatestFiniteMagnitude]
            nodes[index].operation = isRelu ? .relu : .clip(minimum: bounds[0], maximum: bounds[1])
            nodes[index].inputs = nodes[producer].inputs
        }
        removeUnused()
    }
}

extension Operation {
    fileprivate var range: (minimum: Float, maximum: Float)? {
        switch self {
        case .elementwise(.relu): (0, .greatestFiniteMagnitude)
        case .elementwise(.clip(let minimum, let maximum)): (minimum, maximum)
        default: nil
        }
    }
}
