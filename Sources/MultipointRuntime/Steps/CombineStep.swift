import CElementwise
import DNNL
import MultipointGraph

/// A function of two elements with broadcasting, of floats, bytes or one of each. What lies in memory as one run is one axis.
struct CombineStep: Step {
    struct Operand: Sendable {
        var buffer: BufferID
        /// Of bytes.
        var quantization: AffineQuantization?
        /// In elements, along the result's axes in the order of memory; 0 where the operand repeats. The last one is 0 or 1.
        var strides: [Int]
    }

    let name: String
    let operation: String
    var implementation: String { "loop" }
    let kind: multipoint_binary_kind
    let first: Operand
    let second: Operand
    let destination: BufferID
    /// Of a result in bytes.
    let quantization: AffineQuantization?
    /// In the order of memory; at least one axis.
    let shape: [Int]
    let threads: Int

    var buffers: [BufferID] { [first.buffer, second.buffer, destination] }
    func bound() throws -> any BoundStep { BoundCombine(self) }
}

private final class BoundCombine: BoundLoop {
    /// Longer rows are worked on in parts of this: operands of one shape, and a number for all places, are a single row.
    private static let longestPart = 8192

    private let step: CombineStep
    private let rows: Int
    private let columns: Int
    /// Of a row; 1 where rows are short.
    private let parts: Int
    private let left: multipoint_operand
    private let right: multipoint_operand
    private let quantizer: multipoint_quantizer
    /// Axes outside of rows and columns, and the operands' strides over them.
    private let outerShape: CArray<Int>
    private let outerStrides: (CArray<Int>, CArray<Int>)
    private let outerRank: Int

    init(_ step: CombineStep) {
        self.step = step
        let rank = step.shape.count
        columns = step.shape.last ?? 1
        rows = rank > 1 ? step.shape[rank - 2] : 1
        parts = max(1, columns / Self.longestPart)
        outerRank = max(0, rank - 2)
        outerShape = CArray(Array(step.shape.prefix(outerRank)))
        outerStrides = (CArray(Array(step.first.strides.prefix(outerRank))), CArray(Array(step.second.strides.prefix(outerRank))))
        left = multipoint_operand(step.first)
        right = multipoint_operand(step.second)
        quantizer = step.quantization.map { multipoint_quantizer($0) } ?? multipoint_quantizer()
        let count = step.shape.reduce(1, *)
        super.init(step.buffers, pieces: count / columns * parts, work: count, threads: step.threads)
    }

    override func run(_ share: Range<Int>) {
        var piece = share.lowerBound
        while piece < share.upperBound {
            let (row, part) = (piece / parts, piece % parts)
            let (outer, start) = (row / rows, row % rows)
            if parts > 1 {
                combine(outer, start..<start + 1, columns: part * Self.longestPart..<(part + 1 < parts ? (part + 1) * Self.longestPart : columns))
                piece += 1
            } else {
                let end = min(rows, start + share.upperBound - piece)
                combine(outer, start..<end, columns: 0..<columns)
                piece += end - start
            }
        }
    }

    /// - Parameter outer: the place on the axes outside of rows and columns.
    private func combine(_ outer: Int, _ some: Range<Int>, columns part: Range<Int>) {
        guard let first = addresses[0], let second = addresses[1], let result = addresses[2] else { return }
        let elementSize = step.quantization == nil ? 4 : 1
        var (a, b, rest) = (0, 0, outer)
        var axis = outerRank - 1
        while axis >= 0 {
            let index = rest % outerShape.base[axis]
            a += index * outerStrides.0.base[axis]
            b += index * outerStrides.1.base[axis]
            rest /= outerShape.base[axis]
            axis -= 1
        }
        a += some.lowerBound * left.row_stride + part.lowerBound * left.column_stride
        b += some.lowerBound * right.row_stride + part.lowerBound * right.column_stride
        let place = (outer * rows + some.lowerBound) * columns + part.lowerBound
        elementwise_combine(
            step.kind, left.moved(to: first, by: a), right.moved(to: second, by: b), result + place * elementSize,
            step.quantization == nil ? 0 : 1, quantizer, part.count, 0, some.count)
    }
}

extension multipoint_operand {
    fileprivate init(_ operand: CombineStep.Operand) {
        let strides = operand.strides
        self.init(
            data: nil, is_bytes: operand.quantization == nil ? 0 : 1, scale: operand.quantization?.scale ?? 1,
            zero_point: Float(operand.quantization?.zeroPoint ?? 0),
            row_stride: strides.count > 1 ? strides[strides.count - 2] : 0, column_stride: strides.last ?? 0)
    }

    fileprivate func moved(to address: UnsafeMutableRawPointer, by elements: Int) -> multipoint_operand {
        var result = self
        result.data = UnsafeRawPointer(address + elements * (is_bytes == 0 ? 4 : 1))
        return result
    }
}

extension Binary {
    var kind: multipoint_binary_kind {
        switch self {
        case .add: MULTIPOINT_ADD
        case .subtract: MULTIPOINT_SUBTRACT
        case .multiply: MULTIPOINT_MULTIPLY
        case .divide: MULTIPOINT_DIVIDE
        case .minimum: MULTIPOINT_MINIMUM
        case .maximum: MULTIPOINT_MAXIMUM
        case .power: MULTIPOINT_POWER
        }
    }

    /// Nil where oneDNN has none.
    var algorithm: BinaryAlgorithm? {
        switch self {
        case .add: .add
        case .subtract: .subtract
        case .multiply: .multiply
        case .divide: .divide
        case .minimum: .minimum
        case .maximum: .maximum
        case .power: nil
        }
    }
}
