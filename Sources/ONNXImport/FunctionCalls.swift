import ONNXMessages

// Calls of functions that the model defines, replaced by the functions' nodes (ONNX: FunctionProto).

extension Onnx_ModelProto {
    /// The most nodes that the graph may have once calls are replaced: a few functions that call each other could make any number.
    private static let maximumNodeCount = 100_000
    /// Functions inside of functions.
    private static let maximumDepth = 64
    /// What the names in all nodes together may take: those of a function are repeated in every call.
    private static let maximumNameBytes = 1 << 28

    /// The graph, calling no function of the model.
    func graphWithoutCalls() throws(ONNXImportError) -> Onnx_GraphProto {
        guard !functions.isEmpty else { return graph }
        var known: [FunctionName: Onnx_FunctionProto] = [:]
        for function in functions { known[FunctionName(function)] = function }
        var result = graph
        var nodes: [Onnx_NodeProto] = [], count = 0, nameBytes = 0
        /// Nodes to look at, the next one last, and how many calls they are in.
        var pending = graph.node.reversed().map { (node: $0, depth: 0) }
        while let (node, depth) = pending.popLast() {
            guard let function = known[FunctionName(node)] else {
                nodes.append(node)
                continue
            }
            count += function.node.count + 1
            guard depth < Onnx_ModelProto.maximumDepth else {
                throw ONNXImportError(
                    "\(node.place): function `\(function.name.shortened)` calls itself, or is called more than \(Onnx_ModelProto.maximumDepth) functions deep",
                    kind: .unsupported)
            }
            let call = try FunctionCall(function, node, number: count)
            nameBytes += call.nameBytes
            guard count <= Onnx_ModelProto.maximumNodeCount, nameBytes <= Onnx_ModelProto.maximumNameBytes else {
                throw ONNXImportError(
                    "\(node.place): with function `\(function.name.shortened)`, calls make more than \(Onnx_ModelProto.maximumNodeCount) nodes, or \(Onnx_ModelProto.maximumNameBytes >> 20) MB of names",
                    kind: .unsupported)
            }
            try checkOperatorSet(of: function, node)
            pending += call.nodes().reversed().map { ($0, depth + 1) }
        }
        result.node = nodes
        return result
    }

    private func checkOperatorSet(of function: Onnx_FunctionProto, _ node: Onnx_NodeProto) throws(ONNXImportError) {
        for imported in function.opsetImport where imported.domain.isEmpty || imported.domain == "ai.onnx" {
            let own = opsetImport.first { $0.domain.isEmpty || $0.domain == "ai.onnx" }
            guard own == nil || own?.version == imported.version else {
                throw ONNXImportError(
                    "\(node.place): function `\(function.name.shortened)` is written in operator set \(imported.version), the model in \(own?.version ?? 0)",
                    kind: .unsupported)
            }
        }
    }
}

private struct FunctionName: Hashable {
    var domain: String
    var name: String
    var overload: String

    init(_ function: Onnx_FunctionProto) { (domain, name, overload) = (function.domain, function.name, function.overload) }

    init(_ node: Onnx_NodeProto) { (domain, name, overload) = (node.domain, node.opType, node.overload) }
}

/// One call of a function.
private struct FunctionCall {
    let function: Onnx_FunctionProto
    let node: Onnx_NodeProto
    /// Starts the names of the values and nodes inside.
    let prefix: String
    /// The caller's names of the function's inputs and outputs.
    private var names: [String: String] = [:]

    init(_ function: Onnx_FunctionProto, _ node: Onnx_NodeProto, number: Int) throws(ONNXImportError) {
        (self.function, self.node) = (function, node)
        // Shortened, because calls in calls repeat it; the number makes it unique.
        prefix = "\((node.name.isEmpty ? function.name : node.name).shortened).\(number)"
        guard node.input.count <= function.input.count, node.output.count <= function.output.count else {
            throw ONNXImportError(
                "\(node.place): function `\(function.name.shortened)` has \(function.input.count) inputs and \(function.output.count) outputs, the call \(node.input.count) and \(node.output.count)"
            )
        }
        for (index, input) in function.input.enumerated() { names[input] = index < node.input.count ? node.input[index] : "" }
        for (output, name) in zip(function.output, node.output) where !name.isEmpty {
            guard names.updateValue(name, forKey: output) == nil else {
                throw ONNXImportError(
                    "\(node.place): output `\(output.shortened)` of function `\(function.name.shortened)` is also its input or another output",
                    kind: .unsupported)
            }
        }
    }

    /// About what the names in the function's nodes will take.
    var nameBytes: Int {
        func size(_ name: String) -> Int { name.utf8.count + prefix.utf8.count }
        return function.node.reduce(0) { sum, inner in
            (inner.input + inner.output).reduce(sum + size(inner.name)) { $0 + size(names[$1] ?? $1) }
        }
    }

    /// The function's nodes in the caller's names.
    func nodes() -> [Onnx_NodeProto] {
        let attributes = Dictionary(node.attribute.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let defaults = Dictionary(function.attributeProto.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        var result: [Onnx_NodeProto] = []
        for var inner in function.node {
            inner.name = "\(prefix)/\(inner.name.isEmpty ? inner.output.first ?? inner.opType : inner.name)"
            inner.input = inner.input.map(outerName)
            inner.output = inner.output.map(outerName)
            // An attribute that the call leaves out, and that has no default, is left out inside.
            inner.attribute = inner.attribute.compactMap { attribute in
                guard !attribute.refAttrName.isEmpty else { return attribute }
                var value = attributes[attribute.refAttrName] ?? defaults[attribute.refAttrName]
                value?.name = attribute.name
                return value
            }
            result.append(inner)
        }
        return result
    }

    private func outerName(_ name: String) -> String { name.isEmpty ? "" : names[name] ?? "\(prefix)/\(name)" }
}

extension Onnx_NodeProto {
    /// For messages.
    var place: String { "node `\((name.isEmpty ? output.first ?? "" : name).shortened)` (\(opType.shortened))" }
}

extension String {
    /// What fits a message: at most 200 bytes.
    var shortened: String { utf8.count <= 200 ? self : String(decoding: utf8.prefix(200), as: UTF8.self) + "…" }
}
