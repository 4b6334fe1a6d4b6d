import MultipointGraph

/// `graph`: ONNX nodes by name.
struct GraphEntry: Codable {
    /// The version of ONNX's default operator set.
    var operator_set: Whole
    var inputs: [ValueEntry]
    var outputs: [ValueEntry]
    var nodes: [NodeEntry]
    /// Quantized activations by value name.
    var values: [String: QuantizationEntry]?
}

/// An input or output.
struct ValueEntry: Codable {
    var name: String
    var dtype: String?
    var shape: [DimensionEntry]?
}

/// A size, or the string "N" for the batch.
enum DimensionEntry: Codable {
    case size(Whole)
    case name(String)

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let name = try? container.decode(String.self) {
            self = .name(name)
        } else {
            self = .size(try container.decode(Whole.self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .size(let size): try container.encode(size)
        case .name(let name): try container.encode(name)
        }
    }
}

struct NodeEntry: Codable {
    var name: String?
    var `operator`: String
    var domain: String?
    var inputs: [String]?
    var outputs: [String]
    var attributes: [String: AttributeEntry]?
    /// The layer with the node's weights and attributes.
    var layer: String?
}

// MARK: - Reading

extension GraphEntry {
    /// - Parameter tensor: a constant tensor of the file by name.
    func definition(
        name: String, tensor: (String) throws(PackedFileError) -> Tensor
    ) throws(PackedFileError) -> GraphDefinition {
        var definition = GraphDefinition(name: name, operatorSet: operator_set.value, inputs: [], outputs: [], nodes: [])
        for input in inputs {
            guard input.shape != nil else { throw .badFormat("input `\(input.name)`: `shape` is missing") }
            definition.inputs.append(try input.info("input", smallestSize: 1))
        }
        for output in outputs { definition.outputs.append(try output.info("output", smallestSize: 0)) }
        for node in nodes { definition.nodes.append(try node.definition(tensor: tensor)) }
        for (name, entry) in values ?? [:] { definition.quantization[name] = try entry.quantization("value `\(name)`:") }
        return definition
    }
}

extension ValueEntry {
    fileprivate func info(_ what: String, smallestSize: Int) throws(PackedFileError) -> ValueInfo {
        guard (dtype ?? "float32") == "float32" else {
            throw PackedFileError(.unsupported, "\(what) `\(name)`: dtype `\(dtype ?? "")`; float32 is supported")
        }
        var dimensions: [ValueInfo.Dimension] = []
        for entry in shape ?? [] {
            switch entry {
            case .name("N"): dimensions.append(.batch)
            case .size(let size) where size.value >= smallestSize: dimensions.append(.fixed(size.value))
            case .size(let size):
                throw .badFormat("\(what) `\(name)`: a dimension of \(size.value); at least \(smallestSize) expected")
            case .name(let other): throw .badFormat("\(what) `\(name)`: a dimension `\(other)`; a number or `N` expected")
            }
        }
        return ValueInfo(name: name, shape: dimensions)
    }
}

extension NodeEntry {
    fileprivate func definition(tensor: (String) throws(PackedFileError) -> Tensor) throws(PackedFileError) -> NodeDefinition {
        var values: [String: AttributeValue] = [:]
        for (key, attribute) in attributes ?? [:] {
            if self.operator == "Constant", key == "value", case .string(let tensorName) = attribute {
                values[key] = .tensor(
                    try placing("node `\(name ?? outputs.first ?? "")`") { () throws(PackedFileError) in try tensor(tensorName) })
            } else {
                values[key] = attribute.value
            }
        }
        return NodeDefinition(
            name: name ?? "", operatorType: self.operator, domain: domain ?? "", inputs: inputs ?? [], outputs: outputs,
            attributes: values, layer: layer)
    }
}

// MARK: - Writing

extension GraphEntry {
    /// - Parameter store: keeps a constant tensor in the file under a name like the one proposed, and returns that name.
    init(
        _ definition: GraphDefinition, store: (_ proposedName: String, Tensor) throws(PackedFileError) -> String
    ) throws(PackedFileError) {
        operator_set = Whole(definition.operatorSet)
        inputs = definition.inputs.map(ValueEntry.init)
        outputs = definition.outputs.map(ValueEntry.init)
        nodes = []
        for (name, tensor) in definition.initializers.sorted(by: { $0.key < $1.key }) {
            let (key, value) = try AttributeEntry.constant(tensor, name: name, store: store)
            nodes.append(NodeEntry(name: name, operator: "Constant", outputs: [name], attributes: [key: value]))
        }
        for node in definition.nodes { nodes.append(try NodeEntry(node, store: store)) }
        values = definition.quantization.mapValues(QuantizationEntry.init)
    }
}

extension ValueEntry {
    fileprivate init(_ info: ValueInfo) {
        name = info.name
        dtype = "float32"
        shape = info.shape.map { if case .fixed(let size) = $0 { .size(Whole(size)) } else { .name("N") } }
    }
}

extension NodeEntry {
    fileprivate init(
        _ node: NodeDefinition, store: (String, Tensor) throws(PackedFileError) -> String
    ) throws(PackedFileError) {
        self.init(
            name: node.name, operator: node.operatorType, domain: node.domain.isEmpty ? nil : node.domain, inputs: node.inputs,
            outputs: node.outputs, layer: node.layer)
        var entries: [String: AttributeEntry] = [:]
        for (key, attribute) in node.attributes.sorted(by: { $0.key < $1.key }) {
            if case .tensor(let tensor) = attribute {
                guard node.operatorType == "Constant", key == "value", let output = node.outputs.first else {
                    throw PackedFileError(.unsupported, "node `\(node.name)`: attribute `\(key)` is a tensor")
                }
                let (key, value) = try AttributeEntry.constant(tensor, name: output, store: store)
                entries[key] = value
            } else {
                entries[key] = AttributeEntry(attribute)
            }
        }
        if !entries.isEmpty { attributes = entries }
    }
}
