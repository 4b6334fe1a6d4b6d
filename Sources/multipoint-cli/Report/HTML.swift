/// Text of a page. What is interpolated into it is escaped, unless it is `HTML` itself: a name out of a file cannot become a tag.
struct HTML: ExpressibleByStringInterpolation, Equatable {
    private(set) var text: String

    init(stringLiteral value: String) { text = value }
    init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }

    /// A style sheet or a script of this program, which is no markup and is not escaped.
    init(resource bytes: [UInt8]) { text = String(decoding: bytes, as: UTF8.self) }

    static func + (a: HTML, b: HTML) -> HTML { "\(a)\(b)" }
    static func += (a: inout HTML, b: HTML) { a.text += b.text }

    struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity) }

        mutating func appendLiteral(_ literal: String) { text += literal }
        mutating func appendInterpolation(_ html: HTML) { text += html.text }
        mutating func appendInterpolation(_ parts: [HTML]) { for part in parts { text += part.text } }
        mutating func appendInterpolation(_ string: String) { text += escaped(string) }
        mutating func appendInterpolation(_ number: Int) { text += "\(number)" }
        /// A coordinate: two digits are more than a screen has.
        mutating func appendInterpolation(_ number: Double) { text += decimal(number, digits: 2) }
    }
}

/// For text and for attributes in either kind of quotes. Control characters, which HTML forbids, become U+FFFD.
private func escaped(_ string: String) -> String {
    var result = ""
    for scalar in string.unicodeScalars {
        switch scalar {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        case "'": result += "&#39;"
        case "\t", "\n", "\r": result += " "
        case _ where scalar.properties.generalCategory == .control: result += "\u{FFFD}"
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}
