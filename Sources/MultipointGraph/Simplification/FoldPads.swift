extension Network {
    /// Folds padding of height and width with zeros into the convolution or pooling that follows.
    mutating func foldPads(keeping filedLayers: Set<String>) {
        let uses = ValueUses(self)
        for index in nodes.indices {
            foldPads(intoPool: index, uses)
            guard case .layer(let name) = nodes[index].operation, !filedLayers.contains(name), var layer = layers[name],
                case .convolution(var attributes) = layer.operation
            else { continue }
            while let (input, pads) = zeroPads(nodes[index].inputs[0], uses, attributes.pads) {
                attributes.pads = pads
                nodes[index].inputs = [input]
            }
            layer.operation = .convolution(attributes)
            layers[name] = layer
        }
        removeUnused()
    }

    /// Zeros count in an average that counts padding, and are never the largest of numbers that are not negative.
    private mutating func foldPads(intoPool index: Int, _ uses: ValueUses) {
        let value = nodes[index].inputs[0]
        switch nodes[index].operation {
        case .averagePool(var pooling, let countsPadding):
            guard countsPadding || pooling.pads == [0, 0, 0, 0], let (input, pads) = zeroPads(value, uses, pooling.pads),
                pooling.seesInput(with: pads)
            else { return }
            pooling.pads = pads
            nodes[index].operation = .averagePool(pooling, countsPadding: true)
            nodes[index].inputs = [input]
        case .maxPool(var pooling):
            guard let (input, pads) = zeroPads(value, uses, pooling.pads), isNotNegative(input, uses),
                pooling.seesInput(with: pads)
            else { return }
            pooling.pads = pads
            nodes[index].operation = .maxPool(pooling)
            nodes[index].inputs = [input]
        default: return
        }
    }

    private func isNotNegative(_ value: String, _ uses: ValueUses) -> Bool {
        guard let producer = uses.producers[value], case .elementwise(let function) = nodes[producer].operation else { return false }
        switch function {
        case .relu, .sigmoid, .hardSigmoid, .abs, .softplus: return true
        case .clip(let minimum, _): return minimum >= 0
        default: return false
        }
    }

    /// The input and the sum of pads, if `value` is a padded image that nothing else uses.
    private func zeroPads(_ value: String, _ uses: ValueUses, _ existing: [Int]) -> (input: String, pads: [Int])? {
        guard uses.counts[value] == 1, quantization[value] == nil, let producer = uses.producers[value],
            case .pad(let pads, .constant(0)) = nodes[producer].operation, pads.count == 8,
            [0, 1, 4, 5].allSatisfy({ pads[$0] == 0 })
        else { return nil }
        let sums = zip(existing, [pads[2], pads[3], pads[6], pads[7]]).map { $0 + $1 }
        guard sums.allSatisfy({ $0 <= TensorLimits.convolutionPad }) else { return nil }
        return (nodes[producer].inputs[0], sums)
    }
}

extension Pooling {
    /// Whether no window lies in the padding alone. (With a dilation, that takes more than pads below the extent.) With ceil_mode, what
    /// pads are decides where the last window may start.
    fileprivate func seesInput(with pads: [Int]) -> Bool {
        dilations == [1, 1] && !ceilMode && (0..<4).allSatisfy { pads[$0] < kernel[$0 % 2] }
    }
}
