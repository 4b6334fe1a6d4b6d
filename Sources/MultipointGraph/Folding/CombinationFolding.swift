// Functions of elements of several tensors, which broadcast to each other: arithmetic, comparisons, logic, Where.

import Glibc

extension NodeFolding {
    func combine() throws(GraphError) -> Tensor {
        let type = reader.node.operatorType
        switch type {
        case "Not": return try not()
        case "And", "Or", "Xor": return try logic(type)
        case "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual": return try compare(type)
        case "Min", "Max", "Sum": return try combineAll(type)
        case "Add", "Sub", "Mul", "Div", "Mod", "Pow": return try arithmetic(type)
        default: throw reader.unsupported("it is not computed of constants")
        }
    }

    /// Any number of operands from one.
    private func combineAll(_ type: String) throws(GraphError) -> Tensor {
        try reader.allowAttributes()
        var result = try input(0)
        for index in inputs.indices.dropFirst() {
            let operand = try input(index)
            result = try arithmetic(type == "Sum" ? "Add" : type, result, operand)
        }
        return result
    }

    private func arithmetic(_ type: String) throws(GraphError) -> Tensor {
        try reader.checkInputCount(2...2)
        if type == "Mod" { try reader.allowAttributes("fmod") } else { try reader.allowAttributes() }
        return try arithmetic(type, try input(0), try input(1))
    }

    private func arithmetic(_ type: String, _ left: Tensor, _ right: Tensor) throws(GraphError) -> Tensor {
        let (left, right) = try broadcast(left, right)
        switch (left.elements, right.elements) {
        case (.float(let a), .float(let b)):
            return Tensor(shape: left.shape, zip(a, b).map(try floatFunction(type)))
        case (.int64(let a), .int64(let b)):
            if type == "Div" || type == "Mod", let element = b.firstIndex(of: 0) {
                throw fail("element \(element) of the divisor \(text(1)), an integer, is 0")
            }
            let function = try integerFunction(type), integerType = left.integerType
            let values = zip(a, b).map { integerType?.wrapped(function($0, $1)) ?? function($0, $1) }
            return Tensor(shape: left.shape, elements: .int64(values), integerType: integerType)
        // Pow takes operands of different types; its result has the base's.
        case (.float(let a), .int64(let b)) where type == "Pow":
            return Tensor(shape: left.shape, zip(a, b).map { powf($0, Float($1)) })
        case (.int64(let a), .float(let b)) where type == "Pow":
            let values = zip(a, b).map { Int64(clamping: Float(pow(Double($0), Double($1)))) }
            return Tensor(shape: left.shape, elements: .int64(values), integerType: left.integerType)
        default: throw fail("one operand holds floats and the other integers: \(text(0)), \(text(1))")
        }
    }

    /// Both operands in the shape of the result.
    private func broadcast(_ left: Tensor, _ right: Tensor) throws(GraphError) -> (Tensor, Tensor) {
        let shape = try broadcastShape([left.shape, right.shape])
        try checkSize(shape)
        return (left.broadcast(to: shape), right.broadcast(to: shape))
    }

    private func floatFunction(_ type: String) throws(GraphError) -> (Float, Float) -> Float {
        switch type {
        case "Add": return { $0 + $1 }
        case "Sub": return { $0 - $1 }
        case "Mul": return { $0 * $1 }
        case "Div": return { $0 / $1 }
        case "Min": return { Swift.min($0, $1) }
        case "Max": return { Swift.max($0, $1) }
        case "Pow": return { powf($0, $1) }
        default:
            guard try reader.flag("fmod") else { throw fail("fmod = 1 expected, \(text(0)) holds floats") }
            return { $0.truncatingRemainder(dividingBy: $1) }
        }
    }

    /// No divisor is 0. Div truncates; Mod has the sign of its divisor, or with fmod that of the dividend.
    private func integerFunction(_ type: String) throws(GraphError) -> (Int64, Int64) -> Int64 {
        switch type {
        case "Add": return { $0 &+ $1 }
        case "Sub": return { $0 &- $1 }
        case "Mul": return { $0 &* $1 }
        case "Div": return { $0.dividedReportingOverflow(by: $1).partialValue }
        case "Min": return { Swift.min($0, $1) }
        case "Max": return { Swift.max($0, $1) }
        case "Pow": return integerPower
        default:
            let followsDividend = try reader.flag("fmod")
            return { a, b in
                let rest = a.remainderReportingOverflow(dividingBy: b).partialValue
                return followsDividend || rest == 0 || (rest < 0) == (b < 0) ? rest : rest &+ b
            }
        }
    }

    private func compare(_ type: String) throws(GraphError) -> Tensor {
        try reader.allowAttributes()
        try reader.checkInputCount(2...2)
        let (left, right) = try broadcast(try input(0), try input(1))
        switch (left.elements, right.elements) {
        case (.float(let a), .float(let b)): return Tensor(shape: left.shape, zip(a, b).map(comparison(type)))
        case (.int64(let a), .int64(let b)): return Tensor(shape: left.shape, zip(a, b).map(comparison(type)))
        default: throw fail("one operand holds floats and the other integers: \(text(0)), \(text(1))")
        }
    }

    private func comparison<Element: Comparable>(_ type: String) -> (Element, Element) -> Bool {
        switch type {
        case "Equal": { $0 == $1 }
        case "Less": { $0 < $1 }
        case "LessOrEqual": { $0 <= $1 }
        case "Greater": { $0 > $1 }
        default: { $0 >= $1 }
        }
    }

    private func logic(_ type: String) throws(GraphError) -> Tensor {
        try reader.allowAttributes()
        try reader.checkInputCount(2...2)
        let (left, right) = try broadcast(try input(0), try input(1))
        let operands = zip(try truths(left, 0), try truths(right, 1))
        switch type {
        case "And": return Tensor(shape: left.shape, operands.map { $0 && $1 })
        case "Or": return Tensor(shape: left.shape, operands.map { $0 || $1 })
        default: return Tensor(shape: left.shape, operands.map { $0 != $1 })
        }
    }

    private func not() throws(GraphError) -> Tensor {
        try reader.allowAttributes()
        let tensor = try only()
        return Tensor(shape: tensor.shape, try truths(tensor, 0).map { !$0 })
    }

    private func truths(_ tensor: Tensor, _ index: Int) throws(GraphError) -> [Bool] {
        guard let values = tensor.integers else { throw fail("truth values expected, \(text(index)) holds floats") }
        return values.map { $0 != 0 }
    }

    /// Where: of two tensors, elements of the first where a condition holds.
    func select() throws(GraphError) -> Tensor {
        try reader.allowAttributes()
        try reader.checkInputCount(3...3)
        let condition = try input(0), first = try input(1), second = try input(2)
        let shape = try broadcastShape([condition.shape, first.shape, second.shape])
        try checkSize(shape)
        let truths = try truths(condition.broadcast(to: shape), 0)
        switch (first.broadcast(to: shape).elements, second.broadcast(to: shape).elements) {
        case (.float(let a), .float(let b)):
            return Tensor(shape: shape, truths.indices.map { truths[$0] ? a[$0] : b[$0] })
        case (.int64(let a), .int64(let b)):
            let values = truths.indices.map { truths[$0] ? a[$0] : b[$0] }
            return Tensor(shape: shape, elements: .int64(values), integerType: first.integerType)
        default: throw fail("one operand holds floats and the other integers: \(text(1)), \(text(2))")
        }
    }
}

extension Tensor {
    fileprivate init(shape: [Int], _ truths: [Bool]) {
        self.init(shape: shape, elements: .int64(truths.map { $0 ? 1 : 0 }), integerType: .bool)
    }
}

/// Wraps around; a negative power of an integer is 0, 1 or −1 (ONNX leaves that of 0 open).
private func integerPower(_ base: Int64, _ exponent: Int64) -> Int64 {
    guard exponent >= 0 else { return base == 1 ? 1 : base == -1 ? (exponent & 1 == 0 ? 1 : -1) : 0 }
    var (result, square, rest): (Int64, Int64, Int64) = (1, base, exponent)
    while rest > 0 {
        if rest & 1 == 1 { result &*= square }
        square &*= square
        rest >>= 1
    }
    return result
}
