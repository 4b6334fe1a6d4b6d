import MultipointGraph

/// An attribute of a node as JSON: a number, a string, or a list of either. JSON does not tell 1 from 1.0, so a number without a
/// fraction is read as an integer, and operators take integers for floats.
enum AttributeEntry: Equatable {
    case int(Int64)
    case float(Float)
    case string(String)
    case ints([Int64])
    case floats([Float])
    case strings([String])
}

extension AttributeEntry {
    /// Nil for a tensor, and for what no operator here has.
    init?(_ value: AttributeValue) {
        switch value {
        case .int(let value): self = .int(value)
        case .float(let value): self = .float(value)
        case .string(let value): self = .string(value)
        case .ints(let values): self = .ints(values)
        case .floats(let values): self = .floats(values)
        case .strings(let values): self = .strings(values)
        case .tensor, .other: return nil
        }
    }

    var value: AttributeValue {
        switch self {
        case .int(let value): .int(value)
        case .float(let value): .float(value)
        case .string(let value): .string(value)
        case .ints(let values): .ints(values)
        case .floats(let values): .floats(values)
        case .strings(let values): .strings(values)
        }
    }

    /// Longer constants are tensors of the file.
    private static let longestInline = 64

    /// The attribute of an ONNX Constant: `value_int(s)` or `value_float(s)` for short ones of rank 0 and 1, else `value`, which
    /// names a tensor of the file.
    static func constant(
        _ tensor: Tensor, name: String, store: (String, Tensor) throws(PackedFileError) -> String
    ) throws(PackedFileError) -> (String, AttributeEntry) {
        let isShort = tensor.shape.count <= 1 && tensor.count <= longestInline
        switch (tensor.elements, tensor.shape.count) {
        case (.int64(let values), 0) where values.count == 1: return ("value_int", .int(values[0]))
        case (.int64(let values), 1) where isShort: return ("value_ints", .ints(values))
        case (.float(let values), 0) where values.count == 1 && values[0].isFinite: return ("value_float", .float(values[0]))
        case (.float(let values), 1) where isShort && values.allSatisfy(\.isFinite): return ("value_floats", .floats(values))
        default: return ("value", .string(try store(name, tensor)))
        }
    }
}

extension AttributeEntry: Codable {
    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let value = try? container.decode(Int64.self) {
            self = .int(value)
        } else if let value = try? container.decode(Float.self) {
            self = .float(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let values = try? container.decode([Int64].self) {
            self = .ints(values)
        } else if let values = try? container.decode([Float].self) {
            self = .floats(values)
        } else if let values = try? container.decode([String].self) {
            self = .strings(values)
        } else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "a number, a string, or a list of numbers or of strings expected")
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .int(let value): try container.encode(value)
        case .float(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .ints(let values): try container.encode(values)
        case .floats(let values): try container.encode(values)
        case .strings(let values): try container.encode(values)
        }
    }
}
