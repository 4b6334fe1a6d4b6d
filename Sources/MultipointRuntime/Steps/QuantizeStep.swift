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
    private var source: UnsafeMutableRawPointer?
    private var destination: UnsafeMutableRawPointer?

    init(_ step: QuantizeStep) { self.step = step }

    func move(to addresses: UnsafePointer<UnsafeMutableRawPointer?>) throws(DNNLError) {
        source = addresses[step.source.index]
        destination = addresses[step.destination.index]
    }

    func run(_ stream: Stream) throws(DNNLError) {
        // Small tensors are not worth waking the other threads.
        let threads = step.outer * step.rows * step.columns >= 16_384 ? step.threads : 1
        Threads.parallel(threads, Unmanaged.passUnretained(self).toOpaque()) { context in
            guard let context else { return }
            Unmanaged<BoundQuantize>.fromOpaque(context)._withUnsafeGuaranteedRef { $0.runPart() }
        }
    }

    /// A thread's share of the columns of every outer index.
    private func runPart() {
        guard let source, let destination else { return }
        let place = Threads.place
        let first = step.columns * place.thread / place.of
        let last = step.columns * (place.thread + 1) / place.of
        let quantizer = Quantizer(step.quantization)
        for outer in 0..<step.outer {
            for row in 0..<step.rows {
                let from = source + ((outer * step.rows + row) * step.columns) * 4
                let to = destination + outer * step.rows * step.columns + row
                for column in first..<last {
                    let value = from.loadUnaligned(fromByteOffset: column * 4, as: Float.self)
                    to.storeBytes(of: quantizer.stored(value), toByteOffset: column * step.rows, as: UInt8.self)
                }
            }
        }
    }
}

/// Rounds without a call, so that loops over it vectorise.
struct Quantizer {
    private let inverse: Float
    private let zeroPoint: Float
    /// Adding 1.5 · 2²³ to a number of at most 22 bits rounds it half to even into the low bits.
    private static let magic: Float = 12_582_912

    init(_ quantization: AffineQuantization) {
        inverse = 1 / quantization.scale
        zeroPoint = Float(quantization.zeroPoint)
    }

    @inline(__always)
    func stored(_ value: Float) -> UInt8 {
        // Clamped before rounding, where the sum with the constant is exact; NaN becomes 0, as in oneDNN's reorder. (`max` and `min`
        // would give the bound that they are first called with.)
        let real = value * inverse
        let scaled = real > -512 ? (real < 512 ? real : 512) : -512
        let rounded = (scaled + Quantizer.magic) - Quantizer.magic
        let clamped = max(0, min(255, rounded + zeroPoint))
        return UInt8(truncatingIfNeeded: (clamped + Quantizer.magic).bitPattern & 0xFF)
    }
}
