/// ONNX nodes on their way to typed operations.
///
/// Nodes come in topological order; shapes are inferred for batch size 1 as they come, because some operators need them (padding
/// by name, axes counted from the end).
struct Translation {
    let operatorSet: Int
    /// How often nodes and the network's outputs use each value of the definition.
    let useCounts: [String: Int]
    /// Values whose quantization is known; they have to stay what they are.
    let quantizedValues: Set<String>
    /// Computed values of integer types in the file.
    private(set) var integers: Set<String>
    /// Whether values of integer types are told from floats at all.
    private let hasIntegers: Bool
    private(set) var nodes: [Node] = []
    /// Of inputs and results so far, for batch size 1.
    private(set) var shapes: [String: [Int]] = [:]
    private(set) var constants: [String: Tensor]
    /// Whether the definition has an input with an open batch dimension.
    let isBatchOpen: Bool
    /// If it has: shapes for the last of `sampleBatches`, as far as they can be inferred.
    private(set) var otherShapes: [String: [Int]] = [:]
    /// What was computed of constants and shapes, and depends on the batch size.
    var sampled: [String: SampledTensor] = [:]
    /// How many of a value's uses were folded.
    var foldedUses: [String: Int] = [:]
    var budget: FoldingBudget
    /// Products with reciprocals that stand for quotients, with the divisors.
    var divisors: [String: String] = [:]
    /// Results of QuantizeLinear, with the values that stand for them.
    var quantizedActivations: [String: String] = [:]
    private(set) var layers: [String: Layer] = [:]
    private(set) var layerOrder: [String] = []
    /// Layers that came with the definition; they are what a file says and never changed.
    private(set) var filedLayers: Set<String> = []
    /// The node that computes a value.
    private(set) var producers: [String: Int] = [:]
    /// For every node: the definition's node that it comes from.
    private(set) var origins: [String: String] = [:]
    private var valueNames: UniqueNames
    private var nodeNames: UniqueNames

    init(_ definition: GraphDefinition, nodes: [NodeDefinition], layers: [Layer]) throws(GraphError) {
        operatorSet = definition.operatorSet
        useCounts = definition.useCounts(of: nodes)
        quantizedValues = Set(definition.quantization.keys)
        integers = definition.integerInputs ?? []
        hasIntegers = definition.integerInputs != nil
        constants = definition.initializers
        valueNames = UniqueNames(
            definition.inputs.map(\.name) + definition.initializers.keys + definition.nodes.flatMap(\.outputs))
        nodeNames = UniqueNames(nodes.lazy.filter { $0.operatorType != "Constant" }.map(\.name))
        isBatchOpen = definition.inputs.contains { $0.shape.first == .batch }
        budget = FoldingBudget(given: definition.constantElementCount)
        for input in definition.inputs {
            try input.checkInput(batch: 1)
            shapes[input.name] = input.shape(batch: 1)
            if isBatchOpen { otherShapes[input.name] = input.shape(batch: Translation.sampleBatches.last ?? 1) }
        }
        for (name, tensor) in definition.initializers {
            if let problem = tensor.problem { throw GraphError("initializer `\(name)`: \(problem)") }
        }
        for layer in layers {
            try layer.validate()
            guard self.layers[layer.name] == nil else { throw GraphError("two layers are called `\(layer.name)`") }
            keep(layer)
            filedLayers.insert(layer.name)
        }
    }

    /// Appends what the node computes.
    mutating func translate(_ node: NodeDefinition) throws(GraphError) {
        if try fold(node) { return }
        let node = try settlingBatch(node)
        if try translateQuantization(node) { return }
        if node.isQuantizedOperator {
            throw GraphError(
                node: node.name,
                "operator `\(node.operatorType)` works on quantized values; export the network with the QDQ format (QuantizeLinear and DequantizeLinear), or in float",
                kind: .unsupported)
        }
        guard node.isOfDefaultDomain else {
            throw GraphError(
                node: node.name,
                "operator `\(node.operatorType)` of domain `\(node.domain)`: only ONNX's default domain is supported",
                kind: .unsupported)
        }
        if node.operatorType == "If" {
            throw GraphError(
                node: node.name, "which branch runs is decided by `\(node.inputs.first ?? "")` when the network runs; that is not supported",
                kind: .unsupported)
        }
        guard let version = OperatorSet.sinceVersion(node.operatorType, in: operatorSet) else {
            throw GraphError(
                node: node.name,
                "operator `\(node.operatorType)` (operator set \(operatorSet)) is not supported; supported are \(OperatorSet.supportedOperators)",
                kind: .unsupported)
        }
        let reader = NodeReader(node: node, version: version)
        try chargeReading(node)
        let hasMoreOutputs = node.operatorType == "Split" || node.operatorType == "LayerNormalization"
        for output in node.outputs.dropFirst() where !hasMoreOutputs && useCounts[output] != nil && !output.isEmpty {
            throw reader.unsupported("its output `\(output)` is used; only the first output is supported")
        }
        if let layer = node.layer { try filedLayer(reader, layer) } else { try translate(reader) }
        if hasIntegers, givesIntegers(reader) { integers.formUnion(node.outputs) }
    }

    private mutating func translate(_ reader: NodeReader) throws(GraphError) {
        if reader.isDiscontinuous { divideExactly(reader.node.inputs.first ?? "") }
        if let function = Elementwise.withoutAttributes[reader.node.operatorType] { return try unary(.elementwise(function), reader) }
        if let reduction = Reduction.named[reader.node.operatorType] { return try reduce(reduction, reader) }
        switch reader.node.operatorType {
        case "Add": try binary(.add, reader)
        case "ArgMax": try argument(.maximum, reader)
        case "ArgMin": try argument(.minimum, reader)
        case "AveragePool": try averagePool(reader)
        case "BatchNormalization": try batchNormalization(reader)
        case "Cast": try cast(reader)
        case "CastLike": try castLike(reader)
        case "Celu": try celu(reader)
        case "Clip": try clip(reader)
        case "Concat": try concat(reader)
        case "Constant": try constant(reader)
        case "Conv": try convolution(reader)
        case "ConvTranspose": try transposedConvolution(reader)
        case "DepthToSpace": try depthToSpace(reader)
        case "Div": try divide(reader)
        case "Dropout": try dropout(reader)
        case "Elu": try elu(reader)
        case "Expand": try expand(reader)
        case "Flatten": try flatten(reader)
        case "Gather": try gather(reader)
        case "Gelu": try gelu(reader)
        case "Gemm": try gemm(reader)
        case "GlobalAveragePool": try globalAveragePool(reader)
        case "GlobalLpPool": try globalLpPool(reader)
        case "GlobalMaxPool": try globalMaxPool(reader)
        case "GroupNormalization": try groupNormalization(reader)
        case "HardSigmoid": try hardSigmoid(reader)
        case "Identity": try identity(reader)
        case "InstanceNormalization": try instanceNormalization(reader)
        case "LRN": try localResponseNormalization(reader)
        case "LayerNormalization": try layerNormalization(reader)
        case "LeakyRelu": try leakyRelu(reader)
        case "LogSoftmax": try softmax(reader, logarithm: true)
        case "LpNormalization": try lpNormalization(reader)
        case "MatMul": try matrixProduct(reader)
        case "Max": try extremum(.maximum, reader)
        case "MaxPool": try maxPool(reader)
        case "Mean": try sum(reader, mean: true)
        case "MeanVarianceNormalization": try meanVarianceNormalization(reader)
        case "Min": try extremum(.minimum, reader)
        case "Mul": try binary(.multiply, reader)
        case "PRelu": try prelu(reader)
        case "Pad": try pad(reader)
        case "Pow": try power(reader)
        case "ReduceLogSum": try reduceLogSum(reader)
        case "ReduceLogSumExp": try reduceLogSumExp(reader)
        case "Reshape": try reshape(reader)
        case "Resize": try resize(reader)
        case "Selu": try selu(reader)
        case "Slice": try slice(reader)
        case "Softmax": try softmax(reader, logarithm: false)
        case "SpaceToDepth": try spaceToDepth(reader)
        case "Split": try split(reader)
        case "Squeeze": try squeeze(reader)
        case "Sub": try subtract(reader)
        case "Sum": try sum(reader, mean: false)
        case "Swish": try swish(reader)
        case "ThresholdedRelu": try thresholdedRelu(reader)
        case "Transpose": try transpose(reader)
        case "Unsqueeze": try unsqueeze(reader)
        case "Upsample": try upsample(reader)
        default: throw reader.unsupported("this operator is not supported")
        }
    }
}

// What the families of operators build with.
extension Translation {
    /// Turns a product with a reciprocal into the quotient that it stands for: a rounding of its last bit may be a step for what reads it.
    private mutating func divideExactly(_ value: String) {
        guard let divisor = divisors.removeValue(forKey: value), let index = producers[value] else { return }
        nodes[index].operation = .binary(.divide)
        nodes[index].inputs[1] = divisor
    }

    /// Appends a node and infers its shape.
    /// - Parameter name: nil for the reader's node itself.
    mutating func emit(
        _ operation: Operation, _ reader: NodeReader, name: String? = nil, inputs: [String], output: String? = nil
    ) throws(GraphError) {
        let node = Node(name: name ?? reader.name, operation: operation, inputs: inputs, output: output ?? reader.output)
        shapes[node.output] = try node.outputShape(shapes: shapes, constants: constants, layers: layers)
        producers[node.output] = nodes.count
        if isBatchOpen {
            // What does not scale is said by Network+Batch.swift, which knows more.
            otherShapes[node.output] = try? node.outputShape(shapes: otherShapes, constants: constants, layers: layers)
        }
        nodes.append(node)
        origins[node.name] = reader.name
    }

    /// Appends a step on the way to the node's result.
    /// - Parameter what: follows the node's name in the name of the step.
    /// - Returns: the name of the step's result.
    mutating func step(
        _ operation: Operation, _ reader: NodeReader, _ what: String, inputs: [String]
    ) throws(GraphError) -> String {
        let output = newValue("\(reader.name)/\(what)")
        try emit(operation, reader, name: newNode("\(reader.name)/\(what)"), inputs: inputs, output: output)
        return output
    }

    /// A new constant of the node.
    /// - Parameters:
    ///   - shape: charged before the values are made.
    ///   - values: as many as the shape has.
    mutating func constant(
        _ reader: NodeReader, _ what: String, shape: [Int] = [], _ values: @autoclosure () -> [Float]
    ) throws(GraphError) -> String {
        try charge(elementCount(of: shape), reader)
        return define(like: "\(reader.name)/\(what)", Tensor(shape: shape, values()))
    }

    /// The shape of a computed value or of a constant, for batch size 1.
    func shape(of value: String) -> [Int]? { shapes[value] ?? constants[value]?.shape }

    /// An operation with one input and no attributes.
    mutating func unary(_ operation: Operation, _ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes()
        try reader.checkInputCount(1...1)
        try emit(operation, reader, inputs: [try operand(0, reader).name])
    }

    /// A computed input.
    func operand(_ index: Int, _ reader: NodeReader) throws(GraphError) -> Operand {
        guard index < reader.node.inputs.count, !reader.node.inputs[index].isEmpty else {
            throw reader.fail("input \(index) is missing")
        }
        let name = reader.node.inputs[index]
        guard let shape = shapes[name] else {
            throw reader.unsupported("input `\(name)` is a constant; a computed value expected")
        }
        return Operand(name: name, shape: shape)
    }

    /// A constant input, or nil if it is left out.
    func constantInput(_ index: Int, _ what: String, _ reader: NodeReader) throws(GraphError) -> Tensor? {
        guard index < reader.node.inputs.count, !reader.node.inputs[index].isEmpty else { return nil }
        let name = reader.node.inputs[index]
        guard let constant = constants[name] else {
            throw reader.unsupported("\(what) `\(name)` is computed; a constant expected")
        }
        return constant
    }

    func floatsInput(_ index: Int, _ what: String, _ reader: NodeReader) throws(GraphError) -> (shape: [Int], values: [Float])? {
        guard let tensor = try constantInput(index, what, reader) else { return nil }
        guard let values = tensor.floats else {
            throw reader.fail("\(what) `\(reader.node.inputs[index])`: floats expected, found integers")
        }
        return (tensor.shape, values)
    }

    func scalarInput(_ index: Int, _ what: String, _ reader: NodeReader) throws(GraphError) -> Float? {
        guard let (shape, values) = try floatsInput(index, what, reader) else { return nil }
        guard values.count == 1 else {
            throw reader.fail("\(what) `\(reader.node.inputs[index])`: one number expected, found shape \(shape)")
        }
        return values[0]
    }

    func intsInput(_ index: Int, _ what: String, _ reader: NodeReader) throws(GraphError) -> [Int]? {
        guard let tensor = try constantInput(index, what, reader) else { return nil }
        guard let values = tensor.integers, tensor.shape.count <= 1 else {
            throw reader.fail("\(what) `\(reader.node.inputs[index])`: a list of integers expected")
        }
        guard values.count <= reader.longestList else {
            throw reader.fail("\(what) `\(reader.node.inputs[index])`: at most \(reader.longestList) numbers expected, found \(values.count)")
        }
        return values.map { Int($0) }
    }

    mutating func define(_ name: String, _ tensor: Tensor) { constants[name] = tensor }

    mutating func forget(_ constant: String) {
        constants[constant] = nil
        sampled[constant] = nil
    }

    /// A new constant, already charged, whose name starts with `base`.
    mutating func define(like base: String, _ tensor: Tensor) -> String {
        let name = valueNames.next(base)
        constants[name] = tensor
        return name
    }

    mutating func newValue(_ base: String) -> String { valueNames.next(base) }

    mutating func newNode(_ base: String) -> String { nodeNames.next(base) }

    mutating func keep(_ layer: Layer) {
        layers[layer.name] = layer
        layerOrder.append(layer.name)
    }

    /// Replaces a layer and gives its node another output: what a following node did is now part of it.
    mutating func absorb(_ layer: Layer, node: Int, output: String) {
        layers[layer.name] = layer
        producers[nodes[node].output] = nil
        shapes[output] = shapes.removeValue(forKey: nodes[node].output)
        otherShapes[output] = otherShapes.removeValue(forKey: nodes[node].output)
        nodes[node].output = output
        producers[output] = node
    }
}
