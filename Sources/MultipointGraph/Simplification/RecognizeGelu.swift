extension Expressions {
    /// `0.5 x (1 + erf(x / √2))` or `0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))`, in any order.
    func gelu(_ node: Node) -> (Elementwise, of: String)? {
        for (scalar, x, factor) in pairs(node) where scalar == 0.5 {
            guard let (part, one) = sum(inner(factor)), one == 1, let (function, argument) = function(part),
                let polynomial = polynomial(argument, in: x)
            else { continue }
            let slope = (2 / Double.pi).squareRoot()
            if function == .erf, polynomial.agrees(with: [0, 0.5.squareRoot()]) { return (.gelu, x) }
            if function == .tanh, polynomial.agrees(with: [0, slope, 0, 0.044715 * slope]) { return (.geluTanh, x) }
        }
        return nil
    }
}
