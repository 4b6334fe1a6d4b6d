import CElementwise
import DNNL
import MultipointGraph

/// Functions of two operands that broadcast.
extension NetworkCompiler {
    mutating func emitBinary(_ node: Node, _ function: Binary) throws {
        if storage(of: node.output).quantization != nil, node.operation.eightBits == .combining {
            return try emitCombination(node, function.kind, isQuantized: true)
        }
        if let algorithm = function.algorithm, try emitPrimitive(node, algorithm) { return }
        try emitCombination(node, function.kind, isQuantized: false)
    }

    mutating func emitPrelu(_ node: Node) throws {
        try emitCombination(node, MULTIPOINT_PRELU, isQuantized: storage(of: node.output).quantization != nil)
    }

    /// On floats, where oneDNN has a kernel for the shapes: the second operand whole, a single number, or one number per channel. False
    /// elsewhere: its reference implementation is slower than our loop.
    private mutating func emitPrimitive(_ node: Node, _ algorithm: BinaryAlgorithm) throws -> Bool {
        let shape = try self.shape(node.output)
        let layout: Layout = shape.count == 4 ? .channelsLast : .dense
        let isWhole = try (0..<2).map { try operandShape(node.inputs[$0], rank: shape.count) == shape }
        guard isWhole[0] || (isWhole[1] && algorithm.isCommutative) else { return false }
        var (first, second) = (try operand(node.inputs[0], shape, layout), try operand(node.inputs[1], shape, layout))
        if !isWhole[0] { swap(&first, &second) }
        let result = try builder.value(shape, layout, .float32)
        let (a, b, to) = (try first.descriptor(), try second.descriptor(), try result.descriptor())
        guard let primitive = try? binary(algorithm, a, b, destination: to), !primitive.isReference else { return false }
        try builder.append(
            primitive, name: node.name, operation: operationName(node),
            [(.source, a, first.buffer), (.secondSource, b, second.buffer), (.destination, to, result.buffer)])
        values[node.output] = result
        return true
    }

    /// By our own loop: any broadcasting, and operands and results in 8 bits.
    private mutating func emitCombination(_ node: Node, _ kind: multipoint_binary_kind, isQuantized: Bool) throws {
        let shape = try self.shape(node.output)
        let quantization = isQuantized ? storage(of: node.output).quantization : nil
        try quantization?.requireInverse(node.name)
        let result = try builder.value(
            shape, shape.count == 4 ? .channelsLast : .dense, quantization == nil ? .float32 : .uint8, quantization)
        let operands = try node.inputs.prefix(2).map { try operand($0, shape, result.layout, keepsBytes: isQuantized) }
        guard operands.count == 2 else { throw RuntimeError(.invalidArgument, "node `\(node.name)`: two inputs expected") }
        let order = result.memoryOrder
        let merged = BroadcastAxes(
            shape: order.map { shape[$0] }, first: order.map { operands[0].broadcastStrides[$0] },
            second: order.map { operands[1].broadcastStrides[$0] })
        builder.append(
            CombineStep(
                name: node.name, operation: operationName(node), kind: kind,
                first: .init(buffer: operands[0].buffer, quantization: operands[0].quantization, strides: merged.first),
                second: .init(buffer: operands[1].buffer, quantization: operands[1].quantization, strides: merged.second),
                destination: result.buffer, quantization: quantization, shape: merged.shape, threads: builder.threads))
        values[node.output] = result
    }

    private func operandShape(_ name: String, rank: Int) throws(RuntimeError) -> [Int] {
        let known = network.constants[name]?.shape
        let shape = if let known { known } else { try self.shape(name) }
        return [Int](repeating: 1, count: max(0, rank - shape.count)) + shape
    }

    /// An operand with as many dimensions as the result (NumPy broadcasting: ones are put in front).
    private mutating func operand(_ name: String, _ shape: [Int], _ layout: Layout, keepsBytes: Bool = false) throws -> StoredValue {
        var value: StoredValue
        if let constant = network.constants[name] {
            value = try constantValue(constant, name)
            value.shape = try operandShape(name, rank: shape.count)
            // Constants are in C order; where that matters they are laid out anew.
            if !value.layoutsAgree, layout == .channelsLast { value = try channelsLastValue(constant, name, value.shape) }
        } else {
            // A value of fewer dimensions gets ones in front, which is only a relabelling in C order.
            let layout: Layout = try self.shape(name).count == shape.count ? layout : .dense
            let stored = try self.value(name)
            let isQuantized = keepsBytes && stored.type == .uint8
            value = try converted(name, layout, isQuantized ? .uint8 : .float32, isQuantized ? stored.quantization : nil)
            value.shape = [Int](repeating: 1, count: max(0, shape.count - value.shape.count)) + value.shape
        }
        if value.layoutsAgree { value.layout = layout }
        return value
    }

    func constantValue(_ tensor: Tensor, _ name: String) throws -> StoredValue {
        let floats = try floats(tensor, name)
        let buffer = try prepared.constants.buffer(.init(name: name, channelsLast: nil)) {
            let buffer = try AlignedBuffer(byteCount: floats.count * 4)
            buffer.base.copyMemory(from: floats, byteCount: floats.count * 4)
            return buffer
        }
        return StoredValue(shape: tensor.shape, layout: .dense, type: .float32, buffer: builder.buffer(.constant(buffer)))
    }

    private func channelsLastValue(_ tensor: Tensor, _ name: String, _ shape: [Int]) throws -> StoredValue {
        let floats = try floats(tensor, name)
        let (channels, positions) = (shape[1], shape[2...].reduce(1, *))
        let buffer = try prepared.constants.buffer(.init(name: name, channelsLast: shape)) {
            let buffer = try AlignedBuffer(byteCount: floats.count * 4)
            let result = buffer.base.bindMemory(to: Float.self, capacity: floats.count)
            for (index, value) in floats.enumerated() {
                let (image, channel, position) = (index / (channels * positions), index / positions % channels, index % positions)
                (result + (image * positions + position) * channels + channel).initialize(to: value)
            }
            return buffer
        }
        return StoredValue(shape: shape, layout: .channelsLast, type: .float32, buffer: builder.buffer(.constant(buffer)))
    }

    private func floats(_ tensor: Tensor, _ name: String) throws(RuntimeError) -> [Float] {
        guard let floats = tensor.floats else {
            throw RuntimeError(.unsupported, "constant `\(name)` holds integers; floats are expected")
        }
        return floats
    }
}

/// A result's axes in the order of memory, and two operands' strides over them; axes that both operands cross alike are one.
struct BroadcastAxes: Equatable {
    private(set) var shape: [Int] = []
    private(set) var first: [Int] = []
    private(set) var second: [Int] = []

    init(shape all: [Int], first a: [Int], second b: [Int]) {
        for axis in all.indices where all[axis] > 1 {
            if let last = shape.indices.last, first[last] == a[axis] * all[axis], second[last] == b[axis] * all[axis] {
                shape[last] *= all[axis]
                (first[last], second[last]) = (a[axis], b[axis])
            } else {
                shape.append(all[axis])
                first.append(a[axis])
                second.append(b[axis])
            }
        }
        if shape.isEmpty { (shape, first, second) = ([1], [0], [0]) }
        // Runs are along the last axis.
        if first.last ?? 0 > 1 || second.last ?? 0 > 1 {
            shape.append(1)
            first.append(0)
            second.append(0)
        }
    }
}

extension StoredValue {
    /// 0 along axes of one element.
    fileprivate var broadcastStrides: [Int] { zip(shape, strides).map { $0 == 1 ? 0 : $1 } }
}

extension BinaryAlgorithm {
    fileprivate var isCommutative: Bool {
        switch self {
        case .add, .multiply, .minimum, .maximum: true
        case .subtract, .divide: false
        }
    }
}
