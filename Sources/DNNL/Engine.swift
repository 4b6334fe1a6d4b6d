import CDNNL
import Synchronization

/// The CPU engine. One for the process's life: oneDNN's CPU engine holds no state of its own.
public final class Engine: @unchecked Sendable {
    let handle: dnnl_engine_t

    /// The address of one that is retained for ever; 0 until it could be made. No lock: a forked child might find it taken.
    private static let shared = Atomic<UInt>(0)

    /// The process's engine.
    public static func cpu() throws(DNNLError) -> Engine {
        if let known = engine(at: shared.load(ordering: .acquiring)) { return known }
        let made = try Engine()
        let address = UInt(bitPattern: Unmanaged.passRetained(made).toOpaque())
        let (exchanged, before) = shared.compareExchange(expected: 0, desired: address, ordering: .acquiringAndReleasing)
        guard !exchanged, let known = engine(at: before) else { return made }
        Unmanaged.passUnretained(made).release()
        return known
    }

    private static func engine(at address: UInt) -> Engine? {
        UnsafeRawPointer(bitPattern: address).map { Unmanaged<Engine>.fromOpaque($0).takeUnretainedValue() }
    }

    private init() throws(DNNLError) {
        var engine: dnnl_engine_t?
        try check(onednn_engine_create(&engine), "create CPU engine")
        guard let engine else { throw DNNLError(call: "create CPU engine", status: dnnl_runtime_error.rawValue) }
        handle = engine
    }

    deinit { dnnl_engine_destroy(handle) }
}

/// An in-order queue of primitive executions. On the CPU every execution finishes before its call returns. One thread at a time.
public final class Stream: @unchecked Sendable {
    let handle: dnnl_stream_t

    public init() throws(DNNLError) {
        try requireHeadroom("create stream")
        var stream: dnnl_stream_t?
        try check(onednn_stream_create(&stream, Engine.cpu().handle), "create stream")
        guard let stream else { throw DNNLError(call: "create stream", status: dnnl_runtime_error.rawValue) }
        handle = stream
    }

    deinit { dnnl_stream_destroy(handle) }
}
