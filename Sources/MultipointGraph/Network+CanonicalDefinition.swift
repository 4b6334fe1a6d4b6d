extension Network {
    /// The operator set of `definition()`: the first in which every `Operation` can be written (AveragePool got dilations in 19).
    public static let canonicalOperatorSet = 19

    /// The network as ONNX nodes of `canonicalOperatorSet`.
    ///
    /// A node with weights names its layer and has no inputs but the activation. A Gemm layer is written as `Gemm` whatever the
    /// rank of its input. Attributes that equal ONNX's defaults are left out; operands that ONNX wants as inputs (shapes, axes,
    /// bounds) are initializers. `Network(definition: network.definition(), layers: …)` gives an equal network.
    public func definition() -> GraphDefinition {
        var writer = DefinitionWriter(self)
        for node in nodes { writer.write(node, layers: layers) }
        return GraphDefinition(
            name: name, operatorSet: Network.canonicalOperatorSet, inputs: inputs, outputs: outputs, nodes: writer.nodes,
            initializers: writer.initializers, quantization: quantization)
    }
}

private struct DefinitionWriter {
    var nodes: [NodeDefinition] = []
    var initializers: [String: Tensor]
    private var names: UniqueNames

    init(_ network: Network) {
        initializers = network.constants
        names = UniqueNames(network.inputs.map(\.name) + network.nodes.map(\.output) + network.constants.keys)
    }

    mutating func write(_ node: Node, layers: [String: Layer]) {
        var definition = NodeDefinition(
            name: node.name, operatorType: node.operation.operatorType(layers: layers), inputs: node.inputs, outputs: [node.output])
        switch node.operation {
        case .layer(let name): definition.layer = name
        case .elementwise(.clip(let minimum, let maximum)): appendBounds(minimum, maximum, &definition)
        case .elementwise(.leakyRelu(let alpha)): definition.attributes["alpha"] = .float(alpha)
        case .elementwise, .binary, .globalAveragePool: break
        case .maxPool(let pooling): definition.write(pooling)
        case .averagePool(let pooling, let countsPadding):
            definition.write(pooling)
            if countsPadding { definition.attributes["count_include_pad"] = .int(1) }
        case .concat(let axis), .flatten(let axis), .softmax(let axis): definition.attributes["axis"] = .int(Int64(axis))
        case .reshape(let shape, let allowZero):
            append("shape", shape, &definition)
            if allowZero { definition.attributes["allowzero"] = .int(1) }
        case .squeeze(let axes): if let axes { append("axes", axes, &definition) }
        case .unsqueeze(let axes): append("axes", axes, &definition)
        case .transpose(let permutation): definition.attributes["perm"] = .ints(permutation.map { Int64($0) })
        case .slice(let starts, let ends, let axes, let steps):
            for (what, values) in [("starts", starts), ("ends", ends), ("axes", axes), ("steps", steps)] {
                append(what, values, &definition)
            }
        case .pad(let pads, .constant(let value)):
            append("pads", pads, &definition)
            if value != 0 { append("value", value, &definition) }
        // TODO: the others.
        default: break
        }
        nodes.append(definition)
    }

    private mutating func appendBounds(_ minimum: Float, _ maximum: Float, _ definition: inout NodeDefinition) {
        let limit = Float.greatestFiniteMagnitude
        if minimum > -limit {
            append("min", minimum, &definition)
        } else if maximum < limit {
            definition.inputs.append("")
        }
        if maximum < limit { append("max", maximum, &definition) }
    }

    private mutating func append(_ what: String, _ values: [Int], _ definition: inout NodeDefinition) {
        append(what, Tensor(shape: [values.count], values.map { Int64($0) }), &definition)
    }

    private mutating func append(_ what: String, _ value: Float, _ definition: inout NodeDefinition) {
        append(what, Tensor(shape: [], [value]), &definition)
    }

    private mutating func append(_ what: String, _ tensor: Tensor, _ definition: inout NodeDefinition) {
        let name = names.next("\(definition.name)/\(what)")
        initializers[name] = tensor
        definition.inputs.append(name)
    }
}

extension NodeDefinition {
    fileprivate mutating func write(_ pooling: Pooling) {
        write("kernel_shape", pooling.kernel, default: [])
        write("strides", pooling.strides, default: [1, 1])
        write("pads", pooling.pads, default: [0, 0, 0, 0])
        write("dilations", pooling.dilations, default: [1, 1])
        if pooling.ceilMode { attributes["ceil_mode"] = .int(1) }
    }

    private mutating func write(_ attribute: String, _ values: [Int], default defaultValue: [Int]) {
        if values != defaultValue { attributes[attribute] = .ints(values.map { Int64($0) }) }
    }
}
