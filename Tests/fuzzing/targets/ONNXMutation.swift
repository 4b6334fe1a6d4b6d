import SeededNumbers

/// One random change of a protobuf message, known only by its wire format; the lengths of the messages around it are kept right.
func mutatedONNX(_ bytes: [UInt8], _ random: inout SeededGenerator, _ plain: PlainMutation) -> [UInt8]? {
    guard !random.chance(0.05), var message = WireMessage(bytes[...], depth: 0) else { return nil }
    for _ in 0...Int.random(in: 0..<3, using: &random) {
        let donors = message.all
        guard let donor = donors.randomElement(using: &random) else { return nil }
        var target = Int.random(in: donors.indices, using: &random)
        message.change(&target) { fields, index in
            mutate(&fields, index, donor: donor, donors: donors, &random, plain)
        }
    }
    return message.bytes
}

private func mutate(
    _ fields: inout [WireMessage.Field], _ index: Int, donor: WireMessage.Field, donors: [WireMessage.Field],
    _ random: inout SeededGenerator, _ plain: PlainMutation
) {
    switch Int.random(in: 0..<8, using: &random) {
    case 0: fields.remove(at: index)
    case 1: fields.insert(fields[index], at: index)
    case 2:
        // Something of its kind from elsewhere.
        let number = fields[index].number
        if let other = donors.filter({ $0.number == number }).randomElement(using: &random) { fields[index] = other }
    case 3: fields.insert(donor, at: index)
    default: mutateContent(&fields[index].content, donors, &random, plain)
    }
}

private func mutateContent(
    _ content: inout WireMessage.Content, _ donors: [WireMessage.Field], _ random: inout SeededGenerator, _ plain: PlainMutation
) {
    switch content {
    case .varint(let value):
        let wild = wildIntegers.randomElement(using: &random) ?? 0
        content = .varint(
            random.chance(0.4) ? UInt64(bitPattern: wild)
                : random.chance(0.5) ? UInt64.random(in: 0..<24, using: &random)
                    : value &+ UInt64(bitPattern: Int64.random(in: -3...3, using: &random)))
    case .fixed64: content = .fixed64(Double(wildFloats.randomElement(using: &random) ?? 0).bitPattern)
    case .fixed32: content = .fixed32((wildFloats.randomElement(using: &random) ?? 0).bitPattern)
    case .bytes(var bytes):
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes = Array((graphWords.randomElement(using: &random) ?? "").utf8)
        case 1:
            let texts = donors.compactMap { if case .bytes(let bytes) = $0.content { bytes } else { nil } }
            bytes = texts.randomElement(using: &random) ?? bytes
        case 2 where bytes.count >= 4:
            // Raw data of a tensor.
            let place = Int.random(in: 0...bytes.count - 4, using: &random) & ~3
            let value = (wildFloats.randomElement(using: &random) ?? 0).bitPattern.littleEndian
            withUnsafeBytes(of: value) { bytes.replaceSubrange(place..<place + 4, with: $0) }
        default: plain(&bytes)
        }
        content = .bytes(bytes)
    case .message(let message):
        var bytes = message.bytes
        plain(&bytes)
        content = .bytes(bytes)
    }
}

/// A message as a tree of fields. What decodes as a message is taken for one, unless it looks like text.
private struct WireMessage {
    struct Field {
        var number: UInt64
        var content: Content
    }

    indirect enum Content {
        case varint(UInt64)
        case fixed64(UInt64)
        case bytes([UInt8])
        case message(WireMessage)
        case fixed32(UInt32)
    }

    var fields: [Field] = []

    init?(_ bytes: ArraySlice<UInt8>, depth: Int) {
        var rest = bytes
        while !rest.isEmpty {
            guard let key = WireMessage.varint(&rest), (1...600).contains(key >> 3) else { return nil }
            switch key & 7 {
            case 0:
                guard let value = WireMessage.varint(&rest) else { return nil }
                fields.append(Field(number: key >> 3, content: .varint(value)))
            case 1:
                guard rest.count >= 8 else { return nil }
                fields.append(Field(number: key >> 3, content: .fixed64(rest.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) })))
                rest = rest.dropFirst(8)
            case 5:
                guard rest.count >= 4 else { return nil }
                fields.append(Field(number: key >> 3, content: .fixed32(rest.prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) })))
                rest = rest.dropFirst(4)
            case 2:
                guard let length = WireMessage.varint(&rest), length <= UInt64(rest.count) else { return nil }
                fields.append(Field(number: key >> 3, content: .init(rest.prefix(Int(length)), depth: depth)))
                rest = rest.dropFirst(Int(length))
            default: return nil
            }
        }
    }

    private static func varint(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: 0, to: 70, by: 7) {
            guard let byte = bytes.popFirst() else { return nil }
            if shift < 64 { value |= UInt64(byte & 127) << UInt64(shift) }
            if byte < 128 { return value }
        }
        return nil
    }

    /// This message's fields and those inside of them, each before its own.
    var all: [Field] {
        fields.flatMap { field -> [Field] in
            if case .message(let inner) = field.content { [field] + inner.all } else { [field] }
        }
    }

    /// Hands over the list with the field that is `index` places from the start of `all`.
    /// - Returns: whether it was reached; else `index` is what is left to count.
    @discardableResult
    mutating func change(_ index: inout Int, _ body: (inout [Field], Int) -> Void) -> Bool {
        for position in fields.indices {
            if index == 0 {
                body(&fields, position)
                return true
            }
            index -= 1
            guard case .message(var inner) = fields[position].content else { continue }
            if inner.change(&index, body) {
                fields[position].content = .message(inner)
                return true
            }
        }
        return false
    }

    var bytes: [UInt8] {
        var result: [UInt8] = []
        func append(_ value: UInt64) {
            var rest = value
            while rest >= 128 {
                result.append(UInt8(rest & 127) | 128)
                rest >>= 7
            }
            result.append(UInt8(rest))
        }
        for field in fields {
            switch field.content {
            case .varint(let value):
                append(field.number << 3)
                append(value)
            case .fixed64(let value):
                append(field.number << 3 | 1)
                withUnsafeBytes(of: value.littleEndian) { result += $0 }
            case .fixed32(let value):
                append(field.number << 3 | 5)
                withUnsafeBytes(of: value.littleEndian) { result += $0 }
            case .bytes, .message:
                let content = field.content.lengthDelimited
                append(field.number << 3 | 2)
                append(UInt64(content.count))
                result += content
            }
        }
        return result
    }
}

extension WireMessage.Content {
    fileprivate init(_ bytes: ArraySlice<UInt8>, depth: Int) {
        let looksLikeText = bytes.allSatisfy { (32..<127).contains($0) }
        if !bytes.isEmpty, !looksLikeText, depth < 12, let message = WireMessage(bytes, depth: depth + 1) {
            self = .message(message)
        } else {
            self = .bytes(Array(bytes))
        }
    }

    fileprivate var lengthDelimited: [UInt8] {
        switch self {
        case .bytes(let bytes): bytes
        case .message(let message): message.bytes
        case .varint, .fixed64, .fixed32: []
        }
    }
}
