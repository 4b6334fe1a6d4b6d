import MultipointGraph
import ONNXMessages

/// Translates a model's graph.
struct GraphReader {
    let graph: Onnx_GraphProto
    let tensors: TensorReader
    /// Version of the default operator set.
    let operatorSet: Int
    let inputShapes: InputShapes

    init(_ model: Onnx_ModelProto, tensors: TensorReader, inputShapes: InputShapes) throws(ONNXImportError) {
        graph = try model.graphWithoutCalls()
        self.tensors = tensors
        self.inputShapes = inputShapes
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
        var inputs: [ValueInfo] = [], outputs: [ValueInfo] = []
        // Before IR version 4, initializers had to be listed as inputs.
        let given = graph.input.filter { initializers[$0.name] == nil }
        try inputShapes.checkNames(of: given)
        for input in given { inputs.append(try self.input(input, isOnly: given.count == 1)) }
        for output in graph.output { outputs.append(try self.output(output)) }
        let definition = GraphDefinition(
            name: graph.name, operatorSet: operatorSet, inputs: inputs,
            integerInputs: Set(given.filter { $0.type.tensorType.hasIntegers }.map(\.name)), outputs: outputs, nodes: [],
            initializers: initializers)
        var replacement = BranchReplacement(self, definition)
        try replacement.append(graph.node)
        return replacement.definition
    }
}

// Inputs and outputs.
extension GraphReader {
    private func input(_ info: Onnx_ValueInfoProto, isOnly: Bool) throws(ONNXImportError) -> ValueInfo {
        let what = "input `\(info.name)`"
        try checkType(info.type, what)
        let type = info.type.tensorType
        let stated = type.hasShape ? type.shape.dim.map(\.size) : nil
        return ValueInfo(name: info.name, shape: try inputShapes.shape(of: info.name, isOnly: isOnly, stated: stated))
    }

    /// What is open (no shape, or a symbolic dimension) is for shape inference to say.
    private func output(_ info: Onnx_ValueInfoProto) throws(ONNXImportError) -> ValueInfo {
        if info.hasType { try checkType(info.type, "output `\(info.name)`") }
        return ValueInfo(name: info.name, shape: info.type.tensorType.shape.dim.map { .fixed($0.fixedSize ?? 0) })
    }

    private func checkType(_ type: Onnx_TypeProto, _ what: String) throws(ONNXImportError) {
        switch type.value {
        case .tensorType(let tensor):
            let element = Onnx_TensorProto.DataType(rawValue: Int(tensor.elemType))
            guard let element, element.isNumeric else {
                let name = element.map { $0.name } ?? "\(tensor.elemType)"
                throw ONNXImportError("\(what) has element type \(name); numbers expected", kind: .unsupported)
            }
        case .optionalType: throw ONNXImportError("\(what) is optional; a tensor expected", kind: .unsupported)
        case .sequenceType: throw ONNXImportError("\(what) is a sequence; a tensor expected", kind: .unsupported)
        case .mapType: throw ONNXImportError("\(what) is a map; a tensor expected", kind: .unsupported)
        case .sparseTensorType: throw ONNXImportError("\(what) is a sparse tensor; a dense one expected", kind: .unsupported)
        default: throw ONNXImportError("\(what) is not a tensor", kind: .unsupported)
        }
    }
}

extension Onnx_TypeProto.Tensor {
    fileprivate var hasIntegers: Bool {
        switch Onnx_TensorProto.DataType(rawValue: Int(elemType)) {
        case .uint8, .int8, .uint16, .int16, .uint32, .int32, .uint64, .int64: true
        default: false
        }
    }
}

extension Onnx_TensorProto.DataType {
    /// Whether float32 values can stand for elements of this type.
    fileprivate var isNumeric: Bool {
        switch self {
        case .undefined, .string, .complex64, .complex128: false
        default: true
        }
    }
}

extension Onnx_TensorShapeProto.Dimension {
    fileprivate var size: StatedSize {
        fixedSize.map { .fixed($0) } ?? .open(dimParam)
    }

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
        // Refused with the operator that has it, if it is needed.
        default: return .other(attribute.kind.name)
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
