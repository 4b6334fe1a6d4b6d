// Numbers whose decoding errors say where they are: the decoder itself reports a number that does not fit as a fault of the whole text.

/// An integer.
struct Whole: Codable {
    var value: Int

    init(_ value: Int) { self.value = value }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let value = try? container.decode(Int.self) else { throw DecodingError.mismatch(Int.self, container.codingPath) }
        self.value = value
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(value)
    }
}

/// A number in the range of float32, written with as many digits as it takes to read the same one.
struct Real: Codable {
    var value: Float

    init(_ value: Float) { self.value = value }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let value = try? container.decode(Float.self) else { throw DecodingError.mismatch(Float.self, container.codingPath) }
        self.value = value
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(value)
    }
}

extension DecodingError {
    fileprivate static func mismatch(_ type: any Any.Type, _ path: [any CodingKey]) -> DecodingError {
        .typeMismatch(type, Context(codingPath: path, debugDescription: ""))
    }
}

extension [Whole] {
    init(_ values: [Int]) { self = values.map { Whole($0) } }

    var values: [Int] { map(\.value) }
}
