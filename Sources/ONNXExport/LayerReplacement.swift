import MultipointGraph
import ONNXMessages
import SwiftProtobuf

/// A layer of a packed file and the values of an ONNX model between which it stands.
public struct LayerReplacement: Sendable {
    public var layer: Layer
    /// The value that it reads.
    public var input: String
    /// The value that it computes, and with it whatever nodes of the model lead from one to the other.
    public var output: String

    public init(layer: Layer, input: String, output: String) {
        self.layer = layer
        self.input = input
        self.output = output
    }
}

/// How many nodes of ours, and of other kinds, a model has.
public struct NodeCounts: Equatable, Sendable {
    public var layers: Int
    public var others: Int

    public init(layers: Int, others: Int) { (self.layers, self.others) = (layers, others) }
}

/// An ONNX model in which packed layers stand in the place of its own nodes. What no output needs any more goes: the nodes that
/// they replace, and their weights. Everything else stays as it is, operators and versions that this library does not know included.
/// - Parameters:
///   - model: the ONNX file's bytes.
///   - isMoved: whether the result will be in another folder, so that the model's own external data would be out of reach.
/// - Returns: the new file's bytes.
/// - Throws: `ONNXExportError` naming the layer that has no place in the model.
public func layerModel(
    replacing replacements: [LayerReplacement], in model: [UInt8], isMoved: Bool, file: PackedConstant
) throws(ONNXExportError) -> (bytes: [UInt8], nodes: NodeCounts) {
    var model = try decoded(model)
    let values = ValueNames(model.graph)
    let constant = file.name(besides: values.all)
    for replacement in replacements {
        try values.replace(replacement, in: &model.graph, file: constant)
    }
    model.graph.initializer.append(file.initializer(named: constant))
    model.graph.removeUnused()
    if isMoved { try model.graph.requireNoExternalData(but: constant) }
    model.importOperators(of: multipointDomain, version: 1)
    // Since version 4 an initializer need not be listed among the inputs, and ours is not.
    model.irVersion = max(model.irVersion, 4)
    let count = model.graph.node.count
    return (try model.encoded(), NodeCounts(layers: replacements.count, others: count - replacements.count))
}

private func decoded(_ bytes: [UInt8]) throws(ONNXExportError) -> Onnx_ModelProto {
    do {
        return try Onnx_ModelProto(serializedBytes: bytes)
    } catch {
        throw ONNXExportError("this is not an ONNX model: it does not decode as one (\(error))")
    }
}

/// What a graph's values are called, and which node computes each.
private struct ValueNames {
    private var producers: [String: Int] = [:]
    private var given: Set<String>

    init(_ graph: Onnx_GraphProto) {
        given = Set(graph.input.map(\.name)).union(graph.initializer.map(\.name))
        for (index, node) in graph.node.enumerated() {
            for output in node.output where !output.isEmpty { producers[output] = index }
        }
    }

    var all: Set<String> { given.union(producers.keys) }

    func replace(_ replacement: LayerReplacement, in graph: inout Onnx_GraphProto, file: String) throws(ONNXExportError) {
        let layer = "layer `\(replacement.layer.name)`"
        guard producers[replacement.input] != nil || given.contains(replacement.input) else {
            throw ONNXExportError("\(layer) reads `\(replacement.input)`; the ONNX model has no such value")
        }
        guard let index = producers[replacement.output] else {
            throw ONNXExportError("\(layer) computes `\(replacement.output)`; no node of the ONNX model does")
        }
        let node = graph.node[index]
        if let other = node.output.first(where: { !$0.isEmpty && $0 != replacement.output }), graph.uses(other) {
            throw ONNXExportError("\(layer) computes `\(replacement.output)`; node `\(node.name)` has a further output `\(other)`, which is used")
        }
        graph.node[index] = Onnx_NodeProto(
            replacement.layer, input: replacement.input, output: replacement.output, file: file)
    }
}
