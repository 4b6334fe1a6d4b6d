import DNNL

/// What a step is for.
public enum StepKind: Sendable {
    /// The product of a layer's weights and its input.
    case layer
    /// Adds up rows that do not fold.
    case sum
    /// Changes a tensor's type or layout.
    case conversion
    /// An operation without weights: pooling, addition, activation, rearrangement.
    case operation
}

extension Step {
    var kind: StepKind { .operation }
    var operations: Int { 0 }
}

extension PrimitiveStep {
    var kind: StepKind {
        if operand(.weights) != nil { return .layer }
        return ["quantize", "dequantize", "reorder"].contains(operation) ? .conversion : .operation
    }

    /// Twice the products: as many as weights for every output position.
    var operations: Int {
        guard let weights = operand(.weights)?.dimensions, let result = operand(.destination)?.dimensions, result.count > 2 else { return 0 }
        return 2 * weights.reduce(1, *) * result[0] * result[2...].reduce(1, *)
    }

    private func operand(_ argument: Argument) -> MemoryDescriptor? { operands.first { $0.argument == argument }?.descriptor }
}

extension SumRowsStep { var kind: StepKind { .sum } }
extension GatherRowsStep { var kind: StepKind { .sum } }
extension QuantizeStep { var kind: StepKind { .conversion } }
extension CopyBytesStep { var kind: StepKind { .conversion } }

extension Program {
    /// Bytes of what does not change from run to run, counted once where several steps read it.
    var constantByteCount: Int {
        var buffers: [ObjectIdentifier: Int] = [:]
        for case .constant(let buffer) in self.buffers { buffers[ObjectIdentifier(buffer)] = buffer.byteCount }
        return buffers.values.reduce(0, +)
    }

    /// Bytes of the tensors that a step reads and writes.
    /// - Parameter externals: bytes of the caller's tensors, by external number.
    func byteCount(of step: any Step, externals: [Int]) -> Int {
        Set(step.buffers).reduce(0) { sum, buffer in
            switch buffers[buffer.index] {
            case .arena(let byteCount): sum + byteCount
            case .constant(let constant): sum + constant.byteCount
            case .external(let number): sum + (externals.indices.contains(number) ? externals[number] : 0)
            }
        }
    }
}
