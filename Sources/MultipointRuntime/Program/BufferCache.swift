import DNNL
import Synchronization

/// Weights and constants in the layouts in which programs read them, each made once and shared.
final class BufferCache<Key: Equatable & Sendable>: Sendable {
    private let entries = Mutex<[(key: Key, buffer: ConstantBuffer)]>([])

    /// The cached buffer for a key, or a new one that `make` fills. The lock is not held meanwhile. Of two threads that make the same,
    /// one throws its buffer away.
    func buffer(_ key: Key, _ make: () throws -> ConstantBuffer) throws -> ConstantBuffer {
        func find(_ entries: [(key: Key, buffer: ConstantBuffer)]) -> ConstantBuffer? { entries.first { $0.key == key }?.buffer }
        if let found = Fork.excluded({ entries.withLock { find($0) } }) { return found }
        let buffer = try make()
        return Fork.excluded {
            entries.withLock { entries in
                if let found = find(entries) { return found }
                entries.append((key, buffer))
                return buffer
            }
        }
    }
}
