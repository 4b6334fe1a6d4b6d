import DNNL
import Glibc

/// 64-byte-aligned memory.
public final class AlignedBuffer: @unchecked Sendable {
    public static let alignment = 64
    public let base: UnsafeMutableRawPointer
    public let byteCount: Int

    public init(byteCount: Int) throws(RuntimeError) {
        // aligned_alloc wants a multiple of the alignment. One more line, because kernels read whole vectors.
        let rounded = byteCount.roundedUp(to: AlignedBuffer.alignment)?.addingReportingOverflow(AlignedBuffer.alignment)
        guard let rounded, !rounded.overflow, let memory = aligned_alloc(AlignedBuffer.alignment, rounded.partialValue) else {
            throw RuntimeError(.outOfMemory, "no memory for \(byteCount) bytes")
        }
        base = memory
        self.byteCount = byteCount
    }

    deinit { free(base) }
}

/// Memory written once, while a program is compiled.
typealias ConstantBuffer = AlignedBuffer

extension Int {
    /// The next multiple of `unit`, or nil on overflow.
    func roundedUp(to unit: Int) -> Int? {
        let (sum, overflow) = addingReportingOverflow(unit - 1)
        return overflow ? nil : sum / unit * unit
    }
}

/// A piece of memory of a program, wherever it will be.
struct BufferID: Hashable, Sendable { let index: Int }

/// Where a program's buffer lives.
enum BufferKind: Sendable {
    /// In the arena, for as long as some step needs it.
    case arena(byteCount: Int)
    /// The caller's memory, given at each run.
    case external(Int)
    case constant(ConstantBuffer)
}
