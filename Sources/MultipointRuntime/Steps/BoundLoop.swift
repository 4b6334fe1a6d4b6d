import DNNL

/// A step of our own that works piece by piece, in several threads where that is worth waking them.
class BoundLoop: SharedWork, BoundStep {
    /// Of the step's buffers, in its order.
    let addresses: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    private let buffers: [BufferID]
    private let threads: Int

    /// - Parameters:
    ///   - pieces: that can be worked on apart.
    ///   - work: about how many elements are touched in all.
    ///   - leastWork: from which on the other threads are worth waking.
    init(_ buffers: [BufferID], pieces: Int, work: Int, leastWork: Int = 32_768, threads: Int) {
        self.buffers = buffers
        self.threads = work >= leastWork ? min(threads, pieces) : 1
        addresses = .allocate(capacity: max(1, buffers.count))
        addresses.initialize(repeating: nil, count: max(1, buffers.count))
        super.init(pieces: pieces)
    }

    deinit { addresses.deallocate() }

    func move(to all: UnsafePointer<UnsafeMutableRawPointer?>) throws(DNNLError) {
        for (index, buffer) in buffers.enumerated() {
            addresses[index] = all[buffer.index]
        }
    }

    func run(_ stream: Stream) throws(DNNLError) { runAll(threads: threads) }

    final func floats(_ index: Int) -> UnsafeMutablePointer<Float>? { addresses[index]?.assumingMemoryBound(to: Float.self) }
    final func bytes(_ index: Int) -> UnsafeMutablePointer<UInt8>? { addresses[index]?.assumingMemoryBound(to: UInt8.self) }
}

/// Constants that a bound step hands to C for as long as it lives.
final class CArray<Element> {
    let base: UnsafeMutablePointer<Element>

    init(_ elements: [Element]) {
        base = .allocate(capacity: max(1, elements.count))
        base.initialize(from: elements, count: elements.count)
    }

    /// - Note: `Element` is trivial.
    deinit { base.deallocate() }
}
