/// A network's values as expressions, for rules that recognize a function written out in smaller ones.
struct Expressions {
    private let nodes: [Node]
    private let uses: ValueUses
    private let constants: [String: Tensor]
    private let quantized: Set<String>

    init(_ network: Network) {
        nodes = network.nodes
        uses = ValueUses(network)
        constants = network.constants
        quantized = Set(network.quantization.keys)
    }

    /// The node that computes a value for one reader only, so that it can go.
    func inner(_ value: String) -> Node? {
        guard uses.counts[value] == 1, !quantized.contains(value), let index = uses.producers[value] else { return nil }
        return nodes[index]
    }

    /// The function that computes an inner value from another.
    func function(_ value: String) -> (Elementwise, of: String)? {
        guard let node = inner(value), case .elementwise(let function) = node.operation else { return nil }
        return (function, node.inputs[0])
    }

    /// A constant of one element.
    func scalar(_ value: String) -> Double? {
        guard let floats = constants[value]?.floats, floats.count == 1 else { return nil }
        return Double(floats[0])
    }

    /// The other operand of an addition of a scalar.
    func sum(_ node: Node?) -> (value: String, scalar: Double)? {
        guard let node, node.operation == .add else { return nil }
        if let scalar = scalar(node.inputs[1]) { return (node.inputs[0], scalar) }
        return scalar(node.inputs[0]).map { (node.inputs[1], $0) }
    }

    /// A product as a number and the other factors, at most a few; nil for a longer chain, which would be walked again from each of its
    /// nodes.
    func product(_ node: Node) -> (scalar: Double, factors: [String])? {
        guard node.operation == .multiply else { return nil }
        var scalar = 1.0, factors: [String] = [], pending = node.inputs, steps = 0
        while let value = pending.popLast() {
            if let number = self.scalar(value) {
                scalar *= number
            } else if let inner = inner(value), inner.operation == .multiply {
                pending += inner.inputs
            } else {
                factors.append(value)
            }
            steps += 1
            guard factors.count + pending.count <= 8, steps <= 32 else { return nil }
        }
        return (scalar, factors)
    }

    /// `scalar · x · f` as (x, f) in both orders, for a product with two factors.
    func pairs(_ node: Node) -> [(scalar: Double, x: String, f: String)] {
        guard let (scalar, factors) = product(node), factors.count == 2 else { return [] }
        return [(scalar, factors[0], factors[1]), (scalar, factors[1], factors[0])]
    }

    /// A value's coefficients as a polynomial in `x`, the constant first; nil if it is none of a degree up to 3.
    func polynomial(_ value: String, in x: String, depth: Int = 0) -> [Double]? {
        if value == x { return [0, 1] }
        if let scalar = scalar(value) { return [scalar] }
        guard depth < 8, let node = inner(value) else { return nil }
        let operands = node.inputs.map { polynomial($0, in: x, depth: depth + 1) }
        guard let a = operands.first ?? nil, let b = operands.last ?? nil else { return nil }
        let result: [Double]
        switch node.operation {
        case .binary(.add): result = (0..<max(a.count, b.count)).map { ($0 < a.count ? a[$0] : 0) + ($0 < b.count ? b[$0] : 0) }
        case .binary(.subtract): result = (0..<max(a.count, b.count)).map { ($0 < a.count ? a[$0] : 0) - ($0 < b.count ? b[$0] : 0) }
        case .binary(.multiply): result = multiplied(a, b)
        case .elementwise(.pow(2)): result = multiplied(a, a)
        case .elementwise(.pow(3)): result = multiplied(multiplied(a, a), a)
        default: return nil
        }
        return result.count <= 4 ? result : nil
    }

    private func multiplied(_ a: [Double], _ b: [Double]) -> [Double] {
        var result = Array(repeating: 0.0, count: a.count + b.count - 1)
        for (i, x) in a.enumerated() { for (j, y) in b.enumerated() { result[i + j] += x * y } }
        return result
    }
}

extension Double {
    /// Whether two numbers are the same but for the rounding of constants in float32.
    func agrees(with other: Double) -> Bool { abs(self - other) <= 1e-6 * max(abs(other), 1e-3) }
}

extension [Double] {
    func agrees(with other: [Double]) -> Bool { count == other.count && zip(self, other).allSatisfy { $0.agrees(with: $1) } }
}
