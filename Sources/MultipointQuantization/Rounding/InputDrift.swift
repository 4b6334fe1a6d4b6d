/// How a layer's inputs x differ from the original network's, x + d, once layers before it are rounded.
///
/// The layer can make up for a part of it: w' = w + H⁻¹ E[x dᵀ] w minimises E[(w' · x − w · (x + d))²], so w' is what is to be
/// rounded (the least-squares target of Li et al., "GPTAQ", arXiv 2504.02692).
public struct InputDrift: Sendable {
    let groups: Int
    let rowLength: Int
    /// E[x dᵀ], [groups, K, K].
    let moment: [Float]
    /// E[d], [groups, K].
    let mean: [Float]

    init(groups: Int, rowLength: Int, moment: [Float], mean: [Float]) {
        (self.groups, self.rowLength, self.moment, self.mean) = (groups, rowLength, moment, mean)
    }

    /// - Parameters:
    ///   - matrix: [channels, K] with the w of every channel.
    ///   - damping: λ as a part of H's mean diagonal, which keeps w' near w.
    /// - Returns: the w', and per channel w · E[d], by which the mean of its output drifts.
    func targets(
        _ matrix: [Float], channels: Int, _ secondMoment: SecondMoment, damping: Float, _ algebra: LinearAlgebra
    ) throws -> (matrix: [Float], means: [Float]) {
        let (k, perGroup) = (rowLength, channels / groups)
        var result = matrix
        for group in 0..<groups {
            let h = try FactorizedMoment(secondMoment, group: group, inputs: 0..<k, damping: damping, algebra)
            let weights = Array(matrix[group * perGroup * k..<(group + 1) * perGroup * k])
            let products = try products(weights, group, perGroup, centeredAt: secondMoment.mean, algebra)
            // Rows and columns of the factor are in the order of rounding.
            var right = (0..<perGroup).flatMap { channel in h.order.map { products[channel * k + $0] } }
            try right.withUnsafeMutableBufferPointer { right in
                try h.factor.withUnsafeBufferPointer { l in
                    guard let right = right.baseAddress, let l = l.baseAddress else { return }
                    try algebra.solve(k, l, perGroup, right)
                }
            }
            for channel in 0..<perGroup {
                for (place, input) in h.order.enumerated() {
                    result[(group * perGroup + channel) * k + input] += right[channel * k + place]
                }
            }
        }
        let means = (0..<channels).map { channel in
            let x = channel / perGroup * k
            return Float((0..<k).reduce(0.0) { $0 + Double(matrix[channel * k + $1]) * Double(mean[x + $1]) })
        }
        guard result.allSatisfy(\.isFinite) else { return (matrix, means) }
        return (result, means)
    }

    /// w (E[x dᵀ] − E[x] E[d]ᵀ)ᵀ for every channel of a group; the mean is the bias's business.
    private func products(
        _ weights: [Float], _ group: Int, _ channels: Int, centeredAt center: [Float]?, _ algebra: LinearAlgebra
    ) throws -> [Float] {
        let k = rowLength
        var moment = Array(moment[group * k * k..<(group + 1) * k * k])
        if let center {
            for i in 0..<k {
                let factor = center[group * k + i]
                for j in 0..<k { moment[i * k + j] -= factor * mean[group * k + j] }
            }
        }
        // Column i of the result is w · d's part that goes with input i.
        var products = [Float](repeating: 0, count: channels * k)
        try weights.withUnsafeBufferPointer { w in
            try moment.withUnsafeBufferPointer { moment in
                try products.withUnsafeMutableBufferPointer { products in
                    guard let w = w.baseAddress, let moment = moment.baseAddress, let c = products.baseAddress else { return }
                    try algebra.multiply(MatrixProduct(transposeB: true, m: channels, n: k, k: k, a: w, b: moment, c: c))
                }
            }
        }
        return products
    }
}
