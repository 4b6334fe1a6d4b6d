import CElementwise
import DNNL
import MultipointGraph

/// Floats to 8 bits, `clamp(round_half_even(x / scale) + zero point, 0, 255)`, on the way from one layout to another.
///
/// oneDNN's reorder does this too, but 2.6 forgets the zero point where it transposes blocks of 8 × 8 elements.
struct QuantizeStep: Step {
    let name: String
    var operation: String { "quantize" }
    var implementation: String { "quantize" }
    let source: BufferID
    let destination: BufferID
    /// The tensor as [outer, rows, columns] in the source and [outer, columns, rows] in the destination; one row where the order stays.
    let outer: Int
    let rows: Int
    let columns: Int
    let quantization: AffineQuantization
    let threads: Int

    var buffers: [BufferID] { [source, destination] }
    func bound() throws -> any BoundStep { BoundQuantize(self) }
}

private final class BoundQuantize: BoundStep {
    private let step: QuantizeStep
    private let quantizer: multipoint_quantizer
    private var source: UnsafeMutableRawPointer?
    private var destination: UnsafeMutableRawPointer?

    init(_ step: QuantizeStep) {
        self.step = step
        quantizer = multipoint_quantizer(step.quantization)
    }

    func move(to addresses: UnsafePointer<UnsafeMutableRawPointer?>) throws(DNNLError) {
        source = addresses[step.source.index]
        destination = addresses[step.destination.index]
    }

    func run(_ stream: Stream) throws(DNNLError) {
        // Small tensors are not worth waking the other threads.
        let threads = step.outer * step.rows * step.columns >= 65_536 ? step.threads : 1
        Threads.parallel(threads, Unmanaged.passUnretained(self).toOpaque()) { context in
            guard let context else { return }
            Unmanaged<BoundQuantize>.fromOpaque(context)._withUnsafeGuaranteedRef { $0.runPart() }
        }
    }

    /// A thread's share of the columns of every outer index.
    private func runPart() {
        guard let source, let destination else { return }
        let share = Threads.share(of: step.columns)
        let size = step.rows * step.columns
        for outer in 0..<step.outer {
            let to = (destination + outer * size).assumingMemoryBound(to: UInt8.self)
            elementwise_quantize_planes(
                source + outer * size * 4, step.columns, to, step.rows, share.lowerBound, share.upperBound, quantizer)
        }
    }
}

extension multipoint_quantizer {
    init(_ quantization: AffineQuantization) {
        self.init(inverse_scale: 1 / quantization.scale, zero_point: Float(quantization.zeroPoint))
    }
}
