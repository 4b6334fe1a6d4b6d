import CDNNL

/// The CPU engine. One for the process's life: oneDNN's CPU engine holds no state of its own.
public final class Engine: @unchecked Sendable {
    let handle: dnnl_engine_t

    private static let created: Result<Engine, DNNLError> = Result { () throws(DNNLError) in try Engine() }

    /// The process's engine.
    public static func cpu() throws(DNNLError) -> Engine { try created.get() }

    private init() throws(DNNLError) {
        var engine: dnnl_engine_t?
        try check(dnnl_engine_create(&engine, dnnl_cpu, 0), "create CPU engine")
        guard let engine else { throw DNNLError(call: "create CPU engine", status: dnnl_runtime_error.rawValue) }
        handle = engine
    }

    deinit { dnnl_engine_destroy(handle) }
}

/// An in-order queue of primitive executions. On the CPU every execution finishes before its call returns. One thread at a time.
public final class Stream: @unchecked Sendable {
    let handle: dnnl_stream_t

    public init() throws(DNNLError) {
        var stream: dnnl_stream_t?
        try check(dnnl_stream_create(&stream, Engine.cpu().handle, dnnl_stream_default_flags.rawValue), "create stream")
        guard let stream else { throw DNNLError(call: "create stream", status: dnnl_runtime_error.rawValue) }
        handle = stream
    }

    deinit { dnnl_stream_destroy(handle) }
}
