import FoundationEssentials

/// Bytes of memory that decoding takes for each byte of JSON, and what becomes of it.
private let memoryPerByte = 32

/// - Parameter place: what the text is called in messages; nil if the caller says.
func decodeJSON<Value: Decodable>(
    _ type: Value.Type, _ bytes: UnsafeRawBufferPointer, _ place: String?
) throws(PackedFileError) -> Value {
    func fail(_ problem: String) -> PackedFileError { .badFormat((place.map { $0 + ": " } ?? "") + problem) }
    try requireMemory(bytes.count, of: memoryPerByte)
    var structure = JSONStructure()
    if let problem = structure.problem(in: bytes) { throw fail(problem) }
    do {
        return try JSONDecoder().decode(type, from: Data(bytes))
    } catch let error as DecodingError {
        throw fail(error.problem)
    } catch {
        throw fail("\(error)")
    }
}

func decodeJSON<Value: Decodable>(_ type: Value.Type, _ text: String, _ place: String?) throws(PackedFileError) -> Value {
    var text = text
    let result = text.withUTF8 { utf8 in
        Result { () throws(PackedFileError) in try decodeJSON(type, UnsafeRawBufferPointer(utf8), place) }
    }
    return try result.get()
}

/// Keys sorted, so that equal values give equal bytes.
func encodeJSON(_ value: some Encodable, _ place: String) throws(PackedFileError) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    } catch let error as EncodingError {
        if case .invalidValue(let value, let context) = error {
            throw .badFormat("\(place): \(pathText(context.codingPath))\(value) cannot be written as JSON")
        }
        throw .badFormat("\(place): \(error)")
    } catch {
        throw .badFormat("\(place): \(error)")
    }
}

extension DecodingError {
    /// What was expected where.
    fileprivate var problem: String {
        switch self {
        case .typeMismatch(let type, let context): "\(pathText(context.codingPath))\(DecodingError.name(of: type)) expected"
        case .valueNotFound(let type, let context):
            "\(pathText(context.codingPath))\(DecodingError.name(of: type)) expected, found null"
        case .keyNotFound(let key, let context): "\(pathText(context.codingPath))`\(key.stringValue)` is missing"
        case .dataCorrupted(let context):
            context.codingPath.isEmpty ? "not valid JSON" : "\(pathText(context.codingPath))\(context.debugDescription)"
        @unknown default: "\(self)"
        }
    }

    private static func name(of type: any Any.Type) -> String {
        if type is String.Type { return "a string" }
        if type is any FixedWidthInteger.Type { return "an integer" }
        if type is any BinaryFloatingPoint.Type { return "a number in the range of float32" }
        if "\(type)".hasPrefix("Array") { return "an array" }
        return "an object"
    }
}

/// "`nodes`[2].`name`: ".
private func pathText(_ path: [any CodingKey]) -> String {
    guard !path.isEmpty else { return "" }
    var text = ""
    for key in path {
        if let index = key.intValue { text += "[\(index)]" } else { text += (text.isEmpty ? "" : ".") + "`\(key.stringValue)`" }
    }
    return text + ": "
}
