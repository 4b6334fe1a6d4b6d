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

private final class BoundConcat: BoundLoop {
    private let byteCounts: CArray<Int>
    private let count: Int
    private let total: Int

    init(_ step: ConcatStep) {
        byteCounts = CArray(step.sources.map(\.byteCount))
        count = step.sources.count
        total = step.sources.reduce(0) { $0 + $1.byteCount }
        super.init(step.buffers, pieces: step.outer, work: step.outer * total, leastWork: 65_536, threads: step.threads)
    }

    override func run(_ share: Range<Int>) {
        // Behind the sources.
        guard let destination = addresses[count] else { return }
        var offset = 0
        for index in 0..<count {
            let size = byteCounts.base[index]
            if let source = addresses[index] { copy(source, destination + offset, size, share) }
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
