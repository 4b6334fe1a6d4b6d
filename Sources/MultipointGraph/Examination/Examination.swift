/// What becomes of every node of a definition. Unlike `Network(definition:)` this does not end at the first that is not supported.
public struct Examination: Sendable {
    /// A node that an output depends on, in execution order.
    public struct Node: Equatable, Sendable {
        public var name: String
        /// With the domain in front if it is not ONNX's own.
        public var operatorType: String
        public var finding: Finding
    }

    public enum Finding: Equatable, Sendable {
        /// A part of the network.
        case translated
        /// Computed at translation: a constant, or a shape.
        case folded
        /// With the reason.
        case unsupported(String)
        /// It depends on a node that is not supported. Its operator as such is.
        case unexamined
    }

    public var inputs: [ValueInfo]
    public var outputs: [ValueInfo]
    public var nodes: [Node]
    /// The network, if all of it is supported. Its inputs and outputs have their final shapes.
    public var network: Network?
    /// For nodes of the network by name: the definition's node that they come from. Nodes that simplification made are not there.
    public var origins: [String: String]
    /// What stands in the way of the network besides nodes.
    public var problem: GraphError?

    /// - Throws: `GraphError` for a definition that contradicts itself before any node is looked at: names that nothing defines,
    ///   cycles, an operator set that cannot be read.
    public init(_ definition: GraphDefinition) throws(GraphError) {
        (inputs, outputs, nodes, origins) = (definition.inputs, definition.outputs, [], [:])
        try OperatorSet.check(definition.operatorSet, node: definition.nodes.first)
        let ordered = try definition.nodesInOrder()
        var translation = try Translation(definition, nodes: ordered, layers: [])
        var unknown: Set<String> = []
        for node in ordered {
            let finding = translation.finding(node, unknown: unknown)
            nodes.append(Node(name: node.name, operatorType: node.qualifiedOperatorType, finding: finding))
            switch finding {
            case .unsupported, .unexamined: unknown.formUnion(node.outputs)
            case .translated, .folded: continue
            }
        }
        guard unknown.isEmpty else { return }
        origins = translation.origins
        do throws(GraphError) {
            let network = try Network(translation, definition)
            self.network = network
            (inputs, outputs) = (network.inputs, network.outputs)
        } catch { problem = error }
    }
}

extension Translation {
    /// Translates a node if that is possible.
    fileprivate mutating func finding(_ node: NodeDefinition, unknown: Set<String>) -> Examination.Finding {
        guard !node.inputs.contains(where: unknown.contains) else {
            guard node.isOfDefaultDomain || node.isOfQuantizationDomain && node.isQuantizationPair, isSupported(node.operatorType) else {
                return .unsupported("this operator is not supported")
            }
            return .unexamined
        }
        let count = nodes.count
        do throws(GraphError) {
            try translate(node)
            return nodes.count > count || shapes[node.outputs[0]] != nil || quantizedActivations[node.outputs[0]] != nil
                ? .translated : .folded
        } catch {
            return .unsupported(error.description.withoutPrefix("node `\(node.name)`: "))
        }
    }

    private func isSupported(_ operatorType: String) -> Bool {
        OperatorSet.sinceVersion(operatorType, in: operatorSet) != nil || NodeFolding.operators.contains(operatorType)
    }
}

extension NodeDefinition {
    fileprivate var qualifiedOperatorType: String { isOfDefaultDomain ? operatorType : "\(domain).\(operatorType)" }

    fileprivate var isQuantizationPair: Bool { operatorType == "QuantizeLinear" || operatorType == "DequantizeLinear" }
}

extension String {
    fileprivate func withoutPrefix(_ prefix: String) -> String { hasPrefix(prefix) ? String(dropFirst(prefix.count)) : self }
}
