extension Expressions {
    /// `x · sigmoid(α x)`: SiLU as PyTorch exports it.
    func swish(_ node: Node) -> (Elementwise, of: String)? {
        for (scalar, x, factor) in pairs(node) where scalar == 1 {
            guard case (.sigmoid, let argument)? = function(factor), let line = polynomial(argument, in: x), line.count == 2,
                line[0] == 0
            else { continue }
            return (.swish(alpha: Float(line[1])), x)
        }
        return nil
    }
}
