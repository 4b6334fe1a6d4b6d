extension Network {
    /// The operator set of `definition()`: the first in which every `Operation` can be written (Swish came in 24).
    public static let canonicalOperatorSet = 24

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

/// Operations as nodes; what an operation has besides names is written by the extensions below.
private struct DefinitionWriter {
    var nodes: [NodeDefinition] = []
    var initializers: [String: Tensor]
    /// For batch size 1, as far as they are known.
    private let shapes: [String: [Int]]
    private var names: UniqueNames

    init(_ network: Network) {
        initializers = network.constants
        shapes = (try? network.shapes(batch: 1)) ?? [:]
        names = UniqueNames(network.inputs.map(\.name) + network.nodes.map(\.output) + network.constants.keys)
    }

    mutating func write(_ node: Node, layers: [String: Layer]) {
        var definition = NodeDefinition(
            name: node.name, operatorType: node.operation.operatorType(layers: layers), inputs: node.inputs, outputs: [node.output])
        switch node.operation {
        case .layer(let name): definition.layer = name
        case .elementwise(let function): write(function, &definition)
        case .binary, .prelu, .matrixProduct, .globalAveragePool: break
        case .maxPool(let pooling): definition.write(pooling)
        case .averagePool(let pooling, let countsPadding):
            definition.write(pooling)
            if countsPadding { definition.attributes["count_include_pad"] = .int(1) }
        case .reduce(_, let axes, let keeps):
            append("axes", axes, &definition)
            if !keeps { definition.attributes["keepdims"] = .int(0) }
        case .argument(_, let axis, let keeps, let selectsLast):
            definition.attributes["axis"] = .int(Int64(axis))
            if !keeps { definition.attributes["keepdims"] = .int(0) }
            if selectsLast { definition.attributes["select_last_index"] = .int(1) }
        case .concat(let axis), .flatten(let axis), .softmax(let axis), .logSoftmax(let axis):
            definition.attributes["axis"] = .int(Int64(axis))
        case .layerNormalization(let axis, let epsilon):
            definition.attributes["axis"] = .int(Int64(axis))
            definition.write("epsilon", epsilon, default: 1e-5)
            append("scale", Tensor(shape: [1], [Float(1)]), &definition)
        case .localResponseNormalization(let size, let alpha, let beta, let bias):
            definition.attributes["size"] = .int(Int64(size))
            definition.write("alpha", alpha, default: 1e-4)
            definition.write("beta", beta, default: 0.75)
            definition.write("bias", bias, default: 1)
        default: writeRearrangement(node, &definition)
        }
        nodes.append(definition)
    }

    /// What moves elements.
    private mutating func writeRearrangement(_ node: Node, _ definition: inout NodeDefinition) {
        switch node.operation {
        case .reshape(let shape, let allowZero):
            append("shape", shape, &definition)
            if allowZero { definition.attributes["allowzero"] = .int(1) }
        case .squeeze(let axes): if let axes { append("axes", axes, &definition) }
        case .unsqueeze(let axes): append("axes", axes, &definition)
        case .transpose(let permutation): definition.attributes["perm"] = .ints(permutation.map { Int64($0) })
        case .expand(let shape): append("shape", shape, &definition)
        case .slice(let starts, let ends, let axes, let steps):
            for (what, values) in [("starts", starts), ("ends", ends), ("axes", axes), ("steps", steps)] {
                append(what, values, &definition)
            }
        case .gather(let indices, let shape, let axis):
            append("indices", Tensor(shape: shape, indices.map { Int64($0) }), &definition)
            definition.attributes["axis"] = .int(Int64(axis))
        case .pad(let pads, let padding):
            append("pads", pads, &definition)
            switch padding {
            case .constant(let value): if value != 0 { append("value", value, &definition) }
            case .reflect: definition.attributes["mode"] = .string("reflect")
            case .edge: definition.attributes["mode"] = .string("edge")
            case .wrap: definition.attributes["mode"] = .string("wrap")
            }
        case .resize(let resize): write(resize, over: shapes[node.inputs[0]] ?? [], &definition)
        case .depthToSpace(let blockSize, let order):
            definition.attributes["blocksize"] = .int(Int64(blockSize))
            if order == .columnRowDepth { definition.attributes["mode"] = .string("CRD") }
        case .spaceToDepth(let blockSize): definition.attributes["blocksize"] = .int(Int64(blockSize))
        default: break
        }
    }

    private mutating func write(_ function: Elementwise, _ definition: inout NodeDefinition) {
        switch function {
        case .clip(let minimum, let maximum): appendBounds(minimum, maximum, &definition)
        case .elu(let alpha), .swish(let alpha), .thresholdedRelu(let alpha): definition.write("alpha", alpha, default: 1)
        case .geluTanh: definition.attributes["approximate"] = .string("tanh")
        case .hardSigmoid(let alpha, let beta):
            definition.write("alpha", alpha, default: 0.2)
            definition.write("beta", beta, default: 0.5)
        case .leakyRelu(let alpha): definition.write("alpha", alpha, default: 0.01)
        case .pow(let exponent): append("exponent", exponent, &definition)
        case .selu(let alpha, let gamma):
            definition.write("alpha", alpha, default: 1.67326319)
            definition.write("gamma", gamma, default: 1.05070102)
        // ONNX's INT64.
        case .truncate: definition.attributes["to"] = .int(7)
        default: break
        }
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

    mutating func append(_ what: String, _ values: [Int], _ definition: inout NodeDefinition) {
        append(what, Tensor(shape: [values.count], values.map { Int64($0) }), &definition)
    }

    private mutating func append(_ what: String, _ value: Float, _ definition: inout NodeDefinition) {
        append(what, Tensor(shape: [], [value]), &definition)
    }

    mutating func append(_ what: String, _ tensor: Tensor, _ definition: inout NodeDefinition) {
        let name = names.next("\(definition.name)/\(what)")
        initializers[name] = tensor
        definition.inputs.append(name)
    }
}

// Resize.
extension DefinitionWriter {
    fileprivate mutating func write(_ resize: Resize, over shape: [Int], _ definition: inout NodeDefinition) {
        definition.attributes["axes"] = .ints(resize.axes.map { Int64($0) })
        definition.inputs.append("")
        appendSizes(resize, over: shape, &definition)
        switch resize.mode {
        case .nearest(.roundPreferFloor): break
        case .nearest(.roundPreferCeil): definition.attributes["nearest_mode"] = .string("round_prefer_ceil")
        case .nearest(.floor): definition.attributes["nearest_mode"] = .string("floor")
        case .nearest(.ceil): definition.attributes["nearest_mode"] = .string("ceil")
        case .linear: definition.attributes["mode"] = .string("linear")
        case .cubic(let a):
            definition.attributes["mode"] = .string("cubic")
            definition.write("cubic_coeff_a", a, default: -0.75)
        }
        let coordinates: String? =
            switch resize.coordinates {
            case .halfPixel: nil
            case .halfPixelSymmetric: "half_pixel_symmetric"
            case .pytorchHalfPixel: "pytorch_half_pixel"
            case .alignCorners: "align_corners"
            case .asymmetric: "asymmetric"
            }
        if let coordinates { definition.attributes["coordinate_transformation_mode"] = .string(coordinates) }
        if resize.excludesOutside { definition.attributes["exclude_outside"] = .int(1) }
        if resize.antialiases { definition.attributes["antialias"] = .int(1) }
    }

    /// Sizes where they say what the scales are, scales where they say what the sizes are. Neither does after a resize that kept
    /// the aspect ratio: then its smallest quotient of sizes has to be the scale, as `not_larger` takes it.
    private mutating func appendSizes(_ resize: Resize, over shape: [Int], _ definition: inout NodeDefinition) {
        let old = resize.axes.map { shape.indices.contains($0) ? Float(shape[$0]) : 1 }
        let quotients = zip(resize.sizes, old).map { Float($0) / $1 }
        if resize.scales == quotients {
            definition.inputs.append("")
            append("sizes", resize.sizes, &definition)
        } else if zip(zip(resize.scales, old).map { ($0 * $1).rounded(.down) }, resize.sizes).allSatisfy({ $0 == Float($1) }) {
            append("scales", Tensor(shape: [resize.scales.count], resize.scales), &definition)
        } else {
            definition.inputs.append("")
            let sizes = resize.sizes.indices.map { resize.sizes[$0] + (quotients[$0] < resize.scales[$0] ? 1 : 0) }
            append("sizes", sizes, &definition)
            definition.attributes["keep_aspect_ratio_policy"] = .string("not_larger")
        }
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

    fileprivate mutating func write(_ attribute: String, _ value: Float, default defaultValue: Float) {
        if value != defaultValue { attributes[attribute] = .float(value) }
    }
}
