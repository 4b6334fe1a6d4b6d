import CDNNL

/// oneDNN's view of a piece of memory that somebody else owns. Not for several threads at once.
public final class Memory {
    let handle: dnnl_memory_t

    /// - Parameter data: may be nil until `setData`.
    public init(_ descriptor: MemoryDescriptor, data: UnsafeMutableRawPointer? = nil) throws(DNNLError) {
        var memory: dnnl_memory_t?
        var value = descriptor.value
        // A nil handle is oneDNN's DNNL_MEMORY_NONE: no memory of its own is allocated.
        try check(dnnl_memory_create(&memory, &value, Engine.cpu().handle, data), "create memory")
        guard let memory else { throw DNNLError(call: "create memory", status: dnnl_runtime_error.rawValue) }
        handle = memory
    }

    /// Points the view at other memory. Allocates nothing.
    public func setData(_ data: UnsafeMutableRawPointer?) throws(DNNLError) {
        try check(dnnl_memory_set_data_handle(handle, data), "set memory handle")
    }

    deinit { dnnl_memory_destroy(handle) }
}
