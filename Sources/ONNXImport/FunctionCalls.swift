import ONNXMessages

// Calls of functions that the model defines, replaced by the functions' nodes (ONNX: FunctionProto).

extension Onnx_ModelProto {
    /// The most nodes that the graph may have once calls are replaced: a few functions that call each other could make any number.
    private static let maximumNodeCount = 100_000

    /// The graph, calling no function of the model.
    func graphWithoutCalls() throws(ONNXImportError) -> Onnx_GraphProto {
        guard !functions.isEmpty else { return graph }
        var known: [FunctionName: Onnx_FunctionProto] = [:]
        for function in functions { known[FunctionName(function)] = function }
        var result = graph
        var nodes: [Onnx_NodeProto] = [], count = 0
        /// Nodes to look at, the next one last.
        var pending = Array(graph.node.reversed())
        while let node = pending.popLast() {
            guard let function = known[FunctionName(node)] else {
                nodes.append(node)
                continue
            }
            count += function.node.count + 1
            guard count <= Onnx_ModelProto.maximumNodeCount else {
                throw ONNXImportError(
                    "\(node.place): its function calls itself, or functions make more than \(Onnx_ModelProto.maximumNodeCount) nodes",
                    kind: .unsupported)
            }
            try checkOperatorSet(of: function, node)
            pending += try FunctionCall(function, node, number: count).nodes().reversed()
        }
        result.node = nodes
        return result
    }

    private func checkOperatorSet(of function: Onnx_FunctionProto, _ node: Onnx_NodeProto) throws(ONNXImportError) {
        for imported in function.opsetImport where imported.domain.isEmpty || imported.domain == "ai.onnx" {
            let own = opsetImport.first { $0.domain.isEmpty || $0.domain == "ai.onnx" }
            guard own == nil || own?.version == imported.version else {
                throw ONNXImportError(
                    "\(node.place): function `\(function.name)` is written in operator set \(imported.version), the model in \(own?.version ?? 0)",
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
        prefix = "\(node.name.isEmpty ? function.name : node.name).\(number)"
        guard node.input.count <= function.input.count, node.output.count <= function.output.count else {
            throw ONNXImportError(
                "\(node.place): function `\(function.name)` has \(function.input.count) inputs and \(function.output.count) outputs, the call \(node.input.count) and \(node.output.count)"
            )
        }
        for (index, input) in function.input.enumerated() { names[input] = index < node.input.count ? node.input[index] : "" }
        for (output, name) in zip(function.output, node.output) where !name.isEmpty {
            guard names.updateValue(name, forKey: output) == nil else {
                throw ONNXImportError(
                    "\(node.place): output `\(output)` of function `\(function.name)` is also its input or another output",
                    kind: .unsupported)
            }
        }
    }

    /// The function's nodes in the caller's names.
    func nodes() throws(ONNXImportError) -> [Onnx_NodeProto] {
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
    fileprivate var place: String { "node `\(name.isEmpty ? output.first ?? "" : name)` (\(opType))" }
}
