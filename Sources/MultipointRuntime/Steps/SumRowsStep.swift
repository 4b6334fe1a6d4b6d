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
    /// Float tensors [positions, row stride], whose first `channels` columns are added. The first one may have extra columns, and is
    /// used as the place to add in.
    let terms: [(buffer: BufferID, rowStride: Int)]
    /// The channel of each extra column of the first term.
    let extraChannels: [Int32]
    let bias: [Float]?
    let residual: (buffer: BufferID, quantization: AffineQuantization?)?
    let activation: Activation
    let destination: BufferID
    /// Nil for a float destination.
    let quantization: AffineQuantization?
    let threads: Int

    var buffers: [BufferID] { terms.map(\.buffer) + (residual.map { [$0.buffer] } ?? []) + [destination] }
    func bound() throws -> any BoundStep { try BoundSumRows(self) }
}

private final class BoundSumRows: BoundStep {
    private let step: SumRowsStep
    private let bias: UnsafeMutablePointer<Float>
    private let extraChannels: UnsafeMutablePointer<Int32>
    /// Of the terms after the first.
    private let strides: UnsafeMutablePointer<Int>
    private let terms: UnsafeMutablePointer<UnsafeMutablePointer<Float>?>
    private var sum = multipoint_row_sum()

    init(_ step: SumRowsStep) throws {
        self.step = step
        bias = .allocate(capacity: max(1, step.channels))
        for channel in 0..<step.channels { (bias + channel).initialize(to: step.bias?[channel] ?? 0) }
        extraChannels = .allocate(capacity: max(1, step.extraChannels.count))
        for (index, channel) in step.extraChannels.enumerated() { (extraChannels + index).initialize(to: channel) }
        let further = step.terms.dropFirst()
        strides = .allocate(capacity: max(1, further.count))
        terms = .allocate(capacity: max(1, further.count))
        for (index, term) in further.enumerated() {
            (strides + index).initialize(to: term.rowStride)
            (terms + index).initialize(to: nil)
        }
        describe()
    }

    /// Everything that does not depend on addresses.
    private func describe() {
        sum.channels = step.channels
        sum.row_stride = step.terms.first?.rowStride ?? 0
        sum.extra_channels = UnsafePointer(extraChannels)
        sum.extra_count = step.extraChannels.count
        sum.terms = UnsafePointer(terms)
        sum.term_strides = UnsafePointer(strides)
        sum.term_count = max(0, step.terms.count - 1)
        sum.bias = UnsafePointer(bias)
        if let residual = step.residual {
            sum.addend_type = residual.quantization == nil ? MULTIPOINT_ADDEND_F32 : MULTIPOINT_ADDEND_U8
            sum.addend_scale = residual.quantization?.scale ?? 1
            sum.addend_zero_point = Float(residual.quantization?.zeroPoint ?? 0)
        }
        (sum.activation, sum.low, sum.high) = step.activation.inSums
        sum.is_float = step.quantization == nil ? 1 : 0
        if let quantization = step.quantization { sum.quantizer = multipoint_quantizer(quantization) }
    }

    deinit {
        bias.deallocate()
        extraChannels.deallocate()
        strides.deallocate()
        terms.deallocate()
    }

    func move(to addresses: UnsafePointer<UnsafeMutableRawPointer?>) throws(DNNLError) {
        for (index, term) in step.terms.enumerated() {
            let rows = addresses[term.buffer.index]?.assumingMemoryBound(to: Float.self)
            if index == 0 { sum.rows = rows } else { terms[index - 1] = rows }
        }
        if let residual = step.residual { sum.addend = UnsafeRawPointer(addresses[residual.buffer.index]) }
        sum.destination = addresses[step.destination.index]
    }

    func run(_ stream: Stream) throws(DNNLError) {
        // Small outputs are not worth waking the other threads.
        let threads = step.positions * step.channels >= 16_384 ? step.threads : 1
        Threads.parallel(threads, Unmanaged.passUnretained(self).toOpaque()) { context in
            guard let context else { return }
            Unmanaged<BoundSumRows>.fromOpaque(context)._withUnsafeGuaranteedRef { $0.runPart() }
        }
    }

    private func runPart() {
        let share = Threads.share(of: step.positions)
        withUnsafePointer(to: sum) { multipoint_sum_rows($0, share.lowerBound, share.upperBound) }
    }
}

extension Activation {
    /// With the bounds of a clamp, or what negative values are multiplied with.
    fileprivate var inSums: (multipoint_sum_activation, Float, Float) {
        switch self {
        case .identity: (MULTIPOINT_CLAMP, -.infinity, .infinity)
        case .relu: (MULTIPOINT_CLAMP, 0, .infinity)
        case .clip(let minimum, let maximum): (MULTIPOINT_CLAMP, minimum, maximum)
        case .leakyRelu(let alpha): (MULTIPOINT_LEAKY, alpha, 0)
        case .sigmoid: (MULTIPOINT_LOGISTIC, 0, 0)
        }
    }
}
