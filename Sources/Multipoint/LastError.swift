import Glibc

/// The calling thread's last error message, as C sees it.
enum LastError {
    /// A key whose destructor frees the thread's message; nil if the process has no keys left (then messages are dropped).
    private static let key: pthread_key_t? = {
        var key = pthread_key_t()
        let status = pthread_key_create(&key) { LastError.release($0) }
        return status == 0 ? key : nil
    }()

    /// Stands for a message that there is no memory for.
    private static let noMemory: StaticString = "out of memory"

    private static func release(_ message: UnsafeMutableRawPointer?) {
        if message != UnsafeMutableRawPointer(mutating: noMemory.utf8Start) { free(message) }
    }

    static func set(_ message: String) {
        clear()
        guard let key else { return }
        let copy = UnsafeMutableRawPointer(strdup(message)) ?? UnsafeMutableRawPointer(mutating: noMemory.utf8Start)
        if pthread_setspecific(key, copy) != 0 { release(copy) }
    }

    @inline(__always)
    static func clear() {
        guard let key, let old = pthread_getspecific(key) else { return }
        pthread_setspecific(key, nil)
        release(old)
    }

    /// Nil if there is none.
    static var current: UnsafePointer<CChar>? {
        guard let key, let message = pthread_getspecific(key) else { return nil }
        return UnsafePointer(message.assumingMemoryBound(to: CChar.self))
    }
}
