import CDNNL

/// A compiled operation. Immutable; may be executed by several threads at once, each with its own memories and scratchpad.
public final class Primitive: @unchecked Sendable {
    let handle: dnnl_primitive_t
    private let descriptor: dnnl_primitive_desc_t

    /// oneDNN's name of the implementation that it chose, such as "jit_int8:avx2".
    public let implementation: String

    /// What every execution is given beside the caller's operands.
    let constants: [ConstantOperand]

    /// Takes over a primitive descriptor.
    init(_ descriptor: dnnl_primitive_desc_t, _ what: String, constants: [ConstantOperand] = []) throws(DNNLError) {
        self.descriptor = descriptor
        self.constants = constants
        var primitive: dnnl_primitive_t?
        let status = onednn_primitive_create(&primitive, descriptor)
        guard status == dnnl_success, let primitive else {
            dnnl_primitive_desc_destroy(descriptor)
            throw DNNLError(call: "create \(what)", status: status.rawValue)
        }
        handle = primitive
        implementation = implementationName(descriptor)
    }

    /// Compiles an operation.
    /// - Parameters:
    ///   - refuses: turns down an implementation by name; the next one that oneDNN has is tried.
    ///   - choose: asks oneDNN for the implementations of the operation with these attributes on this engine.
    convenience init(
        _ what: String, _ attributes: Attributes, scaling scaled: Attributes.Scaled = .source,
        refusing refuses: (String) -> Bool = { _ in false },
        _ choose: (inout onednn_choice?, dnnl_engine_t, dnnl_primitive_attr_t?) -> dnnl_status_t
    ) throws(DNNLError) {
        try requireHeadroom("create \(what)")
        let engine = try Engine.cpu().handle
        // Before the descriptor, which nobody would destroy if they cannot be made.
        let constants = try attributes.constants(scaled)
        let descriptor = try attributes.withHandle(scaled) { (attributes) throws(DNNLError) in
            var choice: onednn_choice?
            try check(choose(&choice, engine, attributes), "create \(what)")
            defer { onednn_choice_destroy(choice) }
            while true {
                var found: dnnl_primitive_desc_t?
                try check(onednn_choice_fetch(choice, &found), "create \(what)")
                guard let found else { throw DNNLError(call: "create \(what)", status: dnnl_out_of_memory.rawValue) }
                if !refuses(implementationName(found)) { return found }
                dnnl_primitive_desc_destroy(found)
                try check(onednn_choice_next(choice), "create \(what)")
            }
        }
        try self.init(descriptor, what, constants: constants)
    }

    deinit {
        dnnl_primitive_destroy(handle)
        dnnl_primitive_desc_destroy(descriptor)
    }

    /// The reference implementations are 50 to 450 times slower than the others.
    public var isReference: Bool { implementation.contains("ref") }

    /// What the primitive wants its operands to look like. Nil if it has no such operand.
    public func source() throws(DNNLError) -> MemoryDescriptor? { try query(dnnl_query_src_md) }
    public func weights() throws(DNNLError) -> MemoryDescriptor? { try query(dnnl_query_weights_md) }
    public func destination() throws(DNNLError) -> MemoryDescriptor? { try query(dnnl_query_dst_md) }
    /// Nil if no scratchpad is needed.
    public func scratchpad() throws(DNNLError) -> MemoryDescriptor? {
        guard let descriptor = try query(dnnl_query_scratchpad_md), descriptor.byteCount > 0 else { return nil }
        return descriptor
    }

    private func query(_ what: dnnl_query_t) throws(DNNLError) -> MemoryDescriptor? {
        var found: onednn_desc?
        try check(onednn_desc_of(&found, descriptor, what), "describe operand")
        return found.map { MemoryDescriptor($0) }
    }

    /// Runs and waits. Allocates nothing of its own.
    public func execute(_ stream: Stream, _ arguments: ArgumentList) throws(DNNLError) {
        try check(onednn_execute(handle, stream.handle, arguments.count, arguments.pointer), implementation)
    }
}

private func implementationName(_ descriptor: dnnl_primitive_desc_t) -> String {
    var name: UnsafePointer<CChar>?
    dnnl_primitive_desc_query(descriptor, dnnl_query_impl_info_str, 0, &name)
    return name.map { String(cString: $0) } ?? "unknown"
}

/// Which operand of a primitive a memory is.
public enum Argument: Hashable, Sendable {
    case source
    /// Second operand of a binary operation.
    case secondSource
    case weights
    case bias
    case destination
    case scratchpad
    /// The operand of the post-operation of that index.
    case postOperand(Int)

    /// DNNL_ARG_ATTR_MULTIPLE_POST_OP is a function-like macro, not imported to Swift.
    var dnnl: Int32 {
        switch self {
        case .source: DNNL_ARG_SRC
        case .secondSource: DNNL_ARG_SRC_1
        case .weights: DNNL_ARG_WEIGHTS
        case .bias: DNNL_ARG_BIAS
        case .destination: DNNL_ARG_DST
        case .scratchpad: DNNL_ARG_SCRATCHPAD
        case .postOperand(let index):
            (DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE * (Int32(truncatingIfNeeded: index) + 1)) | DNNL_ARG_SRC_1
        }
    }
}

/// A primitive's operands, ready to be handed over at each execution.
public final class ArgumentList {
    let pointer: UnsafeMutablePointer<dnnl_exec_arg_t>
    let count: Int32
    private let memories: [Memory]
    private let constants: [ConstantOperand]

    public init(_ arguments: [(Argument, Memory)], of primitive: Primitive) {
        let all = arguments.map { ($0.0.dnnl, $0.1) } + primitive.constants.map { ($0.argument, $0.memory) }
        pointer = .allocate(capacity: max(1, all.count))
        for (index, (argument, memory)) in all.enumerated() {
            (pointer + index).initialize(to: dnnl_exec_arg_t(arg: argument, memory: memory.handle))
        }
        count = Int32(clamping: all.count)
        memories = all.map(\.1)
        constants = primitive.constants
    }

    deinit { pointer.deallocate() }
}
