// Cast, CastLike. Every value is float32 at run time: integers are floats that hold integers, and floats of other widths are computed
// in float32.

extension Translation {
    /// ONNX's TensorProto.DataType: FLOAT, FLOAT16, DOUBLE, BFLOAT16.
    private static let floatTypes: Set<Int> = [1, 10, 11, 16]
    /// UINT8, INT8, UINT16, INT16, INT32, INT64, UINT32, UINT64.
    private static let integerTypes: Set<Int> = [2, 3, 4, 5, 6, 7, 12, 13]

    /// Whether a Cast leads to an integer type.
    static func castsToInteger(_ reader: NodeReader) -> Bool {
        guard case .int(let type) = reader.node.attributes["to"] else { return false }
        return integerTypes.contains(Int(type))
    }

    /// Versions 6 to 28: 19 brought `saturate` and 24 `round_mode`, which are for 8-bit floats.
    mutating func cast(_ reader: NodeReader) throws(GraphError) {
        switch reader.version {
        case ..<19: try reader.allowAttributes("to")
        case ..<24: try reader.allowAttributes("saturate", "to")
        default: try reader.allowAttributes("round_mode", "saturate", "to")
        }
        try reader.checkInputCount(1...1)
        let input = try operand(0, reader), type = try reader.required(try reader.int("to"), "to")
        if Translation.floatTypes.contains(type) { return try emit(.keepingShape(rank: input.shape.count), reader, inputs: [input.name]) }
        guard Translation.integerTypes.contains(type) else {
            throw reader.unsupported("to = \(type): only floating-point and integer types are supported")
        }
        try emit(.elementwise(.truncate), reader, inputs: [input.name])
    }

    /// To the type of a constant float.
    mutating func castLike(_ reader: NodeReader) throws(GraphError) {
        try reader.allowAttributes(reader.version < 24 ? ["saturate"] : ["round_mode", "saturate"])
        try reader.checkInputCount(2...2)
        let input = try operand(0, reader)
        guard try constantInput(1, "target_type", reader)?.floats != nil else {
            throw reader.unsupported("target_type `\(reader.node.inputs[1])` is not a float")
        }
        try emit(.keepingShape(rank: input.shape.count), reader, inputs: [input.name])
    }
}
