/// A node under translation: its attributes, checked for name and type.
struct NodeReader {
    let node: NodeDefinition
    /// The version of the operator's definition that holds (its "since version").
    let version: Int

    var name: String { node.name }
    /// The only output that is translated.
    var output: String { node.outputs[0] }

    func fail(_ problem: String, kind: GraphError.Kind = .invalid) -> GraphError {
        GraphError(node: name, "\(node.operatorType): \(problem)", kind: kind)
    }

    func unsupported(_ problem: String) -> GraphError { fail(problem, kind: .unsupported) }

    /// Whether the operator's result jumps where its input changes by a rounding.
    var isDiscontinuous: Bool { ["Cast", "Ceil", "Floor", "Round", "Sign"].contains(node.operatorType) }

    /// Numbers in lists of axes, sizes and the like: a few for every dimension, or one for every output. Messages repeat them.
    var longestList: Int { max(8 * TensorLimits.rank, node.outputs.count) }

    /// An attribute that is ignored might change what the node computes.
    func allowAttributes(_ names: String...) throws(GraphError) { try allowAttributes(names) }

    func allowAttributes(_ names: [String]) throws(GraphError) {
        for attribute in node.attributes.keys.sorted() where !names.contains(attribute) {
            throw fail("version \(version) of this operator has no attribute `\(attribute)`")
        }
    }

    /// Whether an optional input is there.
    func hasInput(_ index: Int) -> Bool { index < node.inputs.count && !node.inputs[index].isEmpty }

    func checkInputCount(_ range: ClosedRange<Int>) throws(GraphError) {
        guard range.contains(node.inputs.count) else {
            let expected =
                range.upperBound == Int.max
                ? "at least \(range.lowerBound)"
                : range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
            throw fail("\(expected) inputs expected, found \(node.inputs.count)")
        }
    }

    func int(_ attribute: String) throws(GraphError) -> Int? {
        switch node.attributes[attribute] {
        case nil: return nil
        case .int(let value): return Int(value)
        default: throw typeMismatch(attribute, "an integer")
        }
    }

    func flag(_ attribute: String, default defaultValue: Bool = false) throws(GraphError) -> Bool {
        let value = try int(attribute) ?? (defaultValue ? 1 : 0)
        guard value == 0 || value == 1 else { throw fail("attribute `\(attribute)` is \(value); 0 or 1 expected") }
        return value == 1
    }

    /// An integer is taken where a float is expected: JSON does not tell 1 from 1.0.
    func float(_ attribute: String) throws(GraphError) -> Float? {
        switch node.attributes[attribute] {
        case nil: return nil
        case .float(let value) where value.isFinite: return value
        case .int(let value): return Float(value)
        default: throw typeMismatch(attribute, "a finite number")
        }
    }

    func ints(_ attribute: String) throws(GraphError) -> [Int]? {
        switch node.attributes[attribute] {
        case nil: return nil
        case .ints(let values): return values.map { Int($0) }
        case .floats(let values) where values.isEmpty: return []
        default: throw typeMismatch(attribute, "a list of integers")
        }
    }

    func floats(_ attribute: String) throws(GraphError) -> [Float]? {
        switch node.attributes[attribute] {
        case nil: return nil
        case .floats(let values) where values.allSatisfy(\.isFinite): return values
        case .ints(let values): return values.map { Float($0) }
        default: throw typeMismatch(attribute, "a list of finite numbers")
        }
    }

    func string(_ attribute: String) throws(GraphError) -> String? {
        switch node.attributes[attribute] {
        case nil: return nil
        case .string(let value): return value
        default: throw typeMismatch(attribute, "a string")
        }
    }

    /// A list of as many numbers as `count`, within `range`.
    func ints(_ attribute: String, count: Int, in range: ClosedRange<Int>, default value: [Int]) throws(GraphError) -> [Int] {
        guard let values = try ints(attribute) else { return value }
        guard values.count == count, values.allSatisfy(range.contains) else {
            throw fail("\(attribute) \(values): \(count) numbers from \(range.lowerBound) to \(range.upperBound) expected")
        }
        return values
    }

    func required<Value>(_ value: Value?, _ attribute: String) throws(GraphError) -> Value {
        guard let value else { throw fail("attribute `\(attribute)` is missing") }
        return value
    }

    /// An axis that may be counted from the end, as a position in `rank` dimensions.
    func axis(_ axis: Int, rank: Int) throws(GraphError) -> Int {
        guard (-rank..<rank).contains(axis) else {
            throw fail("axis \(axis) does not exist in \(rank) dimensions")
        }
        return axis < 0 ? axis + rank : axis
    }

    func axes(_ axes: [Int], rank: Int) throws(GraphError) -> [Int] {
        var positions: [Int] = []
        for axis in axes { positions.append(try self.axis(axis, rank: rank)) }
        guard Set(positions).count == positions.count else { throw fail("axes \(axes) repeat one") }
        return positions
    }

    private func typeMismatch(_ attribute: String, _ expected: String) -> GraphError {
        fail("attribute `\(attribute)`: \(expected) expected")
    }
}
