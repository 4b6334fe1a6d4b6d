import DNNL

/// One oneDNN primitive.
final class PrimitiveStep: Step {
    struct Operand: Sendable {
        var argument: Argument
        var descriptor: MemoryDescriptor
        var buffer: BufferID
    }

    let name: String
    let operation: String
    let primitive: Primitive
    let operands: [Operand]
    /// Multiplications and additions of a product of two matrices; nil for everything else.
    let products: Int?
    let visits: Int

    init(name: String, operation: String, primitive: Primitive, operands: [Operand], products: Int?, visits: Int) {
        self.name = name
        self.operation = operation
        self.primitive = primitive
        self.operands = operands
        self.products = products
        self.visits = visits
    }

    var implementation: String { primitive.implementation }
    var buffers: [BufferID] { operands.map(\.buffer) }
    func bound() throws -> any BoundStep { try BoundPrimitive(self) }
}

private final class BoundPrimitive: BoundStep {
    private let primitive: Primitive
    private let arguments: ArgumentList
    private let memories: [(buffer: Int, memory: Memory)]

    init(_ step: PrimitiveStep) throws {
        primitive = step.primitive
        let bound = try step.operands.map { ($0, try Memory($0.descriptor)) }
        memories = bound.map { ($0.0.buffer.index, $0.1) }
        arguments = ArgumentList(bound.map { ($0.0.argument, $0.1) }, of: step.primitive)
    }

    func move(to addresses: UnsafePointer<UnsafeMutableRawPointer?>) throws(DNNLError) {
        for (buffer, memory) in memories { try memory.setData(addresses[buffer]) }
    }

    func run(_ stream: Stream) throws(DNNLError) { try primitive.execute(stream, arguments) }
}

extension ProgramBuilder {
    /// Appends a primitive, with a scratchpad in the arena if it wants one.
    func append(
        _ primitive: Primitive, name: String, operation: String, _ operands: [(Argument, MemoryDescriptor, BufferID)],
        products: Int? = nil, visits: Int = 0
    ) throws(DNNLError) {
        var all = operands.map { PrimitiveStep.Operand(argument: $0.0, descriptor: $0.1, buffer: $0.2) }
        if let scratchpad = try primitive.scratchpad() {
            all.append(
                .init(
                    argument: .scratchpad, descriptor: scratchpad, buffer: buffer(.arena(byteCount: scratchpad.byteCount))))
        }
        append(PrimitiveStep(name: name, operation: operation, primitive: primitive, operands: all, products: products, visits: visits))
    }
}
