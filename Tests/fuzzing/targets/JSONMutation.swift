import SeededNumbers

/// One random change of a JSON text that keeps it JSON most of the time. Works as well on JSON in a JSON string: `\"` counts as a quote.
func mutatedJSON(_ text: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
    let tokens = JSONTokens(text)
    var text = text
    switch Int.random(in: 0..<10, using: &random) {
    case 0..<4:
        guard let number = tokens.numbers.randomElement(using: &random) else { break }
        text.replaceSubrange(number, with: wildNumber(&random))
    case 4..<6:
        guard let string = tokens.strings.randomElement(using: &random) else { break }
        let other = random.chance(0.5) ? tokens.strings.randomElement(using: &random).map { Array(text[$0]) } : nil
        let known = Array((graphWords.randomElement(using: &random) ?? "").utf8)
        text.replaceSubrange(string, with: other ?? known)
    case 6:
        // An element of a list or object, with its comma.
        guard let element = tokens.elements.randomElement(using: &random) else { break }
        text.removeSubrange(element)
    case 7:
        guard let element = tokens.elements.randomElement(using: &random) else { break }
        text.insert(contentsOf: text[element], at: element.upperBound)
    case 8:
        guard let group = tokens.groups.randomElement(using: &random), let other = tokens.groups.randomElement(using: &random) else { break }
        text.replaceSubrange(group, with: Array(text[other]))
    default:
        guard let number = tokens.numbers.randomElement(using: &random), let value = Int(String(decoding: text[number], as: UTF8.self)) else {
            break
        }
        text.replaceSubrange(number, with: Array(String(value &+ Int.random(in: -3...3, using: &random)).utf8))
    }
    return text
}

private func wildNumber(_ random: inout SeededGenerator) -> [UInt8] {
    let texts = ["1e999", "-0", "0.1e-7", "1e15", "2.5e-39", "1e18", "-1e38", "NaN", "true", "null", "\"N\"", "[]", "{}", "[1,1]", "\"\""]
    switch Int.random(in: 0..<4, using: &random) {
    case 0: return Array(texts[Int.random(in: texts.indices, using: &random)].utf8)
    case 1: return Array(String(Int.random(in: -4...40, using: &random)).utf8)
    default: return Array(String(wildIntegers[Int.random(in: wildIntegers.indices, using: &random)]).utf8)
    }
}

/// Where in a text which parts of JSON are.
private struct JSONTokens {
    var numbers: [Range<Int>] = []
    /// Without their quotes.
    var strings: [Range<Int>] = []
    /// From bracket to bracket.
    var groups: [Range<Int>] = []
    /// What stands between two commas, with the one after it.
    var elements: [Range<Int>] = []

    init(_ text: [UInt8]) {
        var open: [(start: Int, element: Int)] = []
        var position = 0
        while position < text.count {
            switch text[position] {
            case UInt8(ascii: "\""):
                let isInner = position > 0 && text[position - 1] == UInt8(ascii: "\\")
                let end = JSONTokens.endOfString(text, from: position + 1, isInner: isInner)
                // A whole JSON text in a string is looked into.
                if !isInner, end < text.count, text[position + 1..<end].contains(UInt8(ascii: "\"")) { break }
                strings.append(position + 1..<end)
                position = end + (isInner ? 1 : 0)
            case UInt8(ascii: "["), UInt8(ascii: "{"): open.append((position, position + 1))
            case UInt8(ascii: "]"), UInt8(ascii: "}"):
                if let group = open.popLast() { groups.append(group.start..<position + 1) }
            case UInt8(ascii: ","):
                guard let last = open.indices.last else { break }
                elements.append(open[last].element..<position + 1)
                open[last].element = position + 1
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
                let start = position
                while position + 1 < text.count, JSONTokens.isNumeric(text[position + 1]) { position += 1 }
                numbers.append(start..<position + 1)
            default: break
            }
            position += 1
        }
    }

    private static func endOfString(_ text: [UInt8], from start: Int, isInner: Bool) -> Int {
        var position = start
        while position < text.count, text[position] != UInt8(ascii: "\"") || (!isInner && text[position - 1] == UInt8(ascii: "\\")) {
            position += 1
        }
        return isInner ? max(start, position - 1) : position
    }

    private static func isNumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"), UInt8(ascii: "+"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
