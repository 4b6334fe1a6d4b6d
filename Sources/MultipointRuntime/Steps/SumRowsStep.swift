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
    private let strides: UnsafeMutablePointer<Int>
    private let terms: UnsafeMutablePointer<UnsafeMutablePointer<Float>?>
    private let termCount: Int
    private var residual: UnsafeMutableRawPointer?
    private var destination: UnsafeMutableRawPointer?

    init(_ step: SumRowsStep) throws {
        self.step = step
        bias = .allocate(capacity: max(1, step.channels))
        for channel in 0..<step.channels { (bias + channel).initialize(to: step.bias?[channel] ?? 0) }
        extraChannels = .allocate(capacity: max(1, step.extraChannels.count))
        for (index, channel) in step.extraChannels.enumerated() { (extraChannels + index).initialize(to: channel) }
        termCount = step.terms.count
        strides = .allocate(capacity: max(1, termCount))
        terms = .allocate(capacity: max(1, termCount))
        for index in 0..<termCount {
            (strides + index).initialize(to: step.terms[index].rowStride)
            (terms + index).initialize(to: nil)
        }
    }

    deinit {
        bias.deallocate()
        extraChannels.deallocate()
        strides.deallocate()
        terms.deallocate()
    }

    func move(to addresses: UnsafePointer<UnsafeMutableRawPointer?>) throws(DNNLError) {
        for index in 0..<termCount {
            terms[index] = addresses[step.terms[index].buffer.index]?.assumingMemoryBound(to: Float.self)
        }
        residual = step.residual.flatMap { addresses[$0.buffer.index] }
        destination = addresses[step.destination.index]
    }

    func run(_ stream: Stream) throws(DNNLError) {
        // Small outputs are not worth waking the other threads.
        let threads = step.positions * step.channels >= 8192 ? step.threads : 1
        Threads.parallel(threads, Unmanaged.passUnretained(self).toOpaque()) { context in
            guard let context else { return }
            let me = Unmanaged<BoundSumRows>.fromOpaque(context)
            me._withUnsafeGuaranteedRef { $0.runPart() }
        }
    }

    private func runPart() {
        let place = Threads.place
        let first = step.positions * place.thread / place.of
        let last = step.positions * (place.thread + 1) / place.of
        guard let destination, let sums = terms[0] else { return }
        for position in first..<last {
            let row = sums + position * strides[0]
            addRows(row, position)
            addResidual(row, position)
            step.activation.apply(row, step.channels)
            store(row, destination, position)
        }
    }

    /// row[c] += bias + further terms + extra columns
    @inline(__always)
    private func addRows(_ row: UnsafeMutablePointer<Float>, _ position: Int) {
        let channels = step.channels
        for channel in 0..<channels { row[channel] += bias[channel] }
        var index = 1
        while index < termCount {
            if let term = terms[index] {
                let other = term + position * strides[index]
                for channel in 0..<channels { row[channel] += other[channel] }
            }
            index += 1
        }
        let extras = row + channels
        for extra in 0..<step.extraChannels.count { row[Int(extraChannels[extra])] += extras[extra] }
    }

    @inline(__always)
    private func addResidual(_ row: UnsafeMutablePointer<Float>, _ position: Int) {
        guard let residual, let kind = step.residual else { return }
        let channels = step.channels
        if let quantization = kind.quantization {
            let from = residual.assumingMemoryBound(to: UInt8.self) + position * channels
            let zeroPoint = Int32(quantization.zeroPoint)
            for channel in 0..<channels { row[channel] += quantization.scale * Float(Int32(from[channel]) &- zeroPoint) }
        } else {
            let from = residual + position * channels * 4
            for channel in 0..<channels { row[channel] += from.loadUnaligned(fromByteOffset: channel * 4, as: Float.self) }
        }
    }

    @inline(__always)
    private func store(_ row: UnsafeMutablePointer<Float>, _ destination: UnsafeMutableRawPointer, _ position: Int) {
        let channels = step.channels
        guard let quantization = step.quantization else {
            (destination + position * channels * 4).copyMemory(from: row, byteCount: channels * 4)
            return
        }
        let to = destination.assumingMemoryBound(to: UInt8.self) + position * channels
        let quantizer = Quantizer(quantization)
        for channel in 0..<channels { to[channel] = quantizer.stored(row[channel]) }
    }
}
