import CElementwise
import DNNL
import MultipointGraph

/// A computation along one axis of a tensor that lies in memory as [outer, count, inner].
struct AxisStep: Step {
    enum Computation: Sendable {
        /// To [outer, inner].
        case reduce(multipoint_reduction)
        /// The same, of bytes.
        case extremum(isMaximum: Bool)
        case argument(isMaximum: Bool, selectsLast: Bool)
        /// Of the same shape, over rows: inner is 1.
        case normalize(epsilon: Float)
        /// The same.
        case normalizeResponse(size: Int, alpha: Float, beta: Float, bias: Float)
    }

    let name: String
    let operation: String
    var implementation: String { "loop" }
    let computation: Computation
    let source: BufferID
    let destination: BufferID
    let outer: Int
    let count: Int
    let inner: Int
    let threads: Int

    var buffers: [BufferID] { [source, destination] }
    var visits: Int {
        guard case .normalizeResponse(let size, _, _, _) = computation else { return 0 }
        // And a power, which takes as long as sixteen elements.
        return elementCount(of: [outer, count, min(size, count) + 16]) ?? .max
    }
    func bound() throws -> any BoundStep { BoundAxis(self) }
}

private final class BoundAxis: BoundLoop {
    private let step: AxisStep

    init(_ step: AxisStep) {
        self.step = step
        let pieces =
            switch step.computation {
            case .reduce, .extremum, .argument: elementwise_reduction_pieces(step.outer, step.inner)
            case .normalize, .normalizeResponse: step.outer
            }
        super.init(step.buffers, pieces: pieces, work: step.outer * step.count * step.inner, threads: step.threads)
    }

    override func run(_ share: Range<Int>) {
        let (count, inner, first, last) = (step.count, step.inner, share.lowerBound, share.upperBound)
        switch step.computation {
        case .reduce(let reduction): elementwise_reduce(reduction, floats(0), floats(1), count, inner, first, last)
        case .extremum(let isMaximum): elementwise_reduce_bytes(isMaximum ? 1 : 0, bytes(0), bytes(1), count, inner, first, last)
        case .argument(let isMaximum, let selectsLast):
            elementwise_argument(isMaximum ? 1 : 0, selectsLast ? 1 : 0, floats(0), floats(1), count, inner, first, last)
        case .normalize(let epsilon): elementwise_normalize(floats(0), floats(1), count, epsilon, first, last)
        case .normalizeResponse(let size, let alpha, let beta, let bias):
            elementwise_normalize_response(floats(0), floats(1), count, size, alpha, beta, bias, first, last)
        }
    }
}

extension Reduction {
    var kind: multipoint_reduction {
        switch self {
        case .mean: MULTIPOINT_REDUCE_MEAN
        case .sum: MULTIPOINT_REDUCE_SUM
        case .maximum: MULTIPOINT_REDUCE_MAXIMUM
        case .minimum: MULTIPOINT_REDUCE_MINIMUM
        case .product: MULTIPOINT_REDUCE_PRODUCT
        case .l1: MULTIPOINT_REDUCE_L1
        case .l2: MULTIPOINT_REDUCE_L2
        case .sumOfSquares: MULTIPOINT_REDUCE_SUM_OF_SQUARES
        }
    }
}
