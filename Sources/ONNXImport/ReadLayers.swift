import MultipointGraph
import ONNXMessages

/// A node with constant weights, as a layer, and the values of the model between which it stands.
public struct NodeLayer: Equatable, Sendable {
    /// Float; named after its node.
    public var layer: Layer
    public var input: String
    public var output: String
}

/// The layers of a model whose other nodes are not looked at.
public struct ModelLayers: Equatable, Sendable {
    /// In the order of the nodes.
    public var layers: [NodeLayer]
    /// Nodes of the operators that carry weights which are no such layers, with the reason.
    public var others: [(node: String, reason: String)]

    public static func == (a: ModelLayers, b: ModelLayers) -> Bool {
        a.layers == b.layers && a.others.elementsEqual(b.others) { $0 == $1 }
    }
}

/// Reads the layers of an ONNX model, each for itself: every Conv, Gemm and MatMul of float with constant weights. What else the
/// model has, operators that this library lacks included, does not matter; nothing is folded into a layer.
///
/// A layer is called like its node, or `Operator_output` if that has no name or shares it, with a number behind it if another
/// node is called so.
/// - Throws: `ONNXImportError` naming the file and what in it is wrong.
public func readLayers(path: String) throws(ONNXImportError) -> ModelLayers {
    do throws(ONNXImportError) {
        let model = try decodeModel(try readFile(path))
        let tensors = TensorReader(folder: ModelFolder(ofModel: path))
        return try LayerNodes(GraphReader(model, tensors: tensors, inputShapes: InputShapes([:]))).layers()
    } catch {
        throw ONNXImportError("\(path): \(error.description)", kind: error.kind)
    }
}

private struct LayerNodes {
    let reader: GraphReader
    /// Float constants by name, not read yet.
    private var constants: [String: Onnx_TensorProto] = [:]
    private var nameCounts: [String: Int] = [:]

    init(_ reader: GraphReader) {
        self.reader = reader
        for initializer in reader.graph.initializer { constants[initializer.name] = initializer }
        for node in reader.graph.node {
            nameCounts[node.name, default: 0] += 1
            if node.opType == "Constant", let output = node.output.first, let value = node.attribute.first, value.name == "value" {
                constants[output] = value.t
            }
        }
        constants = constants.filter { $0.value.dataType == Int32(Onnx_TensorProto.DataType.float.rawValue) }
    }

    func layers() throws(ONNXImportError) -> ModelLayers {
        var result = ModelLayers(layers: [], others: []), names = UniqueNames(nameCounts.keys)
        for node in reader.graph.node where node.domain.isEmpty || node.domain == "ai.onnx" {
            guard ["Conv", "Gemm", "MatMul"].contains(node.opType), let input = node.input.first, let output = node.output.first
            else { continue }
            var node = node
            if node.name.isEmpty || nameCounts[node.name, default: 0] > 1 {
                node.name = names.next("\(node.opType)_\(output)")
            }
            do throws(GraphError) {
                result.layers.append(NodeLayer(layer: try layer(try definition(node)), input: input, output: output))
            } catch {
                result.others.append((node.name, error.description))
            }
        }
        return result
    }

    /// The node alone, as a network.
    private func definition(_ node: Onnx_NodeProto) throws(GraphError) -> GraphDefinition {
        var initializers: [String: Tensor] = [:]
        for name in node.input.dropFirst() where !name.isEmpty {
            guard let constant = constants[name] else {
                throw GraphError("node `\(node.name)`: its input `\(name)` is no constant of type float", kind: .unsupported)
            }
            do {
                initializers[name] = try reader.tensors.read(constant, called: "`\(name)`")
            } catch {
                throw GraphError("node `\(node.name)`: \(error.description)")
            }
        }
        let shape = (node.input.count > 1 ? initializers[node.input[1]]?.shape : nil) ?? []
        do {
            let definition = try reader.node(node)
            return GraphDefinition(
                name: "", operatorSet: reader.operatorSet,
                inputs: [ValueInfo(name: node.input[0], shape: try definition.smallestInput(weights: shape).map { .fixed($0) })],
                outputs: [ValueInfo(name: node.output[0], shape: [])], nodes: [definition], initializers: initializers)
        } catch let error as ONNXImportError {
            throw GraphError(error.description, kind: .unsupported)
        } catch let error as GraphError {
            throw error
        } catch {
            throw GraphError("\(error)")
        }
    }

    private func layer(_ definition: GraphDefinition) throws(GraphError) -> Layer {
        let network = try Network(definition: definition)
        guard let layer = network.layers.values.first, network.nodes.count == 1 else {
            throw GraphError("node `\(definition.nodes.first?.name ?? "")`: it is more than a layer", kind: .unsupported)
        }
        return layer
    }
}

extension NodeDefinition {
    /// A shape that the node accepts as its input: a layer does not depend on the size of its images, unless their padding does.
    fileprivate func smallestInput(weights: [Int]) throws(GraphError) -> [Int] {
        guard operatorType == "Conv" else {
            let isTransposed = attributes["transB"] == .int(1)
            return [1, (isTransposed ? weights.last : weights.first) ?? 1]
        }
        if case .string(let mode) = attributes["auto_pad"] ?? .string(""), mode.hasPrefix("SAME"),
            case .ints(let strides) = attributes["strides"] ?? .ints([]), strides.contains(where: { $0 != 1 }) {
            throw GraphError("node `\(name)`: auto_pad `\(mode)` with strides \(strides) depends on the image's size", kind: .unsupported)
        }
        var group = 1, dilations: [Int64] = []
        if case .int(let value) = attributes["group"] { group = Int(value) }
        if case .ints(let values) = attributes["dilations"] { dilations = values }
        let sane = 1...(1 << 20)
        guard weights.count == 4, weights.allSatisfy(sane.contains), sane.contains(group),
            dilations.isEmpty || dilations.count == 2, dilations.allSatisfy({ sane.contains(Int($0)) })
        else {
            throw GraphError("node `\(name)`: weights of shape \(weights): only kernels of two dimensions are supported", kind: .unsupported)
        }
        let extents = (0..<2).map { (weights[2 + $0] - 1) * Int(dilations.isEmpty ? 1 : dilations[$0]) + 1 }
        return [1, weights[1] * group] + extents
    }
}
