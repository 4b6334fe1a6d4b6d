/// Greedy multipoint quantization of one vector (Liu, Ye, Zhou, Liu: "Post-training Quantization with Multiple Points",
/// arXiv 2002.09049): r₁ = w; choose the (a, q) with the least ‖r_i − a q‖ by a grid
/// search over the step, with the closed form a = ⟨r_i, q⟩ / ⟨q, q⟩; r_{i+1} = r_i − a q.
public struct GreedyPoints: Sendable {
    /// a and q, the latter as codes.
    public struct Point: Equatable, Sendable {
        /// Finite and positive.
        public var scale: Float
        public var codes: [UInt8]
    }

    public let codebook: Codebook

    public init(codebook: Codebook) { self.codebook = codebook }

    /// Up to `count` points of a vector; fewer if the residual vanishes. A vector of zeros has none.
    /// - Throws: `QuantizationError` with the place of a number that is not finite.
    public func points(of w: [Float], count: Int) throws(QuantizationError) -> [Point] {
        if let index = w.firstIndex(where: { !$0.isFinite }) {
            throw QuantizationError("weight \(index) is \(w[index]); finite numbers are expected")
        }
        var r = w
        var points: [Point] = []
        while points.count < count {
            var codes = [UInt8](repeating: 0, count: w.count)
            let scale = r.withUnsafeMutableBufferPointer { r in
                codes.withUnsafeMutableBufferPointer { nextPoint(residual: r, codes: $0) }
            }
            guard let scale else { break }
            points.append(Point(scale: scale, codes: codes))
        }
        return points
    }

    /// One step on a residual of finite numbers: writes the codes of q, subtracts a q from the residual in place and returns a; nil,
    /// changing nothing, if the residual is zero or too small for its scale to be a float.
    ///
    /// a is never negative: the nearest entry of a symmetric codebook has the sign of its number, so ⟨r, q⟩ ≥ 0.
    func nextPoint(residual r: UnsafeMutableBufferPointer<Float>, codes: UnsafeMutableBufferPointer<UInt8>) -> Float? {
        switch codebook.family {
        case .odd: nextPoint(r, codes, NearestOdd(largest: Float(codebook.largest)))
        case .uniform: nextPoint(r, codes, NearestInteger(largest: Float(codebook.largest)))
        case .subset: nextPoint(r, codes, NearestSubset(codebook))
        }
    }

    private func nextPoint(
        _ r: UnsafeMutableBufferPointer<Float>, _ codes: UnsafeMutableBufferPointer<UInt8>, _ rounding: some NearestEntry
    ) -> Float? {
        var magnitude: Float = 0
        for value in r { magnitude = max(magnitude, abs(value)) }
        guard magnitude > 0 else { return nil }
        return withUnsafeTemporaryAllocation(of: SIMD8<Float>.self, capacity: (r.count + 7) / 8) { x in
            GreedyPoints.normalize(r, by: magnitude, into: x)
            let search = StepSearch(
                x: UnsafeBufferPointer(x), count: r.count, largest: Float(codebook.largest), rounding: rounding)
            let q = SIMD8<Float>(repeating: search.best())
            // x becomes q, and a is computed anew in Double, from r itself.
            for i in x.indices { x[i] = rounding.entry(nearest: x[i] * q) }
            return x.withMemoryRebound(to: Float.self) { q in
                GreedyPoints.subtract(q, from: r).map { scale in
                    for i in r.indices { codes[i] = rounding.code(of: q[i]) }
                    return scale
                }
            }
        }
    }

    /// x = r / max|r|, in blocks of eight, the last one filled with zeros. Divided in Double: the quotient of subnormals is one.
    private static func normalize(
        _ r: UnsafeMutableBufferPointer<Float>, by magnitude: Float, into x: UnsafeMutableBufferPointer<SIMD8<Float>>
    ) {
        x.initialize(repeating: .zero)
        let inverse = 1 / Double(magnitude)
        x.withMemoryRebound(to: Float.self) { x in
            for i in r.indices { x[i] = Float(Double(r[i]) * inverse) }
        }
    }

    /// r −= a q with a = ⟨r, q⟩ / ⟨q, q⟩; nil if that is no positive float.
    private static func subtract(
        _ q: UnsafeMutableBufferPointer<Float>, from r: UnsafeMutableBufferPointer<Float>
    ) -> Float? {
        var (dot, square) = (0.0, 0.0)
        for i in r.indices {
            dot += Double(r[i]) * Double(q[i])
            square += Double(q[i]) * Double(q[i])
        }
        guard square > 0 else { return nil }
        let a = Float(dot / square)
        guard a > 0, a.isFinite else { return nil }
        for i in r.indices { r[i] = Float(Double(r[i]) - Double(a) * Double(q[i])) }
        return a
    }
}
