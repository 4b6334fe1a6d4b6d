import CElementwise
import DNNL
import MultipointGraph

/// Weighted means along one axis of a tensor that lies in memory as [outer, axis, inner]: floats or bytes, to floats or bytes.
struct ResampleStep: Step {
    let name: String
    let operation: String
    var implementation: String { "taps" }
    let taps: ResizeTaps
    let source: (buffer: BufferID, quantization: AffineQuantization?)
    let destination: (buffer: BufferID, quantization: AffineQuantization?)
    let outer: Int
    let inner: Int
    let threads: Int

    var buffers: [BufferID] { [source.buffer, destination.buffer] }
    var visits: Int { elementCount(of: [outer, taps.destinationCount, inner, taps.count]) ?? .max }
    func bound() throws -> any BoundStep { BoundResample(self) }
}

private final class BoundResample: BoundLoop {
    private var resampling = multipoint_resampling()
    private let indices: CArray<Int32>
    private let weights: CArray<Float>

    init(_ step: ResampleStep) {
        indices = CArray(step.taps.indices)
        weights = CArray(step.taps.weights)
        resampling.source_count = step.taps.sourceCount
        resampling.destination_count = step.taps.destinationCount
        resampling.inner = step.inner
        resampling.taps = step.taps.count
        resampling.indices = UnsafePointer(indices.base)
        resampling.weights = UnsafePointer(weights.base)
        resampling.source_is_bytes = step.source.quantization == nil ? 0 : 1
        resampling.scale = step.source.quantization?.scale ?? 1
        resampling.zero_point = Float(step.source.quantization?.zeroPoint ?? 0)
        resampling.destination_is_bytes = step.destination.quantization == nil ? 0 : 1
        if let quantization = step.destination.quantization { resampling.quantizer = multipoint_quantizer(quantization) }
        let pieces = step.outer * step.taps.destinationCount
        super.init(step.buffers, pieces: pieces, work: pieces * step.inner, threads: step.threads)
    }

    override func move(to all: UnsafePointer<UnsafeMutableRawPointer?>) throws(DNNLError) {
        try super.move(to: all)
        resampling.source = addresses[0].map { UnsafeRawPointer($0) }
        resampling.destination = addresses[1]
    }

    override func run(_ share: Range<Int>) {
        withUnsafePointer(to: resampling) { elementwise_resample($0, share.lowerBound, share.upperBound) }
    }
}
