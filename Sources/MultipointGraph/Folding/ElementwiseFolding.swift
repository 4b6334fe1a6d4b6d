// Functions of single elements, and Cast.

extension Elementwise {
    /// Operators of one input that are such a function.
    static let foldedOperators: Set<String> = [
        "Abs", "Ceil", "Clip", "Cos", "Elu", "Erf", "Exp", "Floor", "HardSigmoid", "HardSwish", "LeakyRelu", "Log", "Neg",
        "Reciprocal", "Relu", "Round", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Tanh",
    ]

    fileprivate init?(folding reader: NodeReader) throws(GraphError) {
        switch reader.node.operatorType {
        case "Abs": self = .abs
        case "Ceil": self = .ceil
        case "Cos": self = .cos
        case "Elu": self = .elu(alpha: try reader.float("alpha") ?? 1)
        case "Erf": self = .erf
        case "Exp": self = .exp
        case "Floor": self = .floor
        case "HardSigmoid": self = .hardSigmoid(alpha: try reader.float("alpha") ?? 0.2, beta: try reader.float("beta") ?? 0.5)
        case "HardSwish": self = .hardSwish
        case "LeakyRelu": self = .leakyRelu(alpha: try reader.float("alpha") ?? 0.01)
        case "Log": self = .log
        case "Neg": self = .neg
        case "Reciprocal": self = .reciprocal
        case "Relu": self = .relu
        case "Round": self = .round
        case "Sigmoid": self = .sigmoid
        case "Sign": self = .sign
        case "Sin": self = .sin
        case "Softplus": self = .softplus
        case "Softsign": self = .softsign
        case "Sqrt": self = .sqrt
        case "Tanh": self = .tanh
        default: return nil
        }
    }
}

extension NodeFolding {
    func elementwise() throws(GraphError) -> Tensor {
        if reader.node.operatorType == "Clip" { return try clip() }
        let tensor = try only()
        guard let function = try Elementwise(folding: reader) else { throw reader.unsupported("it is not computed of constants") }
        switch tensor.elements {
        case .float(let values): return Tensor(shape: tensor.shape, values.map { function($0) })
        case .int64(let values):
            guard let integer = function.ofIntegers else { throw fail("floats expected, \(text(0)) holds integers") }
            return Tensor(shape: tensor.shape, elements: .int64(values.map(integer)), integerType: tensor.integerType)
        }
    }

    /// Bounds are attributes before version 11.
    private func clip() throws(GraphError) -> Tensor {
        try reader.checkInputCount(1...3)
        let tensor = try input(0)
        func bound(_ index: Int, _ name: String) throws(GraphError) -> Tensor? {
            if let value = try reader.float(name) { return Tensor(shape: [], [value]) }
            guard let bound = optionalInput(index) else { return nil }
            guard bound.count == 1 else { throw fail("\(name) \(text(index)): one number expected") }
            return bound
        }
        let minimum = try bound(1, "min"), maximum = try bound(2, "max")
        switch tensor.elements {
        case .float(let values):
            let low = minimum?.floats?.first ?? -.infinity, high = maximum?.floats?.first ?? .infinity
            return Tensor(shape: tensor.shape, values.map { Swift.min(Swift.max($0, low), high) })
        case .int64(let values):
            let low = minimum?.integers?.first ?? .min, high = maximum?.integers?.first ?? .max
            let clipped = values.map { Swift.min(Swift.max($0, low), high) }
            return Tensor(shape: tensor.shape, elements: .int64(clipped), integerType: tensor.integerType)
        }
    }

    /// ONNX Cast: to an integer type, floats lose their fraction and integers their high bits; to bool, what is not 0 is 1. The
    /// narrower floating-point types round.
    func cast() throws(GraphError) -> Tensor {
        let tensor = try only()
        try reader.allowAttributes("round_mode", "saturate", "to")
        switch ElementType(rawValue: try reader.required(try reader.int("to"), "to")) {
        case nil: throw reader.unsupported("a cast to element type \(try reader.int("to") ?? 0) is not supported")
        case .float?: return Tensor(shape: tensor.shape, tensor.asFloats)
        case .float16?: return Tensor(shape: tensor.shape, tensor.asFloats.map { Float(Float16($0)) })
        case .bfloat16?: return Tensor(shape: tensor.shape, tensor.asFloats.map { $0.roundedToBFloat16 })
        case .integer(let type)?:
            let integers: [Int64]
            switch tensor.elements {
            case .int64(let values): integers = values
            case .float(let values) where type == .bool: integers = values.map { $0 == 0 ? 0 : 1 }
            case .float(let values): integers = values.map { Int64(clamping: $0) }
            }
            return Tensor(shape: tensor.shape, elements: .int64(type.map { integers.map($0.wrapped) } ?? integers), integerType: type)
        }
    }
}

/// The element types of ONNX that can be cast to, by their numbers in TensorProto.DataType.
private enum ElementType {
    case float, float16, bfloat16
    /// Nil is int64.
    case integer(IntegerType?)

    init?(rawValue: Int) {
        switch rawValue {
        // Doubles are floats here.
        case 1, 11: self = .float
        case 2: self = .integer(.uint8)
        case 3: self = .integer(.int8)
        case 4: self = .integer(.uint16)
        case 5: self = .integer(.int16)
        case 6: self = .integer(.int32)
        case 7: self = .integer(nil)
        case 9: self = .integer(.bool)
        case 10: self = .float16
        case 12: self = .integer(.uint32)
        case 13: self = .integer(.uint64)
        case 16: self = .bfloat16
        case 21: self = .integer(.uint4)
        case 22: self = .integer(.int4)
        default: return nil
        }
    }
}

extension Elementwise {
    /// The function on integers, where it has one.
    fileprivate var ofIntegers: ((Int64) -> Int64)? {
        switch self {
        case .abs: { $0 < 0 ? 0 &- $0 : $0 }
        case .neg: { 0 &- $0 }
        case .relu: { max($0, 0) }
        case .sign: { $0.signum() }
        case .ceil, .floor, .round: { $0 }
        default: nil
        }
    }
}

extension Tensor {
    /// Integers as the nearest floats.
    var asFloats: [Float] {
        switch elements {
        case .float(let values): values
        case .int64(let values): values.map { Float($0) }
        }
    }
}

extension Float {
    /// To nearest, halves to even; a NaN stays one.
    fileprivate var roundedToBFloat16: Float {
        guard isFinite else { return self }
        let bits = bitPattern
        return Float(bitPattern: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) & 0xFFFF_0000)
    }
}

extension Int64 {
    /// Toward zero; what does not fit becomes the nearest integer that does, and a NaN 0.
    init(clamping value: Float) {
        if value.isNaN { self = 0 } else if let exact = Int64(exactly: value.rounded(.towardZero)) { self = exact } else {
            self = value < 0 ? .min : .max
        }
    }
}
