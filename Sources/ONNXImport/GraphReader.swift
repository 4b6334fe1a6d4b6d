import MultipointGraph
import ONNXMessages

/// Translates a model's graph.
struct GraphReader {
    let graph: Onnx_GraphProto
    let tensors: TensorReader
    /// Version of the default operator set.
    let operatorSet: Int

    init(_ model: Onnx_ModelProto, tensors: TensorReader) throws(ONNXImportError) {
        graph = model.graph
        self.tensors = tensors
        guard let imported = model.opsetImport.first(where: { $0.domain.isEmpty || $0.domain == "ai.onnx" }) else {
            let domains = model.opsetImport.map { "`\($0.domain)`" }.joined(separator: ", ")
            throw ONNXImportError(
                "the model imports no version of ONNX's default operator set, only [\(domains)]", kind: .unsupported)
        }
        operatorSet = Int(imported.version)
    }

    func definition() throws(ONNXImportError) -> GraphDefinition {
        if let sparse = graph.sparseInitializer.first {
            throw ONNXImportError("initializer `\(sparse.values.name)`: sparse tensors are not supported", kind: .unsupported)
        }
        var initializers: [String: Tensor] = [:]
        for initializer in graph.initializer {
            let tensor = try tensors.read(initializer, called: "initializer `\(initializer.name)`")
            guard initializers.updateValue(tensor, forKey: initializer.name) == nil else {
                throw ONNXImportError("initializer `\(initializer.name)` is defined twice")
            }
        }
        var inputs: [ValueInfo] = [], outputs: [ValueInfo] = [], nodes: [NodeDefinition] = []
        // Before IR version 4, initializers had to be listed as inputs.
        for input in graph.input where initializers[input.name] == nil { inputs.append(try self.input(input)) }
        for output in graph.output { outputs.append(try self.output(output)) }
        for node in graph.node { nodes.append(try self.node(node)) }
        return GraphDefinition(
            name: graph.name, operatorSet: operatorSet, inputs: inputs, outputs: outputs, nodes: nodes,
            initializers: initializers)
    }
}

// Inputs and outputs.
extension GraphReader {
    private func input(_ info: Onnx_ValueInfoProto) throws(ONNXImportError) -> ValueInfo {
        let what = "input `\(info.name)`"
        try checkType(info.type, what)
        guard info.type.tensorType.hasShape else {
            throw ONNXImportError("\(what) has no shape; give it one before importing", kind: .unsupported)
        }
        var shape: [ValueInfo.Dimension] = []
        for (axis, dimension) in info.type.tensorType.shape.dim.enumerated() {
            if let size = dimension.fixedSize {
                shape.append(.fixed(size))
            } else if axis == 0 {
                shape.append(.batch)
            } else {
                let symbol = dimension.dimParam.isEmpty ? "no size" : "the symbol `\(dimension.dimParam)`"
                throw ONNXImportError(
                    "\(what): dimension \(axis) has \(symbol); only the first, the batch, may be open: give it a fixed size",
                    kind: .unsupported)
            }
        }
        return ValueInfo(name: info.name, shape: shape)
    }

    /// What is open (no shape, or a symbolic dimension) is for shape inference to say.
    private func output(_ info: Onnx_ValueInfoProto) throws(ONNXImportError) -> ValueInfo {
        if info.hasType { try checkType(info.type, "output `\(info.name)`") }
        return ValueInfo(name: info.name, shape: info.type.tensorType.shape.dim.map { .fixed($0.fixedSize ?? 0) })
    }

    private func checkType(_ type: Onnx_TypeProto, _ what: String) throws(ONNXImportError) {
        guard case .tensorType(let tensor) = type.value else {
            throw ONNXImportError("\(what) is not a tensor", kind: .unsupported)
        }
        guard tensor.elemType == Onnx_TensorProto.DataType.float.rawValue else {
            let name = Onnx_TensorProto.DataType(rawValue: Int(tensor.elemType)).map { $0.name } ?? "\(tensor.elemType)"
            throw ONNXImportError("\(what) has element type \(name); float expected", kind: .unsupported)
        }
    }
}

extension Onnx_TensorShapeProto.Dimension {
    /// Nil if the size is a symbol, missing or not positive (some exporters write −1 or 0 for an open dimension).
    fileprivate var fixedSize: Int? {
        if case .dimValue(let size) = value, size > 0 { Int(size) } else { nil }
    }
}

// Nodes.
extension GraphReader {
    func node(_ node: Onnx_NodeProto) throws(ONNXImportError) -> NodeDefinition {
        var attributes: [String: AttributeValue] = [:]
        for attribute in node.attribute {
            attributes[attribute.name] = try value(of: attribute, node)
        }
        return NodeDefinition(
            name: node.name, operatorType: node.opType, domain: node.domain, inputs: node.input, outputs: node.output,
            attributes: attributes)
    }

    private func value(of attribute: Onnx_AttributeProto, _ node: Onnx_NodeProto) throws(ONNXImportError) -> AttributeValue {
        let place =
            "node `\(node.name.isEmpty ? node.output.first ?? "" : node.name)` (\(node.opType)), attribute `\(attribute.name)`"
        switch attribute.kind {
        case .int: return .int(attribute.i)
        case .float: return .float(attribute.f)
        case .string: return .string(String(decoding: attribute.s, as: UTF8.self))
        case .ints: return .ints(attribute.ints)
        case .floats: return .floats(attribute.floats)
        case .strings: return .strings(attribute.strings.map { String(decoding: $0, as: UTF8.self) })
        case .tensor: return .tensor(try tensors.read(attribute.t, called: place))
        default:
            throw ONNXImportError("\(place): values of type \(attribute.kind.name) are not supported", kind: .unsupported)
        }
    }
}

extension Onnx_AttributeProto {
    /// The type that is stated, or for models older than that statement (IR version 1), the field that is filled.
    fileprivate var kind: AttributeType {
        if type != .undefined { return type }
        if hasI { return .int }
        if hasF { return .float }
        if hasS { return .string }
        if hasT { return .tensor }
        if !ints.isEmpty { return .ints }
        return floats.isEmpty ? .undefined : .floats
    }
}

extension Onnx_AttributeProto.AttributeType {
    fileprivate var name: String { "\(self)" }
}

extension Onnx_TensorProto.DataType {
    /// In ONNX's spelling, lower case.
    var name: String { "\(self)" }
}
