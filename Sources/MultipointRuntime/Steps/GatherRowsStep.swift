import DNNL

/// Collects the raw sums of several convolutions in the order of the layer's rows: those of a grouped layer's parts side by side, those
/// of a part's segments added up. Position-major int32.
struct GatherRowsStep: Step {
    let name: String
    let operation: String
    var implementation: String { "gather" }
    let positions: Int
    /// Columns of every source.
    let channels: Int
    /// Of every part its segments.
    let sources: [[BufferID]]
    /// For each row of the result: which part, which column.
    let columns: [(part: Int, column: Int)]
    let destination: BufferID

    var buffers: [BufferID] { sources.joined() + [destination] }
    func bound() throws -> any BoundStep { BoundGatherRows(self) }
}

private final class BoundGatherRows: BoundStep {
    private let step: GatherRowsStep
    /// All segments of all parts, and where each part's begin; one more for the end.
    private let sources: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    private let starts: [Int]
    private var destination: UnsafeMutableRawPointer?

    init(_ step: GatherRowsStep) {
        self.step = step
        starts = step.sources.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1.count) }
        let count = step.sources.reduce(0) { $0 + $1.count }
        sources = .allocate(capacity: max(1, count))
        sources.initialize(repeating: nil, count: max(1, count))
    }

    deinit { sources.deallocate() }

    func move(to addresses: UnsafePointer<UnsafeMutableRawPointer?>) throws(DNNLError) {
        for (index, buffer) in step.sources.joined().enumerated() { sources[index] = addresses[buffer.index] }
        destination = addresses[step.destination.index]
    }

    func run(_ stream: Stream) throws(DNNLError) {
        guard let destination else { return }
        let rows = step.columns.count
        for position in 0..<step.positions {
            for (row, place) in step.columns.enumerated() {
                let offset = (position * step.channels + place.column) * 4
                var value: Int32 = 0
                for index in starts[place.part]..<starts[place.part + 1] {
                    guard let source = sources[index] else { continue }
                    value &+= source.loadUnaligned(fromByteOffset: offset, as: Int32.self)
                }
                destination.storeBytes(of: value, toByteOffset: (position * rows + row) * 4, as: Int32.self)
            }
        }
    }
}
