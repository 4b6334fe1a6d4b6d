/// The dictionary of a `.npy` file, such as `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`.
struct NPYHeader: Equatable {
    var type: String
    var isFortranOrder: Bool
    var shape: [Int]

    init(_ bytes: UnsafeRawBufferPointer) throws(NPYError) {
        var scanner = PythonLiteralScanner(bytes)
        var (type, isFortranOrder, shape): (String?, Bool?, [Int]?)
        try scanner.expect("{")
        while !scanner.skip("}") {
            let key = try scanner.string()
            try scanner.expect(":")
            switch key {
            case "descr": type = try scanner.string()
            case "fortran_order": isFortranOrder = try scanner.bool()
            case "shape": shape = try scanner.tuple()
            default: throw NPYError("its header has an unknown key `\(key)`")
            }
            if !scanner.skip(",") {
                try scanner.expect("}")
                break
            }
        }
        guard let type, let isFortranOrder, let shape else { throw NPYError("its header lacks descr, fortran_order or shape") }
        (self.type, self.isFortranOrder, self.shape) = (type, isFortranOrder, shape)
    }
}

/// Reads the few Python literals that a header has.
private struct PythonLiteralScanner {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = next, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
    }

    mutating func skip(_ character: Character) -> Bool {
        skipSpace()
        guard next == character.asciiValue else { return false }
        position += 1
        return true
    }

    mutating func expect(_ character: Character) throws(NPYError) {
        guard skip(character) else { throw NPYError("its header is damaged: `\(character)` expected at byte \(position)") }
    }

    mutating func string() throws(NPYError) -> String {
        skipSpace()
        if next == UInt8(ascii: "[") { throw NPYError("a structured element type; uint8 or float32 expected") }
        guard let quote = next, quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") else {
            throw NPYError("its header is damaged: a string expected at byte \(position)")
        }
        position += 1
        let start = position
        while let byte = next, byte != quote { position += 1 }
        guard next == quote else { throw NPYError("its header is damaged: a string does not end") }
        position += 1
        return String(decoding: bytes[start..<position - 1], as: UTF8.self)
    }

    private mutating func word() -> String {
        skipSpace()
        let start = position
        while let byte = next, byte.isASCIILetterOrDigit { position += 1 }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    mutating func bool() throws(NPYError) -> Bool {
        switch word() {
        case "True": return true
        case "False": return false
        default: throw NPYError("its header is damaged: True or False expected at byte \(position)")
        }
    }

    /// Of integers that are not negative.
    mutating func tuple() throws(NPYError) -> [Int] {
        var values: [Int] = []
        try expect("(")
        while !skip(")") {
            // NumPy of Python 2 wrote 3L.
            let text = word()
            guard let value = Int(text.hasSuffix("L") ? String(text.dropLast()) : text), value >= 0 else {
                throw NPYError("its header is damaged: a size expected, found `\(text)`")
            }
            values.append(value)
            if !skip(",") {
                try expect(")")
                break
            }
        }
        return values
    }
}

extension UInt8 {
    fileprivate var isASCIILetterOrDigit: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: false
        }
    }
}
