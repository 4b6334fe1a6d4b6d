import MultipointGraph
import ONNXMessages

// If nodes whose condition is known before the network runs, replaced by the branch that is taken (ONNX: If). PyTorch's exporter writes
// them where what it exports depends on a size, as squeeze does.

/// The nodes of a graph on their way into a definition.
struct BranchReplacement {
    /// More conditions than this are not looked into: each takes a translation of what it is computed from.
    private static let maximumConditions = 256

    private let reader: GraphReader
    private(set) var definition: GraphDefinition
    /// Conditions that were looked into; nil for one that is computed when the network runs.
    private var conditions: [String: Bool?] = [:]
    private var branchCount = 0

    /// - Parameter definition: without nodes.
    init(_ reader: GraphReader, _ definition: GraphDefinition) {
        (self.reader, self.definition) = (reader, definition)
    }

    /// Appends nodes, which come after those that they depend on.
    mutating func append(_ nodes: [Onnx_NodeProto]) throws(ONNXImportError) {
        /// The next one last.
        var pending = Array(nodes.reversed())
        while let node = pending.popLast() {
            if let branch = try branchTaken(by: node) {
                pending += try inlined(branch, of: node).reversed()
            } else {
                definition.nodes.append(try reader.node(node))
            }
        }
    }

    /// Nil for other nodes, and if the condition is not known.
    private mutating func branchTaken(by node: Onnx_NodeProto) throws(ONNXImportError) -> Onnx_GraphProto? {
        guard node.opType == "If", node.domain.isEmpty || node.domain == "ai.onnx", let condition = node.input.first,
            let holds = value(ofCondition: condition)
        else { return nil }
        let name = holds ? "then_branch" : "else_branch"
        guard let branch = node.attribute.first(where: { $0.name == name && $0.hasG })?.g else {
            throw ONNXImportError("\(node.place): a graph `\(name)` expected")
        }
        guard branch.output.count == node.output.count else {
            throw ONNXImportError("\(node.place): `\(name)` has \(branch.output.count) outputs, the node \(node.output.count)")
        }
        if let sparse = branch.sparseInitializer.first {
            throw ONNXImportError("initializer `\(sparse.values.name.shortened)`: sparse tensors are not supported", kind: .unsupported)
        }
        return branch
    }

    private mutating func value(ofCondition name: String) -> Bool? {
        if let known = conditions[name] { return known }
        guard conditions.count < BranchReplacement.maximumConditions else { return nil }
        let tensor = definition.knownValue(name)
        let value = tensor?.count == 1 ? tensor?.integers?.first.map { $0 != 0 } : nil
        conditions[name] = .some(value)
        return value
    }

    /// The branch's nodes in names that are unique outside of it.
    private mutating func inlined(_ branch: Onnx_GraphProto, of node: Onnx_NodeProto) throws(ONNXImportError) -> [Onnx_NodeProto] {
        branchCount += 1
        let prefix = "\((node.name.isEmpty ? "If" : node.name).shortened).\(branchCount)"
        let made = Set(branch.node.flatMap(\.output))
        var names: [String: String] = [:]
        for (inner, outer) in zip(branch.output.map(\.name), node.output) where made.contains(inner) && !outer.isEmpty && names[inner] == nil {
            names[inner] = outer
        }
        for name in made.union(branch.initializer.map(\.name)) where !name.isEmpty && names[name] == nil { names[name] = "\(prefix)/\(name)" }
        for initializer in branch.initializer {
            let name = names[initializer.name] ?? initializer.name
            let tensor = try reader.tensors.read(initializer, called: "initializer `\(initializer.name)`")
            guard definition.initializers.updateValue(tensor, forKey: name) == nil else {
                throw ONNXImportError("initializer `\(initializer.name)` is defined twice")
            }
        }
        var nodes = branch.node.map { $0.renamed(names) }
        for index in nodes.indices { nodes[index].name = nodes[index].name.isEmpty ? "" : "\(prefix)/\(nodes[index].name)" }
        // Outputs that nothing in the branch computes, or that are listed twice.
        for (inner, outer) in zip(branch.output.map(\.name), node.output) where !outer.isEmpty && names[inner] != outer {
            var identity = Onnx_NodeProto()
            (identity.name, identity.opType) = ("\(prefix)/\(outer)", "Identity")
            (identity.input, identity.output) = ([names[inner] ?? inner], [outer])
            nodes.append(identity)
        }
        return nodes
    }
}

extension Onnx_NodeProto {
    /// With other names of values, in the graphs that it runs too: those see the values around them.
    fileprivate func renamed(_ names: [String: String]) -> Onnx_NodeProto {
        var result = self
        result.input = input.map { names[$0] ?? $0 }
        result.output = output.map { names[$0] ?? $0 }
        for index in result.attribute.indices where result.attribute[index].hasG {
            result.attribute[index].g.node = attribute[index].g.node.map { $0.renamed(names) }
            for place in result.attribute[index].g.output.indices {
                let name = attribute[index].g.output[place].name
                result.attribute[index].g.output[place].name = names[name] ?? name
            }
        }
        return result
    }
}
