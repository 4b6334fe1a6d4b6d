import CDNNL
import Glibc

/// oneDNN's view of a piece of memory that somebody else owns. Not for several threads at once.
public final class Memory {
    let handle: dnnl_memory_t

    /// - Parameter data: may be nil until `setData`.
    public init(_ descriptor: MemoryDescriptor, data: UnsafeMutableRawPointer? = nil) throws(DNNLError) {
        var memory: dnnl_memory_t?
        // A nil handle is oneDNN's DNNL_MEMORY_NONE: no memory of its own is allocated.
        try check(onednn_memory_create(&memory, descriptor.handle, Engine.cpu().handle, data), "create memory")
        guard let memory else { throw DNNLError(call: "create memory", status: dnnl_runtime_error.rawValue) }
        handle = memory
    }

    /// Points the view at other memory. Allocates nothing.
    public func setData(_ data: UnsafeMutableRawPointer?) throws(DNNLError) {
        try check(onednn_memory_set_data(handle, data), "set memory handle")
    }

    deinit { dnnl_memory_destroy(handle) }
}

/// A vector that a primitive reads at every execution and that never changes.
final class ConstantOperand: @unchecked Sendable {
    let argument: Int32
    let memory: Memory
    private let values: UnsafeMutableRawPointer

    init<Value: BitwiseCopyable>(_ argument: Int32, _ values: [Value], _ type: ElementType) throws(DNNLError) {
        self.argument = argument
        let byteCount = values.count * MemoryLayout<Value>.stride
        // Unlike Swift's allocator this one may fail.
        guard let copy = aligned_alloc(64, max(64, (byteCount + 63) & ~63)) else {
            throw DNNLError(call: "keep \(values.count) constants", status: dnnl_out_of_memory.rawValue)
        }
        values.withUnsafeBytes { if let base = $0.baseAddress { copy.copyMemory(from: base, byteCount: byteCount) } }
        self.values = copy
        do throws(DNNLError) {
            memory = try Memory(try MemoryDescriptor([values.count], type), data: copy)
        } catch {
            free(copy)
            throw error
        }
    }

    deinit { free(values) }
}
