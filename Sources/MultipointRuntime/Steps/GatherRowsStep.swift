import DNNL

/// Collects the raw sums of several convolutions of a grouped layer in the order of the layer's rows. Position-major int32.
struct GatherRowsStep: Step {
    let name: String
    let operation: String
    var implementation: String { "gather" }
    let positions: Int
    /// Columns of every source.
    let channels: Int
    let sources: [BufferID]
    /// For each row of the result: which source, which column.
    let columns: [(part: Int, column: Int)]
    let destination: BufferID

    var buffers: [BufferID] { sources + [destination] }
    func bound() throws -> any BoundStep { BoundGatherRows(self) }
}

private final class BoundGatherRows: BoundStep {
    private let step: GatherRowsStep
    private let sources: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    private var destination: UnsafeMutableRawPointer?

    init(_ step: GatherRowsStep) {
        self.step = step
        sources = .allocate(capacity: max(1, step.sources.count))
        sources.initialize(repeating: nil, count: max(1, step.sources.count))
    }

    deinit { sources.deallocate() }

    func move(to addresses: UnsafePointer<UnsafeMutableRawPointer?>) throws(DNNLError) {
        for (index, buffer) in step.sources.enumerated() { sources[index] = addresses[buffer.index] }
        destination = addresses[step.destination.index]
    }

    func run(_ stream: Stream) throws(DNNLError) {
        guard let destination else { return }
        let rows = step.columns.count
        for position in 0..<step.positions {
            for (row, place) in step.columns.enumerated() {
                guard let source = sources[place.part] else { continue }
                let value = source.loadUnaligned(
                    fromByteOffset: (position * step.channels + place.column) * 4, as: Int32.self)
                destination.storeBytes(of: value, toByteOffset: (position * rows + row) * 4, as: Int32.self)
            }
        }
    }
}
