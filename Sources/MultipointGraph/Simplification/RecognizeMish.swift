extension Expressions {
    /// `x · tanh(softplus(x))`.
    func mish(_ node: Node) -> (Elementwise, of: String)? {
        for (scalar, x, factor) in pairs(node) where scalar == 1 {
            if case (.tanh, let argument)? = function(factor), case (.softplus, x)? = function(argument) { return (.mish, x) }
        }
        return nil
    }

    /// `log(exp(x) + 1)`.
    func softplus(_ node: Node) -> (Elementwise, of: String)? {
        guard node.operation == .elementwise(.log), let (power, scalar) = sum(inner(node.inputs[0])), scalar == 1,
            case (.exp, let x)? = function(power)
        else { return nil }
        return (.softplus, x)
    }
}
