import DNNL
import MultipointGraph

/// Operations that have no weights. Those that pass values on, average them or compute single ones run in 8 bits where their operands
/// and readers are, the others on floats. A file for each family.
extension NetworkCompiler {
    mutating func emit(_ node: Node) throws {
        switch node.operation {
        case .layer: throw RuntimeError(.unsupported, "node `\(node.name)`: a layer outside of any group")
        case .elementwise(let function): try emitElementwise(node, function)
        case .binary(let function): try emitBinary(node, function)
        case .prelu: try emitPrelu(node)
        case .matrixProduct: try emitMatrixProduct(node)
        case .maxPool(let pooling): try emitMaximumPool(node, pooling)
        case .averagePool(let pooling, let countsPadding): try emitAveragePool(node, pooling, countsPadding: countsPadding)
        case .globalAveragePool: try emitGlobalAveragePool(node)
        case .reduce(let reduction, let axes, let keeps): try emitReduction(node, reduction, axes: axes, keeps: keeps)
        case .argument(let extremum, let axis, _, let selectsLast): try emitArgument(node, extremum, axis: axis, selectsLast)
        case .softmax(let axis): try emitSoftmax(node, axis: axis, isLogarithmic: false)
        case .logSoftmax(let axis): try emitSoftmax(node, axis: axis, isLogarithmic: true)
        case .layerNormalization(let axis, let epsilon): try emitLayerNormalization(node, axis: axis, epsilon)
        case .localResponseNormalization(let size, let alpha, let beta, let bias):
            try emitResponseNormalization(node, size: size, alpha: alpha, beta: beta, bias: bias)
        case .concat(let axis): try emitConcat(node, axis: axis)
        case .flatten, .reshape, .squeeze, .unsqueeze: try emitReshape(node)
        case .transpose(let permutation): try emitTranspose(node, permutation)
        case .expand: try emitExpand(node)
        case .slice(let starts, let ends, let axes, let steps): try emitSlice(node, starts, ends, axes, steps)
        case .gather(let indices, let shape, let axis): try emitGather(node, indices, shape, axis: axis)
        case .pad(let pads, .constant(let value)): try emitPad(node, pads, value: value)
        case .pad(let pads, let padding): try emitPad(node, pads, mirrored: padding)
        case .resize(let resize): try emitResize(node, resize)
        case .depthToSpace(let block, let order): try emitDepthToSpace(node, block, order)
        case .spaceToDepth(let block): try emitSpaceToDepth(node, block)
        }
    }

    func operationName(_ node: Node) -> String { node.operation.operatorType(layers: network.layers) }
}
