import DNNL
import Glibc

/// Tensors one after the other along an axis, copied in one pass. In the order of memory every tensor is [outer, its own bytes].
struct ConcatStep: Step {
    let name: String
    var operation: String { "Concat" }
    var implementation: String { "copy" }
    /// Buffers and their bytes for each outer index.
    let sources: [(buffer: BufferID, byteCount: Int)]
    let destination: BufferID
    let outer: Int
    let threads: Int

    var buffers: [BufferID] { sources.map(\.buffer) + [destination] }
    func bound() throws -> any BoundStep { BoundConcat(self) }
}

private final class BoundConcat: BoundStep {
    private let step: ConcatStep
    private let sources: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    private let byteCounts: UnsafeMutablePointer<Int>
    private let count: Int
    private let total: Int
    private var destination: UnsafeMutableRawPointer?

    init(_ step: ConcatStep) {
        self.step = step
        count = step.sources.count
        total = step.sources.reduce(0) { $0 + $1.byteCount }
        sources = .allocate(capacity: max(1, count))
        sources.initialize(repeating: nil, count: max(1, count))
        byteCounts = .allocate(capacity: max(1, count))
        for (index, source) in step.sources.enumerated() { (byteCounts + index).initialize(to: source.byteCount) }
    }

    deinit {
        sources.deallocate()
        byteCounts.deallocate()
    }

    func move(to addresses: UnsafePointer<UnsafeMutableRawPointer?>) throws(DNNLError) {
        for (index, source) in step.sources.enumerated() { sources[index] = addresses[source.buffer.index] }
        destination = addresses[step.destination.index]
    }

    func run(_ stream: Stream) throws(DNNLError) {
        // Small tensors are not worth waking the other threads.
        let threads = step.outer * total >= 65_536 ? step.threads : 1
        Threads.parallel(threads, Unmanaged.passUnretained(self).toOpaque()) { context in
            guard let context else { return }
            Unmanaged<BoundConcat>.fromOpaque(context)._withUnsafeGuaranteedRef { $0.runPart() }
        }
    }

    private func runPart() {
        guard let destination else { return }
        let share = Threads.share(of: step.outer)
        var offset = 0
        for index in 0..<count {
            let size = byteCounts[index]
            if let source = sources[index] { copy(source, destination + offset, size, share) }
            offset += size
        }
    }

    /// `size` bytes of every outer index, 32 at a time where they are a multiple of that.
    @inline(__always)
    private func copy(_ source: UnsafeMutableRawPointer, _ destination: UnsafeMutableRawPointer, _ size: Int, _ share: Range<Int>) {
        typealias Piece = SIMD32<UInt8>
        var (from, to) = (source + share.lowerBound * size, destination + share.lowerBound * total)
        guard size % 32 == 0, size <= 4096 else {
            for _ in share {
                memcpy(to, from, size)
                (from, to) = (from + size, to + total)
            }
            return
        }
        for _ in share {
            var byte = 0
            while byte < size {
                to.storeBytes(of: from.loadUnaligned(fromByteOffset: byte, as: Piece.self), toByteOffset: byte, as: Piece.self)
                byte += 32
            }
            (from, to) = (from + size, to + total)
        }
    }
}
