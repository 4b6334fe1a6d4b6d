import CElementwise
import DNNL
import MultipointGraph

/// Pooling where oneDNN has its reference implementation only: windows with dilations.
struct PoolStep: Step {
    let name: String
    let operation: String
    var implementation: String { "loop" }
    let algorithm: PoolingAlgorithm
    let window: Window
    let source: StoredValue
    let destination: StoredValue
    let threads: Int

    var buffers: [BufferID] { [source.buffer, destination.buffer] }
    var visits: Int { window.visits(of: destination.shape) }
    func bound() throws -> any BoundStep { BoundPool(self) }
}

private final class BoundPool: BoundLoop {
    private let pool: multipoint_pool

    init(_ step: PoolStep) {
        let (from, to, window) = (step.source.shape, step.destination.shape, step.window)
        let kind =
            switch step.algorithm {
            case .max: MULTIPOINT_POOL_MAXIMUM
            case .averageExcludingPadding: MULTIPOINT_POOL_MEAN_OF_COVERED
            case .averageIncludingPadding: MULTIPOINT_POOL_MEAN_OF_WINDOW
            }
        pool = multipoint_pool(
            kind: kind, channels: from[1], height: from[2], width: from[3], result_height: to[2], result_width: to[3],
            kernel: (window.kernel[0], window.kernel[1]), strides: (window.strides[0], window.strides[1]),
            dilations: (window.dilations[0], window.dilations[1]), pads: (window.pads[0], window.pads[1]),
            is_bytes: step.source.type == .uint8 ? 1 : 0)
        super.init(step.buffers, pieces: to[0] * to[2] * to[3], work: step.visits, threads: step.threads)
    }

    override func run(_ share: Range<Int>) {
        guard let source = addresses[0], let destination = addresses[1] else { return }
        withUnsafePointer(to: pool) { elementwise_pool($0, source, destination, share.lowerBound, share.upperBound) }
    }
}

extension Window {
    /// Elements under all windows of a result. A window may be far larger than the image.
    func visits(of result: [Int]) -> Int { elementCount(of: result + kernel) ?? .max }
}
