import MultipointGraph
import ONNXMessages

/// A packed network as an ONNX model with one node, `multipoint.Network`, that has the network's inputs and outputs.
/// - Parameters:
///   - file: the packed file that has the network.
///   - producer, version: what the model says it was made by.
/// - Returns: the ONNX file's bytes.
public func networkModel(
    of network: Network, file: PackedConstant, producer: String, version: String
) throws(ONNXExportError) -> [UInt8] {
    let name = network.name.isEmpty ? "network" : network.name
    let constant = file.name(besides: Set((network.inputs + network.outputs).map(\.name)))
    var node = Onnx_NodeProto()
    node.name = name
    node.opType = "Network"
    node.domain = multipointDomain
    node.input = [constant] + network.inputs.map(\.name)
    node.output = network.outputs.map(\.name)
    var graph = Onnx_GraphProto(network, file.initializer(named: constant))
    graph.node = [node]
    return try Onnx_ModelProto(graph, producer: producer, version: version).encoded()
}

/// A packed network node by node: its layers as `multipoint.Conv` and `multipoint.Gemm`, everything else as ONNX's operators.
/// The parameters are those of `networkModel`.
public func layerModel(
    of network: Network, file: PackedConstant, producer: String, version: String
) throws(ONNXExportError) -> [UInt8] {
    let definition = network.definition()
    let values = Set(network.inputs.map(\.name) + definition.nodes.flatMap(\.outputs) + definition.initializers.keys)
    let constant = file.name(besides: values)
    var graph = Onnx_GraphProto(network, file.initializer(named: constant))
    for node in definition.nodes {
        guard let name = node.layer else {
            graph.node += node.nodes(besides: values)
            continue
        }
        guard let layer = network.layers[name], let input = node.inputs.first, let output = node.outputs.first else {
            throw ONNXExportError("node `\(node.name)`: there is no layer `\(name)`")
        }
        graph.node.append(Onnx_NodeProto(layer, input: input, output: output, file: constant))
    }
    let constants = definition.initializers.merging(network.normalizationScales(definition)) { $1 }
    graph.initializer += constants.sorted { $0.key < $1.key }.map { Onnx_TensorProto($1, named: $0) }
    return try Onnx_ModelProto(graph, producer: producer, version: version).encoded()
}

extension NodeDefinition {
    /// The node as ONNX has it. In our networks every value is a float; where ONNX's operator gives integers, they are converted.
    fileprivate func nodes(besides taken: Set<String>) -> [Onnx_NodeProto] {
        var node = Onnx_NodeProto(self)
        guard ["ArgMax", "ArgMin", "Cast"].contains(operatorType), let output = outputs.first else { return [node] }
        var integers = "\(output)/integers"
        while taken.contains(integers) { integers += "_" }
        node.output = [integers]
        let type = Int64(Onnx_TensorProto.DataType.float.rawValue)
        let conversion = NodeDefinition(
            name: "\(name)/float", operatorType: "Cast", inputs: [integers], outputs: [output], attributes: ["to": .int(type)])
        return [node, Onnx_NodeProto(conversion)]
    }
}

extension Onnx_GraphProto {
    /// Without nodes.
    fileprivate init(_ network: Network, _ file: Onnx_TensorProto) {
        self.init()
        name = network.name.isEmpty ? "network" : network.name
        input = network.inputs.map { Onnx_ValueInfoProto($0) }
        output = network.outputsWithShapes.map { Onnx_ValueInfoProto($0) }
        initializer = [file]
    }
}

extension Network {
    /// The scales of LayerNormalization, which are a single 1 in a definition: ONNX Runtime 1.17 wants one for every element.
    fileprivate func normalizationScales(_ definition: GraphDefinition) -> [String: Tensor] {
        var scales: [String: Tensor] = [:]
        let shapes = (try? shapes(batch: 1)) ?? [:]
        for node in definition.nodes where node.operatorType == "LayerNormalization" && node.inputs.count == 2 {
            guard let shape = shapes[node.inputs[0]], definition.initializers[node.inputs[1]]?.floats == [1],
                case .int(let axis) = node.attributes["axis"] ?? .int(-1),
                let first = Int(exactly: axis).map({ $0 < 0 ? $0 + shape.count : $0 }), shape.indices.contains(first),
                let count = elementCount(of: Array(shape[first...]))
            else { continue }
            scales[node.inputs[1]] = Tensor(shape: Array(shape[first...]), [Float](repeating: 1, count: count))
        }
        return scales
    }

    /// What an output's declaration leaves open is inferred: what differs for a batch of two is the batch.
    fileprivate var outputsWithShapes: [ValueInfo] {
        guard let one = try? shapes(batch: 1), let two = try? shapes(batch: 2) else { return outputs }
        return outputs.map { output in
            guard let shape = one[output.name], let other = two[output.name], shape.count == other.count else { return output }
            let dimensions = zip(shape, other).map { size, next -> ValueInfo.Dimension in
                size == next ? .fixed(size) : (size, next) == (1, 2) ? .batch : .fixed(0)
            }
            return ValueInfo(name: output.name, shape: dimensions)
        }
    }
}
