extension Network {
    /// Replaces reshape, transpose, reshape that only reorder channels by a Gather: channel `j · groups + i` of the result is
    /// channel `i · (channels / groups) + j`.
    mutating func recognizeChannelShuffles() {
        guard nodes.contains(where: { if case .transpose = $0.operation { true } else { false } }) else { return }
        let uses = ValueUses(self)
        let samples = sampleShapes()
        /// Channels whose order may still be written down.
        var rest = 1 << 20
        for index in nodes.indices {
            guard case .reshape = nodes[index].operation, let transpose = inner(nodes[index].inputs[0], uses),
                case .transpose(let permutation) = transpose.operation, let split = inner(transpose.inputs[0], uses),
                case .reshape = split.operation, permutation.count >= 3, permutation.prefix(3) == [0, 2, 1],
                permutation.dropFirst(3).elementsEqual(3..<permutation.count)
            else { continue }
            let (whole, parts, result) = (split.inputs[0], split.output, nodes[index].output)
            let keepsImages = samples.allSatisfy { shapes in
                guard let image = shapes[whole], let grouped = shapes[parts], image.count >= 2 else { return false }
                return shapes[result] == image && grouped[0] == image[0] && grouped[1] * grouped[2] == image[1]
            }
            guard keepsImages, let groups = samples.first?[parts]?[1], let share = samples.first?[parts]?[2],
                elementCount(of: [groups, share]) ?? .max <= rest
            else { continue }
            rest -= groups * share
            let channels = (0..<groups * share).map { $0 % groups * share + $0 / groups }
            nodes[index].operation = .gather(indices: channels, shape: [channels.count], axis: 1)
            nodes[index].inputs = [whole]
        }
        removeUnused()
    }

    /// The node that computes a value which nothing else uses.
    private func inner(_ value: String, _ uses: ValueUses) -> Node? {
        guard uses.counts[value] == 1, quantization[value] == nil, let index = uses.producers[value] else { return nil }
        return nodes[index]
    }
}
