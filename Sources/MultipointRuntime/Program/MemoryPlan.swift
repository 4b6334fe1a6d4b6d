/// Places buffers in one arena so that those in use at the same time do not overlap.
///
/// Largest first, each at the lowest offset that is free during its whole life: the usual greedy plan for inference arenas, within a
/// few per cent of the optimum on real networks.
struct MemoryPlan {
    struct Request {
        var byteCount: Int
        /// First and last step that touches the buffer.
        var life: ClosedRange<Int>
    }

    /// Bytes before the first buffer and behind the last: oneDNN's kernels read up to a few vectors beyond their operands.
    static let margin = 256

    private(set) var offsets: [Int]
    private(set) var byteCount = 0

    /// - Throws: `RuntimeError` if sizes overflow.
    init(_ requests: [Request], alignment: Int = AlignedBuffer.alignment) throws(RuntimeError) {
        offsets = [Int](repeating: 0, count: requests.count)
        let order = requests.indices.sorted {
            (requests[$0].byteCount, requests[$1].life.lowerBound) > (requests[$1].byteCount, requests[$0].life.lowerBound)
        }
        var placed: [(range: Range<Int>, life: ClosedRange<Int>)] = []
        for index in order {
            guard let size = requests[index].byteCount.roundedUp(to: alignment) else { throw MemoryPlan.tooLarge }
            var offset = MemoryPlan.margin
            for (range, life) in placed where life.overlaps(requests[index].life) {
                if range.lowerBound >= offset, range.lowerBound - offset >= size { break }
                offset = max(offset, range.upperBound)
            }
            let (end, overflow) = offset.addingReportingOverflow(size)
            guard !overflow else { throw MemoryPlan.tooLarge }
            offsets[index] = offset
            byteCount = max(byteCount, end + MemoryPlan.margin)
            let position = placed.firstIndex { $0.range.lowerBound > offset } ?? placed.count
            placed.insert((offset..<end, requests[index].life), at: position)
        }
    }

    private static let tooLarge = RuntimeError(.outOfMemory, "the network's activations do not fit the address space")
}
