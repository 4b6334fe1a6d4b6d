extension Expressions {
    /// `x · clip(x + 3, 0, 6) / 6`, in any order, or `x · hardSigmoid(x)` with slope 1/6 and offset 1/2.
    func hardSwish(_ node: Node) -> (Elementwise, of: String)? {
        for (scalar, x, factor) in pairs(node) {
            switch function(factor) {
            case (.hardSigmoid(let alpha, let beta), x)?:
                if scalar == 1, Double(alpha).agrees(with: 1 / 6), beta == 0.5 { return (.hardSwish, x) }
            case (.clip(minimum: 0, maximum: 6), let argument)?:
                if scalar.agrees(with: 1 / 6), polynomial(argument, in: x) == [3, 1] { return (.hardSwish, x) }
            default: continue
            }
        }
        return nil
    }

    /// `clip(x + b, 0, m) / m`: hardSigmoid with slope 1/m and offset b/m.
    func hardSigmoid(_ node: Node) -> (Elementwise, of: String)? {
        guard let (scalar, factors) = product(node), factors.count == 1,
            case (.clip(minimum: 0, let maximum), let argument)? = function(factors[0]),
            (scalar * Double(maximum)).agrees(with: 1), let (x, offset) = sum(inner(argument))
        else { return nil }
        return (.hardSigmoid(alpha: Float(scalar), beta: Float(offset * scalar)), x)
    }
}
