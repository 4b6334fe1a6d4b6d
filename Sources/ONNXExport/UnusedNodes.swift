import ONNXMessages

extension Onnx_GraphProto {
    /// Removes nodes that no output needs, and constants and descriptions of values that are gone.
    mutating func removeUnused() {
        let (live, used) = liveNodes()
        node = node.indices.filter { live[$0] }.map { node[$0] }
        let gone = Set(initializer.map(\.name)).subtracting(used)
        initializer.removeAll { gone.contains($0.name) }
        sparseInitializer.removeAll { !used.contains($0.values.name) }
        // Before IR version 4, initializers had to be listed as inputs.
        input.removeAll { gone.contains($0.name) }
        let values = Set(node.flatMap(\.output))
        valueInfo.removeAll { !values.contains($0.name) }
        quantizationAnnotation.removeAll { !used.contains($0.tensorName) }
    }

    /// The nodes that an output depends on, and all values that those and the outputs read.
    private func liveNodes() -> (live: [Bool], used: Set<String>) {
        var producers: [String: Int] = [:]
        for (index, node) in node.enumerated() {
            for output in node.output where !output.isEmpty { producers[output] = index }
        }
        var live = [Bool](repeating: false, count: node.count)
        var used = Set(output.map(\.name))
        var pending = Array(used)
        while let value = pending.popLast() {
            guard let producer = producers[value], !live[producer] else { continue }
            live[producer] = true
            for input in node[producer].usedValues where used.insert(input).inserted { pending.append(input) }
        }
        return (live, used)
    }

    /// Whether a node or an output of the graph reads the value.
    func uses(_ value: String) -> Bool {
        output.contains { $0.name == value } || node.contains { $0.usedValues.contains(value) }
    }

    /// - Throws: `ONNXExportError` naming a constant whose elements are in another file.
    func requireNoExternalData(but file: String) throws(ONNXExportError) {
        guard let tensor = initializer.first(where: { $0.dataLocation == .external && $0.name != file }) else { return }
        let location = tensor.externalData.first { $0.key == "location" }?.value ?? ""
        throw ONNXExportError(
            "initializer `\(tensor.name)` has its data in `\(location)`, beside the original model: write the new one into the same folder")
    }
}

extension Onnx_NodeProto {
    /// Names of the values that it reads, also from within its loops and branches, whose own values are among them.
    fileprivate var usedValues: [String] {
        var names = input
        // Without recursion: a hostile model may nest as deep as it likes.
        var graphs = attribute.flatMap(\.allGraphs)
        while let graph = graphs.popLast() {
            names += graph.output.map(\.name)
            for node in graph.node {
                names += node.input
                graphs += node.attribute.flatMap(\.allGraphs)
            }
        }
        return names
    }
}

extension Onnx_AttributeProto {
    fileprivate var allGraphs: [Onnx_GraphProto] { (hasG ? [g] : []) + graphs }
}
