// Operations that join, cut and extend.

extension ShapeRule {
    func concat(axis: Int) throws(GraphError) -> [Int] {
        guard let first = inputs.first else { throw fail("at least one input expected") }
        try checkAxis(axis, of: first)
        var shape = first.shape
        for input in inputs.dropFirst() {
            let agrees =
                input.shape.count == shape.count
                && shape.indices.allSatisfy { $0 == axis || input.shape[$0] == shape[$0] }
            guard agrees else {
                throw fail(
                    "`\(input.name)` of shape \(input.shape) and `\(first.name)` of shape \(first.shape) differ in more than axis \(axis)"
                )
            }
            let (sum, overflow) = shape[axis].addingReportingOverflow(input.shape[axis])
            guard !overflow else { throw fail("the result is too large along axis \(axis)") }
            shape[axis] = sum
        }
        return shape
    }

    func slice(starts: [Int], ends: [Int], axes: [Int], steps: [Int]) throws(GraphError) -> [Int] {
        let input = try only()
        guard [starts.count, ends.count, steps.count].allSatisfy({ $0 == axes.count }) else {
            throw fail(
                "\(starts.count) starts, \(ends.count) ends, \(steps.count) steps and \(axes.count) axes; as many of each expected"
            )
        }
        try checkAxes(axes, rank: input.shape.count, "`\(input.name)` of shape \(input.shape)")
        var shape = input.shape
        for (index, axis) in axes.enumerated() {
            let range = SliceRange(start: starts[index], end: ends[index], step: steps[index], size: input.shape[axis])
            guard let range else { throw fail("step 0 along axis \(axis)") }
            guard range.count > 0 else {
                throw fail(
                    "starts \(starts), ends \(ends), steps \(steps) leave nothing of axis \(axis) of `\(input.name)` of shape \(input.shape)"
                )
            }
            shape[axis] = range.count
        }
        return shape
    }

    func pad(_ pads: [Int], _ padding: Padding) throws(GraphError) -> [Int] {
        let input = try only(), rank = input.shape.count
        guard pads.count == 2 * rank, pads.allSatisfy({ (0...TensorLimits.count).contains($0) }) else {
            throw fail("pads \(pads): \(2 * rank) numbers from 0 expected for `\(input.name)` of shape \(input.shape)")
        }
        if case .constant(let value) = padding, !value.isFinite { throw fail("padding with \(value): a finite number expected") }
        if case .reflect = padding, let axis = input.shape.indices.first(where: { max(pads[$0], pads[rank + $0]) >= input.shape[$0] }) {
            throw fail("pads \(pads) mirror more of axis \(axis) than `\(input.name)` of shape \(input.shape) has")
        }
        return input.shape.indices.map { input.shape[$0] + pads[$0] + pads[rank + $0] }
    }

    func gather(_ indices: [Int], shape: [Int], axis: Int) throws(GraphError) -> [Int] {
        let input = try only()
        try checkAxis(axis, of: input)
        guard let count = elementCount(of: shape), count == indices.count else {
            throw fail("\(indices.count) indices do not fit shape \(shape)")
        }
        if let index = indices.first(where: { !(0..<input.shape[axis]).contains($0) }) {
            throw fail("index \(index) does not exist in axis \(axis) of `\(input.name)` of shape \(input.shape)")
        }
        return input.shape[..<axis] + shape + input.shape[(axis + 1)...]
    }
}

/// The indices that ONNX Slice (version 10) takes along one axis: `first`, `first + step`, ..., `count` of them.
///
/// A start or end below 0 counts from the axis's end; then both are clamped to the axis.
public struct SliceRange: Equatable, Sendable {
    public var first: Int
    public var step: Int
    public var count: Int

    /// - Parameter size: the axis's size, at least 1.
    /// - Returns: nil if the step is 0.
    public init?(start: Int, end: Int, step: Int, size: Int) {
        guard step != 0, size >= 1 else { return nil }
        let from = start < 0 ? start + size : start
        let to = end < 0 ? end + size : end
        self.step = step
        if step > 0 {
            first = min(max(from, 0), size)
            let last = min(max(to, 0), size)
            count = last > first ? (last - first - 1) / step + 1 : 0
        } else {
            first = min(max(from, 0), size - 1)
            let last = min(max(to, -1), size - 1)
            // The step's magnitude as UInt: −Int.min is not an Int.
            count = first > last ? Int(UInt(first - last - 1) / step.magnitude) + 1 : 0
        }
    }
}
