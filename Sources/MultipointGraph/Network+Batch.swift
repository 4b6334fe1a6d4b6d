// Which values have the batch as their first dimension. Found by inferring shapes for batch sizes 1, 2 and 3.

extension Network {
    /// Settles the batch dimension of inputs and outputs, and checks the outputs' declared shapes.
    ///
    /// Where the definition names no batch dimension, first dimensions fixed at 1 become one if the network allows it.
    mutating func resolveBatch() throws(GraphError) {
        guard !inputs.contains(where: { $0.shape.first == .batch }) else { return try settleShapes() }
        var candidate = self
        for index in inputs.indices where inputs[index].shape.first == .fixed(1) {
            candidate.inputs[index].shape[0] = .batch
        }
        if candidate.inputs != inputs {
            candidate.copyFirstDimensions()
            do throws(GraphError) {
                try candidate.settleShapes()
                self = candidate
                return
            } catch {
                // The network stays as it was declared: one image at a time.
            }
        }
        try settleShapes()
    }

    /// Lets reshapes to one image copy that dimension from their input, where it is 1 as well.
    private mutating func copyFirstDimensions() {
        guard let shapes = try? shapes(batch: 1) else { return }
        for index in nodes.indices {
            guard case .reshape(var target, let allowZero) = nodes[index].operation, target.first == 1,
                !allowZero || !target.contains(0), let input = nodes[index].inputs.first, shapes[input]?.first == 1
            else { continue }
            target[0] = 0
            nodes[index].operation = .reshape(target, allowZero: false)
        }
    }

    private mutating func settleShapes() throws(GraphError) {
        let shapes = try shapes(batch: 1)
        let batchValues = try valuesWithBatch(shapes)
        for index in outputs.indices {
            guard let shape = shapes[outputs[index].name] else { continue }
            try outputs[index].settle(shape, hasBatch: batchValues.contains(outputs[index].name))
        }
        if !batchValues.isEmpty, let output = outputs.first(where: { !batchValues.contains($0.name) }) {
            throw GraphError(
                "output `\(output.name)` does not depend on the batch dimension of the inputs" + GraphError.batchRemedy, kind: .unsupported)
        }
    }

    /// The values whose first dimension grows with the batch.
    ///
    /// Images of a batch must not meet: nothing but the first dimension may depend on the batch size, and no operation may work
    /// along it.
    /// - Parameter one: all shapes for batch size 1.
    private func valuesWithBatch(_ one: [String: [Int]]) throws(GraphError) -> Set<String> {
        var values = Set(inputs.filter { $0.shape.first == .batch }.map(\.name))
        guard !values.isEmpty else { return [] }
        let two = try shapesOfBatch(2), three = try shapesOfBatch(3)
        for node in nodes where node.inputs.contains(where: values.contains) {
            guard let a = one[node.output], let b = two[node.output], let c = three[node.output] else { continue }
            guard !node.operation.worksAlongFirstAxis else {
                throw GraphError(node: node.name, "it works along the batch dimension" + GraphError.batchRemedy, kind: .unsupported)
            }
            let scales = !a.isEmpty && b == [2 * a[0]] + a.dropFirst() && c == [3 * a[0]] + a.dropFirst()
            guard scales else {
                throw GraphError(
                    node: node.name,
                    "its result has shape \(a) for batch size 1 and \(b) for 2; only the first dimension may depend on it"
                        + GraphError.batchRemedy,
                    kind: .unsupported)
            }
            values.insert(node.output)
        }
        return values
    }

    private func shapesOfBatch(_ batch: Int) throws(GraphError) -> [String: [Int]] {
        do throws(GraphError) {
            return try shapes(batch: batch)
        } catch {
            throw GraphError("with batch size \(batch): \(error.description)", kind: error.kind)
        }
    }
}

extension Operation {
    /// Whether the operation mixes or reorders along axis 0 in a way that the result's shape does not show.
    fileprivate var worksAlongFirstAxis: Bool {
        switch self {
        case .concat(let axis), .softmax(let axis), .logSoftmax(let axis), .layerNormalization(let axis, epsilon: _),
            .gather(indices: _, shape: _, let axis), .argument(_, let axis, keepsDimension: _, selectsLast: _):
            axis == 0
        case .slice(_, _, let axes, _), .reduce(_, let axes, keepsDimensions: _): axes.contains(0)
        case .resize(let resize): resize.axes.contains(0)
        default: false
        }
    }
}

extension ValueInfo {
    /// Compares what an output declares with its shape for batch size 1, and completes it.
    fileprivate mutating func settle(_ computed: [Int], hasBatch: Bool) throws(GraphError) {
        guard !hasBatch || computed.first == 1 else {
            throw GraphError(
                "output `\(name)`: its first dimension is \(computed.first ?? 0) times the batch size" + GraphError.batchRemedy, kind: .unsupported)
        }
        let agrees =
            shape.isEmpty
            || shape.count == computed.count
                && shape.indices.allSatisfy { axis in
                    switch shape[axis] {
                    case .fixed(let size): size == 0 || size == computed[axis]
                    case .batch: axis == 0 && hasBatch
                    }
                }
        guard agrees else {
            throw GraphError("output `\(name)`: shape \(text(shape)) is declared, \(computed) is computed for batch size 1")
        }
        shape = computed.map { .fixed($0) }
        if hasBatch { shape[0] = .batch }
    }

    private func text(_ shape: [Dimension]) -> String {
        let sizes = shape.map { if case .fixed(let size) = $0 { size == 0 ? "?" : "\(size)" } else { "N" } }
        return "[" + sizes.joined(separator: ", ") + "]"
    }
}
