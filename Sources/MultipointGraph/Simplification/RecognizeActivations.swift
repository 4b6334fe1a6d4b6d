extension Network {
    /// Replaces functions that are written out in smaller ones; the rules are in the files named for them.
    mutating func recognizeActivations() {
        let rules: [(Expressions) -> (Node) -> (Elementwise, of: String)?] = [
            Expressions.swish, Expressions.hardSwish, Expressions.hardSigmoid, Expressions.mish, Expressions.softplus,
            Expressions.gelu,
        ]
        let expressions = Expressions(self)
        var shapes: [String: [Int]]?
        // From the end: x · hardSigmoid(x) before the factor by itself.
        for index in nodes.indices.reversed() {
            for rule in rules {
                guard let (function, input) = rule(expressions)(nodes[index]) else { continue }
                let known = shapes ?? (try? self.shapes(batch: 1)) ?? [:]
                shapes = known
                // A constant of one element may add dimensions.
                guard let shape = known[input], shape == known[nodes[index].output] else { continue }
                nodes[index].operation = .elementwise(function)
                nodes[index].inputs = [input]
                break
            }
        }
        removeUnused()
    }
}
