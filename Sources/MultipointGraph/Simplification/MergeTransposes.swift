extension Network {
    /// Composes transposes that follow each other, and turns those that only move dimensions of size 1 into reshapes, which
    /// cost nothing.
    mutating func mergeTransposes() {
        guard nodes.contains(where: { if case .transpose = $0.operation { true } else { false } }) else { return }
        let shapes = sampleShapes()
        var transposes: [String: (permutation: [Int], input: String)] = [:]
        for index in nodes.indices {
            guard case .transpose(var permutation) = nodes[index].operation else { continue }
            if let first = transposes[nodes[index].inputs[0]], quantization[nodes[index].inputs[0]] == nil {
                permutation = permutation.map { first.permutation[$0] }
                nodes[index].operation = .transpose(permutation: permutation)
                nodes[index].inputs = [first.input]
            }
            transposes[nodes[index].output] = (permutation, nodes[index].inputs[0])
        }
        for index in nodes.indices {
            if let reshape = nodes[index].transposeAsReshape(shapes) { nodes[index].operation = reshape }
        }
        removeUnused()
    }
}

extension Node {
    /// - Parameter shapes: of all values, for different batch sizes.
    /// - Returns: nil if elements change their order in memory, or if one shape cannot be right for every batch size.
    fileprivate func transposeAsReshape(_ shapes: [[String: [Int]]]) -> Operation? {
        guard case .transpose(let permutation) = operation, permutation != Array(permutation.indices) else { return nil }
        let sources = shapes.compactMap { $0[inputs[0]] }, results = shapes.compactMap { $0[output] }
        guard sources.count == 2, results.count == 2 else { return nil }
        let moving = permutation.filter { axis in sources.contains { $0[axis] != 1 } }
        guard moving == moving.sorted() else { return nil }
        var target = results[0]
        for axis in target.indices {
            // Where the batch is or may be; 0 copies it, if it was in the same place.
            let isCopy = sources[0][axis] == results[0][axis] && sources[1][axis] == results[1][axis]
            guard isCopy || results[0][axis] == results[1][axis] else { return nil }
            if isCopy, axis == 0 || results[0][axis] != results[1][axis] { target[axis] = 0 }
        }
        return .reshape(target, allowZero: false)
    }
}
