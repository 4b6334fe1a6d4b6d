import CElementwise
import DNNL

/// One axis of the result of a rearrangement.
struct CopyAxis: Sendable {
    var size: Int
    /// Elements of the source from one index to the next, where there is no table.
    var stride: Int
    /// The source's offset for every index.
    var table: [Int]?

    init(size: Int, stride: Int) { (self.size, self.stride, table) = (size, stride, nil) }

    /// - Parameter positions: in the source, for every index.
    init(positions: [Int], stride: Int) {
        size = positions.count
        let step = positions.count > 1 ? positions[1] - positions[0] : 0
        let isRegular = positions.first == 0 && positions.indices.allSatisfy { positions[$0] == $0 * step }
        self.stride = isRegular ? step * stride : 0
        table = isRegular ? nil : positions.map { $0 * stride }
    }
}

/// Every element of the result is one of the source's, whose place is the sum of an offset for each axis: gather, repetition, mirrored
/// margins, nearest neighbours, blocks that change places. Elements of 8 or 32 bits.
struct RearrangeStep: Step {
    let name: String
    let operation: String
    var implementation: String { "copy" }
    let source: BufferID
    /// In elements.
    let sourceOffset: Int
    let destination: BufferID
    /// Of the result, in the order of its memory, which is dense.
    let axes: [CopyAxis]
    let elementByteCount: Int
    let threads: Int

    var buffers: [BufferID] { [source, destination] }
    func bound() throws -> any BoundStep { BoundRearrange(self) }

    /// Fewer axes that mean the same: what lies in the source as one run, or has one element.
    static func merged(_ axes: [CopyAxis]) -> [CopyAxis] {
        var result: [CopyAxis] = []
        for axis in axes where axis.size > 1 || axis.table != nil {
            if let last = result.last, last.table == nil, axis.table == nil, last.stride == axis.size * axis.stride {
                result[result.count - 1] = CopyAxis(size: last.size * axis.size, stride: axis.stride)
            } else {
                result.append(axis)
            }
        }
        return result.isEmpty ? [CopyAxis(size: 1, stride: 1)] : result
    }
}

private final class BoundRearrange: BoundLoop {
    private let axes: CArray<multipoint_copy_axis>
    private let tables: [CArray<Int64>]
    private let rearrangement: multipoint_rearrangement
    private let offset: Int

    init(_ step: RearrangeStep) {
        let merged = RearrangeStep.merged(step.axes)
        var tables: [CArray<Int64>] = []
        axes = CArray(
            merged.map { axis in
                let table = axis.table.map { CArray($0.map { Int64($0) }) }
                if let table { tables.append(table) }
                return multipoint_copy_axis(size: axis.size, stride: axis.stride, table: table.map { UnsafePointer($0.base) })
            })
        self.tables = tables
        rearrangement = multipoint_rearrangement(rank: merged.count, axes: UnsafePointer(axes.base), byte_count: step.elementByteCount)
        offset = step.sourceOffset * step.elementByteCount
        let count = merged.reduce(1) { $0 * $1.size }
        super.init(step.buffers, pieces: count / (merged.last?.size ?? 1), work: count, threads: step.threads)
    }

    override func run(_ share: Range<Int>) {
        guard !share.isEmpty, let source = addresses[0], let destination = addresses[1] else { return }
        withUnsafePointer(to: rearrangement) {
            elementwise_rearrange($0, source + offset, destination, share.lowerBound, share.upperBound)
        }
    }
}
