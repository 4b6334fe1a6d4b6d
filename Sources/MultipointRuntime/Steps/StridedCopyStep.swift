import DNNL
import Glibc

/// Copies elements of 8 or 32 bits between strided tensors: slices, padding, broadcasting. Strides are in elements and may be 0 or negative in
/// the source. Before the copy the whole destination can be filled with a value.
struct StridedCopyStep: Step {
    let name: String
    let operation: String
    var implementation: String { "copy" }
    let source: BufferID
    let destination: BufferID
    let shape: [Int]
    let sourceStrides: [Int]
    let sourceOffset: Int
    let destinationStrides: [Int]
    let destinationOffset: Int
    /// (value, number of elements)
    /// The value in the low bits, and the number of elements.
    var fill: (value: UInt32, count: Int)?
    let elementByteCount: Int

    var buffers: [BufferID] { [source, destination] }
    func bound() throws -> any BoundStep { BoundStridedCopy(self) }
}

private final class BoundStridedCopy: BoundStep {
    private let step: StridedCopyStep
    private let index: UnsafeMutablePointer<Int>
    private var source: UnsafeMutableRawPointer?
    private var destination: UnsafeMutableRawPointer?

    init(_ step: StridedCopyStep) {
        self.step = step
        index = .allocate(capacity: max(1, step.shape.count))
    }

    deinit { index.deallocate() }

    func move(to addresses: UnsafePointer<UnsafeMutableRawPointer?>) throws(DNNLError) {
        source = addresses[step.source.index]
        destination = addresses[step.destination.index]
    }

    func run(_ stream: Stream) throws(DNNLError) {
        if step.elementByteCount == 1 { copy(of: UInt8.self) } else { copy(of: UInt32.self) }
    }

    @inline(__always)
    private func copy<Element: FixedWidthInteger & BitwiseCopyable>(of type: Element.Type) {
        guard let source = source?.assumingMemoryBound(to: type), let destination = destination?.assumingMemoryBound(to: type) else { return }
        if let fill = step.fill { destination.update(repeating: Element(truncatingIfNeeded: fill.value), count: fill.count) }
        let outer = step.shape.count - 1
        guard outer >= 0 else { return copyRun(source, destination, step.sourceOffset, step.destinationOffset, 1, 1, 1) }
        for axis in 0...outer { index[axis] = 0 }
        var (from, to) = (step.sourceOffset, step.destinationOffset)
        while true {
            copyRun(source, destination, from, to, step.shape[outer], step.sourceStrides[outer], step.destinationStrides[outer])
            guard advance(&from, &to, below: outer) else { return }
        }
    }

    /// Steps the odometer over all axes but the last. False at the end.
    @inline(__always)
    private func advance(_ from: inout Int, _ to: inout Int, below outer: Int) -> Bool {
        var axis = outer - 1
        while axis >= 0 {
            index[axis] += 1
            from += step.sourceStrides[axis]
            to += step.destinationStrides[axis]
            if index[axis] < step.shape[axis] { return true }
            from -= step.sourceStrides[axis] * step.shape[axis]
            to -= step.destinationStrides[axis] * step.shape[axis]
            index[axis] = 0
            axis -= 1
        }
        return false
    }

    @inline(__always)
    private func copyRun<Element: BitwiseCopyable>(
        _ source: UnsafeMutablePointer<Element>, _ destination: UnsafeMutablePointer<Element>, _ from: Int, _ to: Int, _ count: Int,
        _ sourceStride: Int, _ destinationStride: Int
    ) {
        if sourceStride == 1, destinationStride == 1 {
            memcpy(destination + to, source + from, count * MemoryLayout<Element>.size)
            return
        }
        for element in 0..<count { destination[to + element * destinationStride] = source[from + element * sourceStride] }
    }
}
