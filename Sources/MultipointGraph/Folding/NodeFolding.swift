/// A node whose inputs are all known, and what it computes.
///
/// Integers wrap around on overflow, as they do at run time elsewhere; an integer divided by 0 is an error. Results may be empty or
/// hold numbers that are not finite: they need not reach the network.
struct NodeFolding {
    let reader: NodeReader
    /// Nil where an optional input is left out.
    let inputs: [Tensor?]
    /// The most elements that the results may have together: a small file cannot demand gigabytes.
    let limit: Int

    /// - Returns: the node's outputs; only Split has several.
    func results() throws(GraphError) -> [Tensor] {
        switch reader.node.operatorType {
        case "Split": try split()
        default: [try result()]
        }
    }

    private func result() throws(GraphError) -> Tensor {
        switch reader.node.operatorType {
        case "Identity": try only()
        case "Cast": try cast()
        case "Shape": try shape()
        case "Size": try size()
        case "ConstantOfShape": try constantOfShape()
        case "Range": try range()
        case "Reshape": try reshape()
        case "Flatten": try flatten()
        case "Squeeze": try squeeze()
        case "Unsqueeze": try unsqueeze()
        case "Transpose": try transpose()
        case "Expand": try expand()
        case "Tile": try tile()
        case "Gather": try gather()
        case "Slice": try slice()
        case "Concat": try concat()
        case "Where": try select()
        case "DequantizeLinear": try dequantize()
        case "QuantizeLinear": try quantize()
        case let type where type.hasPrefix("Reduce"): try reduce()
        case let type where Elementwise.foldedOperators.contains(type): try elementwise()
        default: try combine()
        }
    }

    /// Operators that can be computed at translation.
    static let operators = Elementwise.foldedOperators.union([
        "Identity", "Cast", "Shape", "Size", "ConstantOfShape", "Range", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose",
        "Expand", "Tile", "Gather", "Slice", "Concat", "Split", "Where", "DequantizeLinear", "QuantizeLinear", "ReduceMax",
        "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "Add", "Sub", "Mul", "Div", "Mod", "Pow", "Min", "Max", "Sum", "Equal",
        "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor", "Not",
    ])
}

// What it takes.
extension NodeFolding {
    /// About how many elements are gone through, in the time that a sum takes for one.
    func work() throws(GraphError) -> Int {
        let type = reader.node.operatorType
        let given = inputs.reduce(0) { $0 + ($1?.count ?? 0) }
        switch type {
        case "Shape", "Size": return 0
        // Broadcast operands are smaller than what is computed of them, for each operand anew.
        case "Min", "Max", "Sum", "Where": return given + (try broadcastCount()) * max(1, inputs.count - 1)
        // A power of integers is up to 126 products.
        case "Pow": return 16 * (try broadcastCount())
        case "Add", "Sub", "Mul", "Div", "Mod", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor":
            return given + (try broadcastCount())
        default: return Elementwise.foldedOperators.contains(type) ? 4 * given : given
        }
    }

    /// Elements of the result of operands that broadcast to each other.
    private func broadcastCount() throws(GraphError) -> Int {
        try checkSize(try broadcastShape(inputs.compactMap { $0?.shape }))
    }
}

// What the families of operators read with.
extension NodeFolding {
    func fail(_ problem: String) -> GraphError { reader.fail(problem) }

    func input(_ index: Int) throws(GraphError) -> Tensor {
        guard let tensor = optionalInput(index) else { throw fail("input \(index) is missing") }
        return tensor
    }

    func optionalInput(_ index: Int) -> Tensor? { inputs.indices.contains(index) ? inputs[index] : nil }

    func only() throws(GraphError) -> Tensor {
        try reader.checkInputCount(1...1)
        return try input(0)
    }

    /// An input's name and shape, for messages.
    func text(_ index: Int) -> String {
        let name = reader.node.inputs.indices.contains(index) ? reader.node.inputs[index] : ""
        return "`\(name)` of shape \(optionalInput(index)?.shape ?? [])"
    }

    /// A list of integers, or one number, in an input; nil if it is left out.
    func integers(_ index: Int, _ what: String) throws(GraphError) -> [Int]? {
        guard let tensor = optionalInput(index) else { return nil }
        guard let values = tensor.integers, tensor.shape.count <= 1 else {
            throw fail("\(what) \(text(index)): a list of integers expected")
        }
        guard values.count <= reader.longestList else { throw fail("\(what) \(text(index)): at most \(reader.longestList) numbers expected") }
        return values.map { Int($0) }
    }

    /// What is an attribute in some versions of an operator and an input in later ones.
    func integers(_ attribute: String, orInput index: Int) throws(GraphError) -> [Int]? {
        if let values = try reader.ints(attribute) { return values }
        return try integers(index, attribute)
    }

    /// - Returns: the number of elements of a result.
    @discardableResult
    func checkSize(_ shape: [Int]) throws(GraphError) -> Int {
        guard shape.count <= TensorLimits.rank else {
            throw fail("a constant of \(shape.count) dimensions; up to \(TensorLimits.rank) are possible")
        }
        guard let count = elementCount(of: shape) else { throw fail("a constant of shape \(shape) is not possible") }
        guard count <= limit else {
            throw GraphError(
                node: reader.name,
                "\(reader.node.operatorType): a constant of shape \(shape) has \(count) elements; up to \(limit) are computed here",
                kind: .unsupported)
        }
        return count
    }
}
