/// H of one group (or of a range of its inputs) as `ErrorFeedback` wants it: dampened, its inputs in the order of rounding, factorized.
final class FactorizedMoment: Sendable {
    let inputs: Range<Int>
    /// [n, n], as measured.
    let h: [Float]
    /// L of (H + λ I) with rows and columns in `order`: [n, n], lower triangle.
    let factor: [Float]
    /// λ.
    let damping: Float
    /// Inputs by ascending E[x²]: `ErrorFeedback` starts at the end, with the inputs whose errors hurt most, while the most others
    /// are left to make up for them.
    let order: [Int]

    /// - Parameter damping: λ as a part of H's mean diagonal. Ten times as much, and again, where H is not positive definite.
    init(
        _ moment: SecondMoment, group: Int, inputs: Range<Int>, damping: Float, _ algebra: LinearAlgebra
    ) throws {
        let (n, h) = (inputs.count, try moment.matrix(group: group, inputs: inputs, multiply: algebra.multiply))
        let diagonal = (0..<n).map { h[$0 * n + $0] }
        let mean = diagonal.reduce(0) { $0 + Double($1) } / Double(n)
        // No input ever differs from zero: any weights will do.
        let unit = mean > Double(Float.leastNormalMagnitude) && mean.isFinite ? Float(mean) : 1
        let order = (0..<n).sorted { (diagonal[$0], $0) < (diagonal[$1], $1) }
        var factor: [Float] = []
        var part = damping
        while true {
            factor = FactorizedMoment.permuted(h, order, plus: part * unit)
            let isDefinite = try factor.withUnsafeMutableBufferPointer { factor in
                guard let base = factor.baseAddress else { return false }
                return try algebra.factorize(n, base)
            }
            if isDefinite { break }
            guard part < 1e6 else {
                throw QuantizationError("the second moment of inputs \(inputs) in group \(group) is not positive definite")
            }
            part = max(part, 1e-6) * 10
        }
        (self.inputs, self.h, self.factor, self.damping, self.order) = (inputs, h, factor, part * unit, order)
    }

    private static func permuted(_ h: [Float], _ order: [Int], plus damping: Float) -> [Float] {
        let n = order.count
        return [Float](unsafeUninitializedCapacity: n * n) { result, count in
            h.withUnsafeBufferPointer { h in
                for (row, i) in order.enumerated() {
                    for (column, j) in order.enumerated() { result[row * n + column] = h[i * n + j] }
                    result[row * n + row] += damping
                }
            }
            count = n * n
        }
    }
}
