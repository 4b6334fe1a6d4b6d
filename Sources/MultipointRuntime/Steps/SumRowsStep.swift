import CElementwise
import DNNL
import MultipointGraph

/// Adds up the rows of each channel, then bias, residual, activation and requantization, in one pass over the output positions.
///
/// `y[p, c] = act(bias_c + Σ_terms term[p, c] + Σ_{extra e of c} rows[p, channels + e] + residual[p, c])`; rows are floats, already
/// scaled; position-major (NHWC).
struct SumRowsStep: Step {
    let name: String
    let operation: String
    var implementation: String { "sum" }
    /// Output positions (N · H · W) and channels.
    let positions: Int
    let channels: Int
    /// Float tensors [positions, row stride], whose first `channels` columns are added. The first one may have extra columns.
    let terms: [(buffer: BufferID, rowStride: Int)]
    /// The channel of each extra column of the first term.
    let extraChannels: [Int32]
    let bias: [Float]?
    let residual: (buffer: BufferID, quantization: AffineQuantization?)?
    let activation: Elementwise?
    let destination: BufferID
    /// Nil for a float destination.
    let quantization: AffineQuantization?
    let threads: Int

    var buffers: [BufferID] { terms.map(\.buffer) + (residual.map { [$0.buffer] } ?? []) + [destination] }
    func bound() throws -> any BoundStep { BoundSumRows(self) }
}

private final class BoundSumRows: BoundLoop {
    private let step: SumRowsStep
    private let bias: CArray<Float>
    private let extras: CArray<multipoint_extra_rows>
    private let groupStarts: CArray<UInt32>
    /// Of the terms after the first.
    private let strides: CArray<Int>
    private let terms: CArray<UnsafePointer<Float>?>
    private var sum = multipoint_row_sum()
    private let function: CArray<multipoint_unary>
    private let vectors = elementwise_widest_vectors()

    init(_ step: SumRowsStep) {
        self.step = step
        function = CArray(step.activation.map { [$0.unary] } ?? [])
        bias = CArray(step.bias ?? [Float](repeating: 0, count: step.channels))
        let groups = ExtraRowGroups(channels: step.channels, extraChannels: step.extraChannels)
        extras = CArray(groups.extras)
        groupStarts = CArray(groups.starts)
        strides = CArray(step.terms.dropFirst().map(\.rowStride))
        terms = CArray(step.terms.dropFirst().map { _ in nil })
        super.init(
            step.buffers, pieces: step.positions, work: step.positions * step.channels, leastWork: 16_384, threads: step.threads)
        describe()
    }

    /// Everything that does not depend on addresses.
    private func describe() {
        sum.channels = step.channels
        sum.row_stride = step.terms.first?.rowStride ?? 0
        sum.extras = UnsafePointer(extras.base)
        sum.group_starts = UnsafePointer(groupStarts.base)
        sum.terms = UnsafePointer(terms.base)
        sum.term_strides = UnsafePointer(strides.base)
        sum.term_count = max(0, step.terms.count - 1)
        sum.bias = UnsafePointer(bias.base)
        if let residual = step.residual {
            sum.addend_type = residual.quantization == nil ? MULTIPOINT_ADDEND_F32 : MULTIPOINT_ADDEND_U8
            sum.addend_scale = residual.quantization?.scale ?? 1
            sum.addend_zero_point = Float(residual.quantization?.zeroPoint ?? 0)
        }
        (sum.activation, sum.low, sum.high) = step.activation.inSums
        sum.function = UnsafePointer(function.base)
        sum.is_float = step.quantization == nil ? 1 : 0
        if let quantization = step.quantization { sum.quantizer = multipoint_quantizer(quantization) }
    }

    override func move(to all: UnsafePointer<UnsafeMutableRawPointer?>) throws(DNNLError) {
        try super.move(to: all)
        for index in step.terms.indices {
            let rows = floats(index).map { UnsafePointer($0) }
            if index == 0 { sum.rows = rows } else { terms.base[index - 1] = rows }
        }
        // Behind the terms the residual, if there is one, and the destination.
        let last = step.terms.count + (step.residual == nil ? 0 : 1)
        if step.residual != nil { sum.addend = UnsafeRawPointer(addresses[last - 1]) }
        sum.destination = addresses[last]
    }

    override func run(_ share: Range<Int>) {
        withUnsafePointer(to: sum) { elementwise_sum_rows($0, share.lowerBound, share.upperBound, vectors) }
    }
}

/// The extra columns by the 16 channels that a vector has.
struct ExtraRowGroups {
    private(set) var extras: [multipoint_extra_rows] = []
    private(set) var starts: [UInt32] = [0]

    /// - Parameter extraChannels: the channel of each column from `channels` on; a channel's second rows in channel order, then the third
    ///   ones, and so on.
    init(channels: Int, extraChannels: [Int32]) {
        let groupCount = (channels + 15) / 16
        var groups = [[multipoint_extra_rows]](repeating: [], count: groupCount)
        var last = Int32.max
        for (index, channel) in extraChannels.enumerated() {
            let (group, lane, column) = (Int(channel) / 16, Int(channel) % 16, Int32(channels + index))
            // A new run of columns: another group, or the next rows of the same one.
            if Int(last) / 16 != group || channel <= last { groups[group].append(ExtraRowGroups.empty(column)) }
            groups[group][groups[group].count - 1].add(lane: lane, column: column)
            last = channel
        }
        for group in groups {
            extras += group
            starts.append(UInt32(extras.count))
        }
    }

    private static func empty(_ column: Int32) -> multipoint_extra_rows {
        var rows = multipoint_extra_rows()
        rows.columns = (column, column)
        withUnsafeMutableBytes(of: &rows.places) { places in for byte in places.indices { places[byte] = 0xFF } }
        return rows
    }
}

extension multipoint_extra_rows {
    fileprivate mutating func add(lane: Int, column: Int32) {
        if mask >> 8 == 0, lane >= 8 { columns.1 = column }
        mask |= 1 << UInt16(lane)
        let place = column - (lane < 8 ? columns.0 : columns.1)
        withUnsafeMutableBytes(of: &places) { $0.storeBytes(of: place, toByteOffset: lane * 4, as: Int32.self) }
    }
}

extension Elementwise? {
    /// With the bounds of a clamp, or what negative values are multiplied with.
    fileprivate var inSums: (multipoint_sum_activation, Float, Float) {
        switch self {
        case nil: (MULTIPOINT_CLAMP, -.infinity, .infinity)
        case .relu: (MULTIPOINT_CLAMP, 0, .infinity)
        case .clip(let minimum, let maximum): (MULTIPOINT_CLAMP, minimum, maximum)
        case .leakyRelu(let alpha): (MULTIPOINT_LEAKY, alpha, 0)
        default: (MULTIPOINT_FUNCTION, 0, 0)
        }
    }
}
