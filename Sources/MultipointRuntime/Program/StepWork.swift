import DNNL
import MultipointGraph

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
    var visits: Int { 0 }
    var productWork: Int { 1 }
}

extension PrimitiveStep {
    var kind: StepKind {
        if operand(.weights) != nil { return .layer }
        return ["quantize", "dequantize", "reorder"].contains(operation) ? .conversion : .operation
    }

    /// Twice the products: as many as weights for every output position.
    var operations: Int {
        if let products { return products.multipliedSaturated(by: 2) }
        guard let weights = operand(.weights)?.dimensions, let result = operand(.destination)?.dimensions, result.count > 2 else { return 0 }
        return (weights + [result[0]] + result[2...]).reduce(2) { $0.multipliedSaturated(by: $1) }
    }

    /// By how much slower such kernels are than an int8 convolution's: measured, and rounded up. Channels that fill up oneDNN's blocks are
    /// multiplied like others.
    var productWork: Int {
        if primitive.isReference { return 1024 }
        guard products == nil, let weights = operand(.weights), let result = operand(.destination) else { return 8 }
        let plain = max(1, (elementCount(of: weights.dimensions) ?? .max).multipliedSaturated(by: weights.type?.byteCount ?? 1))
        let padding = weights.byteCount.addingSaturated(plain - 1) / plain
        let isGrouped = weights.dimensions.count > result.dimensions.count
        return max(1, padding).multipliedSaturated(by: isGrouped ? 16 : weights.type == .float32 ? 8 : 1)
    }

    private func operand(_ argument: Argument) -> MemoryDescriptor? { operands.first { $0.argument == argument }?.descriptor }
}

extension SumRowsStep { var kind: StepKind { .sum } }
extension GatherRowsStep { var kind: StepKind { .sum } }
extension QuantizeStep { var kind: StepKind { .conversion } }
extension CopyBytesStep { var kind: StepKind { .conversion } }

extension Program {
    /// About how much one run does, in multiply-adds of an int8 convolution; `multipoint_session_options` says what counts as how much.
    /// - Parameter externals: bytes of the caller's tensors, by external number.
    func work(externals: [Int]) -> Int {
        steps.reduce(0) { sum, step in
            sum.addingSaturated((step.operations / 2).multipliedSaturated(by: step.productWork))
                .addingSaturated(byteCount(of: step, externals: externals).multipliedSaturated(by: 64))
                .addingSaturated(step.visits.multipliedSaturated(by: 256))
        }
    }

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
