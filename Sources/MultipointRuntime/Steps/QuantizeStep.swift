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

private final class BoundQuantize: BoundLoop {
    private let step: QuantizeStep
    private let quantizer: multipoint_quantizer

    init(_ step: QuantizeStep) {
        self.step = step
        quantizer = multipoint_quantizer(step.quantization)
        super.init(
            step.buffers, pieces: step.columns, work: step.outer * step.rows * step.columns, leastWork: 65_536, threads: step.threads)
    }

    /// A thread's share of the columns of every outer index.
    override func run(_ share: Range<Int>) {
        guard let source = addresses[0], let destination = bytes(1) else { return }
        let size = step.rows * step.columns
        for outer in 0..<step.outer {
            elementwise_quantize_planes(
                source + outer * size * 4, step.columns, destination + outer * size, step.rows, share.lowerBound, share.upperBound,
                quantizer)
        }
    }
}

extension multipoint_quantizer {
    init(_ quantization: AffineQuantization) {
        self.init(inverse_scale: 1 / quantization.scale, zero_point: Float(quantization.zeroPoint))
    }
}
