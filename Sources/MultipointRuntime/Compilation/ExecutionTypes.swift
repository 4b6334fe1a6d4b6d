import DNNL
import MultipointGraph

/// What a network keeps and multiplies in 8 bits, found by compiling it for the smallest batch.
public struct ExecutionTypes: Sendable {
    /// Whether a value is kept in 8 bits. Values that are not there exist nowhere: they are part of a layer's work.
    public let isStoredIn8Bits: [String: Bool]
    /// Nodes with a layer whose product is of 8-bit tensors.
    public let nodesIn8Bits: Set<String>

    /// - Throws: `RuntimeError` or `DNNLError` if the network cannot be compiled on this machine.
    public init(_ prepared: PreparedNetwork) throws {
        let network = prepared.network
        let interface = ProgramInterface(
            batch: 1, inputs: network.inputs.map { _ in .dense }, outputs: network.outputs.map { _ in .dense })
        let (program, values) = try NetworkCompiler.compileTraced(
            prepared, interface, try prepared.shapes(batch: 1), outputs: network.outputs.map(\.name), threads: 1)
        isStoredIn8Bits = values.mapValues { $0.value.type == .uint8 }
        nodesIn8Bits = Set(program.steps.lazy.filter(\.multiplies8Bits).map(\.name))
    }
}

extension Step {
    fileprivate var multiplies8Bits: Bool {
        guard let step = self as? PrimitiveStep else { return false }
        return step.operands.contains { $0.argument == .weights && $0.descriptor.type == .int8 }
    }
}
