import FoundationEssentials

/// What a text is checked for before it is decoded: its nesting and the keys of its objects. Whether it is JSON at all is for the
/// decoder to say.
///
/// Without recursion. The keys of the objects that are open are kept, so memory is a small multiple of the text's.
struct JSONStructure {
    /// How deep arrays and objects may be inside each other: decoders are recursive, and a caller's stack may be small.
    static let maximumDepth = 64

    private struct Level {
        var isObject: Bool
        /// Whether the next string is a key.
        var expectsKey: Bool
        var keys: Set<String> = []
    }

    private var levels: [Level] = []

    /// - Returns: what is wrong, or nil. Of keys that an object has twice, decoders take one and the other; UTF-8 JSON has no zero bytes,
    ///   other encodings of JSON do.
    mutating func problem(in bytes: UnsafeRawBufferPointer) -> String? {
        /// The string at hand starts behind this quote.
        var quote: Int?, isEscaped = false, hasEscapes = false
        for (position, byte) in bytes.enumerated() {
            if byte == 0 { return "JSON in UTF-8 expected, found a zero byte" }
            if let start = quote {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    (isEscaped, hasEscapes) = (true, true)
                } else if byte == UInt8(ascii: "\"") {
                    quote = nil
                    let text = UnsafeRawBufferPointer(rebasing: bytes[(start + 1)..<position])
                    if let key = repeatedKey(text, hasEscapes: hasEscapes) { return "key `\(key)` is in an object twice" }
                }
            } else if byte == UInt8(ascii: "\"") {
                (quote, hasEscapes) = (position, false)
            } else if let problem = bracketProblem(byte) {
                return problem
            }
        }
        return nil
    }

    private mutating func bracketProblem(_ byte: UInt8) -> String? {
        switch byte {
        case UInt8(ascii: "["), UInt8(ascii: "{"):
            guard levels.count < JSONStructure.maximumDepth else { return "JSON nested deeper than \(JSONStructure.maximumDepth) levels" }
            let isObject = byte == UInt8(ascii: "{")
            levels.append(Level(isObject: isObject, expectsKey: isObject))
        case UInt8(ascii: "]"), UInt8(ascii: "}"): _ = levels.popLast()
        case UInt8(ascii: ","):
            if let last = levels.indices.last { levels[last].expectsKey = levels[last].isObject }
        default: break
        }
        return nil
    }

    /// - Parameter text: of a string, without its quotes.
    /// - Returns: the string, if it is a key that its object has already.
    private mutating func repeatedKey(_ text: UnsafeRawBufferPointer, hasEscapes: Bool) -> String? {
        guard let last = levels.indices.last, levels[last].expectsKey else { return nil }
        levels[last].expectsKey = false
        var key = String(decoding: text, as: UTF8.self)
        // What it stands for. Where that cannot be told, the text is no JSON.
        if hasEscapes, let unescaped = try? JSONDecoder().decode(String.self, from: Data("\"\(key)\"".utf8)) { key = unescaped }
        return levels[last].keys.insert(key).inserted ? nil : key
    }
}
