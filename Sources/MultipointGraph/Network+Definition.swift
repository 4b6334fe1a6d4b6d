extension Network {
    /// Gives a definition its meaning: nodes sorted, operators of its operator set translated, weights gathered into layers,
    /// batch normalization folded, shapes and the batch dimension checked.
    ///
    /// An input whose first dimension is fixed at 1 gets a batch dimension if the whole network scales with it.
    /// - Parameters:
    ///   - definition: from an ONNX file, where weights are initializers, or from a packed file, where nodes name layers.
    ///   - layers: the layers of a packed file, in its order. They are kept as they are, also if no node uses them.
    /// - Throws: `GraphError` naming what is wrong and where.
    public init(definition: GraphDefinition, layers: [Layer] = []) throws(GraphError) {
        try OperatorSet.check(definition.operatorSet, node: definition.nodes.first)
        try definition.checkQuantization()
        let ordered = try definition.nodesInOrder()
        var translation = try Translation(definition, nodes: ordered, layers: layers)
        for node in ordered { try translation.translate(node) }
        try self.init(translation, definition)
    }

    /// - Parameter translation: of all of the definition's nodes.
    init(_ translation: Translation, _ definition: GraphDefinition) throws(GraphError) {
        try translation.checkOutputsAreFloat(definition.outputs)
        self.init(
            name: definition.name, inputs: definition.inputs, outputs: definition.outputs, nodes: translation.nodes,
            layers: translation.layers, layerOrder: translation.layerOrder, constants: translation.constants,
            quantization: definition.quantization)
        try checkOutputsAreComputed(translation.sampled)
        try resolveBatch()
        simplify(keeping: translation.filedLayers)
        // Without a Reshape to a fixed size that changed nothing, the network may scale with the batch after all.
        try resolveBatch()
        try checkConstants()
    }

    /// A translated node may have turned out to be a constant.
    private func checkOutputsAreComputed(_ sampled: [String: SampledTensor]) throws(GraphError) {
        for output in outputs where constants[output.name] != nil {
            throw GraphError("output `\(output.name)` is a constant", kind: .unsupported)
        }
        for output in outputs {
            guard let value = sampled[output.name] else { continue }
            throw GraphError(
                "output `\(output.name)` depends on nothing but the batch size (it is computed from \(value.origin))",
                kind: .unsupported)
        }
    }

    private func checkConstants() throws(GraphError) {
        for (name, tensor) in constants {
            guard let index = tensor.floats?.firstIndex(where: { !$0.isFinite }) else { continue }
            throw GraphError("constant `\(name)`: element \(index) is not a finite number")
        }
    }
}

extension GraphDefinition {
    fileprivate func checkQuantization() throws(GraphError) {
        guard !quantization.isEmpty else { return }
        let values = Set(inputs.map(\.name)).union(nodes.flatMap(\.outputs))
        for (name, parameters) in quantization {
            guard values.contains(name) else { throw GraphError("there is no value `\(name)` to quantize") }
            guard parameters.scale.isFinite, parameters.scale > 0 else {
                throw GraphError("value `\(name)`: scale \(parameters.scale); a finite positive number expected")
            }
        }
    }
}
