/// Improves a rounded vector one coordinate at a time, once `ErrorFeedback` has rounded all of it: with z = H w and y = H q, moving q_k
/// by δ changes (w − a q)ᵀ H (w − a q) by −2 a δ (z_k − a y_k) + a² δ² H_kk, which is least at δ = (z_k − a y_k) / (a H_kk). Every
/// coordinate goes to the entry nearest to that while it gains, then a becomes the least-squares scale, and again.
///
/// H is the dampened one, H + λ I, so that the vector does not follow the calibration's noise.
struct CoordinateDescent {
    /// [n, n], symmetric, without λ.
    let h: UnsafePointer<Float>
    let damping: Float
    let n: Int
    let grid: ScalarGrid
    /// Whether a is free to follow.
    let fitsScale: Bool

    private static var rounds: Int { 4 }

    /// - Parameters:
    ///   - z: H w.
    ///   - q: on entry the rounded vector.
    ///   - y: H q, kept up to date.
    /// - Returns: the scale that belongs to q.
    func improve(
        _ w: UnsafePointer<Float>, _ z: UnsafePointer<Float>, _ q: UnsafeMutablePointer<Float>, _ y: UnsafeMutablePointer<Float>,
        scale: Float
    ) -> Float {
        var a = scale
        for _ in 0..<Self.rounds {
            if fitsScale { a = leastSquares(w, z, q, y) ?? a }
            if sweep(w, z, q, y, a) == 0 { break }
        }
        return a
    }

    /// The number of coordinates that moved.
    private func sweep(
        _ w: UnsafePointer<Float>, _ z: UnsafePointer<Float>, _ q: UnsafeMutablePointer<Float>, _ y: UnsafeMutablePointer<Float>,
        _ a: Float
    ) -> Int {
        var moves = 0
        for k in 0..<n {
            let curvature = a * (h[k * n + k] + damping)
            guard curvature > 0 else { continue }
            let slope = z[k] - a * y[k] + damping * (w[k] - a * q[k])
            let step = grid.nearest(q[k] + slope / curvature) - q[k]
            // Half of what the slope promises; the nearest entry always gains, but for rounding.
            guard step != 0, step * (2 * slope - step * curvature) > 0 else { continue }
            q[k] += step
            let row = h + k * n
            for j in 0..<n { y[j] += step * row[j] }
            moves += 1
        }
        return moves
    }

    private func leastSquares(
        _ w: UnsafePointer<Float>, _ z: UnsafePointer<Float>, _ q: UnsafePointer<Float>, _ y: UnsafePointer<Float>
    ) -> Float? {
        var (product, square) = (0.0, 0.0)
        for k in 0..<n {
            product += Double(q[k]) * Double(z[k] + damping * w[k])
            square += Double(q[k]) * Double(y[k] + damping * q[k])
        }
        let a = Float(product / square)
        return square > 0 && a.isNormal && a > 0 ? a : nil
    }
}

/// The entries of a row, for one number at a time.
struct ScalarGrid {
    /// By ⌊2 x⌋ + 256, like `TableGrid`'s.
    private let table: [Float]

    init(_ table: [Float]) { self.table = table }

    @inline(__always)
    func nearest(_ x: Float) -> Float {
        let index = (x + x + 256).rounded(.down)
        // NaN compares false, so it is 0.
        return table[index > 0 ? min(511, Int(min(index, 511))) : 0]
    }
}
