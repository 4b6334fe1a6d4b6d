import DNNL
import MultipointGraph
import MultipointRuntime

/// One layer's product as the bare oneDNN primitive: its own shape, weights of its own, neither bias, scale nor activation. What a
/// runtime that leaves its products to oneDNN cannot beat.
final class FloorProduct {
    /// The node that the product belongs to.
    let node: String
    let implementation: String
    let operations: Int
    /// Bytes that the largest source and destination of any of the primitives need.
    let sourceByteCount: Int
    let destinationByteCount: Int
    private let runs: [(primitive: Primitive, arguments: ArgumentList)]
    private let memories: [(memory: Memory, place: Place)]
    private let buffers: [AlignedBuffer]

    private enum Place { case source, destination }

    struct Shape {
        var source: [Int]
        /// With groups where there are any: [group, out / group, in / group, height, width].
        var weights: [Int]
        var destination: [Int]
        var window: Window

        /// - Parameters:
        ///   - input: the shapes of the layer's input and output in the network.
        init(_ layer: Layer, input: [Int], output: [Int]) {
            switch layer.operation {
            case .gemm:
                // M vectors as an image of 1 × M positions, as sessions run it.
                let vectors = input.dropLast().reduce(1, *)
                source = [1, layer.inputChannels, 1, vectors]
                destination = [1, layer.channels, 1, vectors]
                weights = layer.shape + [1, 1]
                window = Window(kernel: [1, 1], strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1])
            case .convolution(let attributes):
                (source, destination) = (input, output)
                weights = layer.shape
                if attributes.group > 1 { weights = [attributes.group, layer.shape[0] / attributes.group] + layer.shape[1...] }
                window = Window(
                    kernel: Array(layer.shape[2...]), strides: attributes.strides, pads: attributes.pads,
                    dilations: attributes.dilations)
            }
        }

        var operations: Int { 2 * weights.reduce(1, *) * destination[0] * destination[2...].reduce(1, *) }
        var rowLength: Int { weights.suffix(3).reduce(1, *) }
    }

    /// u8 to u8, channels last.
    static func integer(node: String, _ shape: Shape) throws -> FloorProduct {
        let (source, destination) = (
            try MemoryDescriptor.channelsLast(shape.source, .uint8), try MemoryDescriptor.channelsLast(shape.destination, .uint8)
        )
        let primitive = try convolution(
            source: source, weights: .any(shape.weights, .int8), bias: nil, destination: destination, window: shape.window)
        return try FloorProduct(node: node, shape, source, destination, [Stage(primitive, .source, .destination)])
    }

    /// Float, in the layouts that oneDNN likes best; with `conversions`, from u8 channels last and back to it.
    static func float(node: String, _ shape: Shape, conversions: Bool) throws -> FloorProduct {
        let primitive = try convolution(
            source: .any(shape.source, .float32), weights: .any(shape.weights, .float32), bias: nil,
            destination: .any(shape.destination, .float32), window: shape.window)
        guard let from = try primitive.source(), let to = try primitive.destination() else {
            throw CommandError("node `\(node)`: oneDNN names no layouts")
        }
        guard conversions else { return try FloorProduct(node: node, shape, from, to, [Stage(primitive, .source, .destination)]) }
        let (source, destination) = (
            try MemoryDescriptor.channelsLast(shape.source, .uint8), try MemoryDescriptor.channelsLast(shape.destination, .uint8)
        )
        let (unpacked, sums) = (try AlignedBuffer(byteCount: from.byteCount), try AlignedBuffer(byteCount: to.byteCount))
        return try FloorProduct(
            node: node, shape, source, destination,
            [
                Stage(try reorder(from: source, to: from), .source, .own(unpacked, from)),
                Stage(primitive, .own(unpacked, from), .own(sums, to)),
                Stage(try reorder(from: to, to: destination), .own(sums, to), .destination),
            ])
    }

    private struct Stage {
        enum Operand {
            case source, destination
            case own(AlignedBuffer, MemoryDescriptor)
        }

        var primitive: Primitive
        var from: Operand
        var to: Operand

        init(_ primitive: Primitive, _ from: Operand, _ to: Operand) { (self.primitive, self.from, self.to) = (primitive, from, to) }
    }

    private init(
        node: String, _ shape: Shape, _ source: MemoryDescriptor, _ destination: MemoryDescriptor, _ stages: [Stage]
    ) throws {
        self.node = node
        operations = shape.operations
        implementation = stages.map(\.primitive.implementation).joined(separator: ", ")
        (sourceByteCount, destinationByteCount) = (source.byteCount, destination.byteCount)
        var (memories, buffers, runs): ([(Memory, Place)], [AlignedBuffer], [(Primitive, ArgumentList)]) = ([], [], [])
        func memory(_ operand: Stage.Operand) throws -> Memory {
            switch operand {
            case .source, .destination:
                let isSource = if case .source = operand { true } else { false }
                let memory = try Memory(isSource ? source : destination)
                memories.append((memory, isSource ? .source : .destination))
                return memory
            case .own(let buffer, let descriptor):
                buffers.append(buffer)
                return try Memory(descriptor, data: buffer.base)
            }
        }
        for stage in stages {
            var arguments = [(Argument.source, try memory(stage.from)), (.destination, try memory(stage.to))]
            for (argument, descriptor) in [(Argument.weights, try stage.primitive.weights()), (.scratchpad, try stage.primitive.scratchpad())] {
                // A reorder's "weights" are nothing.
                guard let descriptor, descriptor.byteCount > 0 else { continue }
                let buffer = try AlignedBuffer(byteCount: descriptor.byteCount)
                buffer.fillWithWeights(descriptor, rowLength: shape.rowLength)
                buffers.append(buffer)
                arguments.append((argument, try Memory(descriptor, data: buffer.base)))
            }
            runs.append((stage.primitive, ArgumentList(arguments, of: stage.primitive)))
        }
        (self.memories, self.buffers, self.runs) = (memories, buffers, runs)
    }

    func place(source: UnsafeMutableRawPointer, destination: UnsafeMutableRawPointer) throws {
        for (memory, place) in memories {
            switch place {
            case .source: try memory.setData(source)
            case .destination: try memory.setData(destination)
            }
        }
    }

    func run(_ stream: Stream) throws {
        for (primitive, arguments) in runs { try primitive.execute(stream, arguments) }
    }
}

extension AlignedBuffer {
    /// Deterministic noise: integers from −63 to 63, or floats that neither grow nor vanish from layer to layer (denormal numbers are
    /// slow).
    fileprivate func fillWithWeights(_ descriptor: MemoryDescriptor, rowLength: Int) {
        var noise = Noise()
        if descriptor.type == .float32 {
            let amplitude = (3 / Float(max(1, rowLength))).squareRoot()
            let values = base.assumingMemoryBound(to: Float.self)
            for index in 0..<(byteCount / 4) { values[index] = amplitude * noise.next() }
        } else {
            let values = base.assumingMemoryBound(to: Int8.self)
            for index in 0..<byteCount { values[index] = Int8(63 * noise.next()) }
        }
    }
}

/// Uniform in −1 to 1 (Numerical Recipes' linear congruential generator).
struct Noise {
    private var state: UInt32 = 1

    mutating func next() -> Float {
        state = state &* 1_664_525 &+ 1_013_904_223
        return Float(Int32(bitPattern: state)) / 2_147_483_648
    }
}
