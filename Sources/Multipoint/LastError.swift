import Glibc

/// The calling thread's last error message, as C sees it.
enum LastError {
    /// A key whose destructor frees the thread's message; nil if the process has no keys left (then messages are dropped).
    private static let key: pthread_key_t? = {
        var key = pthread_key_t()
        let status = pthread_key_create(&key) { free($0) }
        return status == 0 ? key : nil
    }()

    static func set(_ message: String) {
        clear()
        guard let key, let copy = strdup(message) else { return }
        pthread_setspecific(key, copy)
    }

    @inline(__always)
    static func clear() {
        guard let key, let old = pthread_getspecific(key) else { return }
        pthread_setspecific(key, nil)
        free(old)
    }

    /// Nil if there is none.
    static var current: UnsafePointer<CChar>? {
        guard let key, let message = pthread_getspecific(key) else { return nil }
        return UnsafePointer(message.assumingMemoryBound(to: CChar.self))
    }
}
