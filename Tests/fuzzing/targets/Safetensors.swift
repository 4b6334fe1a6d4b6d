/// A safetensors file put together by hand.
struct Safetensors {
    struct Tensor {
        var name: String
        var type: String
        var shape: [Int]
        var data: [UInt8]

        init(_ name: String, _ type: String, _ shape: [Int], _ data: [UInt8]) {
            (self.name, self.type, self.shape, self.data) = (name, type, shape, data)
        }

        init(_ name: String, floats: [Float], _ shape: [Int]? = nil) {
            self.init(name, "F32", shape ?? [floats.count], floats.withUnsafeBytes { Array($0) })
        }

        init(_ name: String, integers: [Int64]) { self.init(name, "I64", [integers.count], integers.withUnsafeBytes { Array($0) }) }
    }

    var metadata: [(key: String, text: String)]
    var tensors: [Tensor]

    var bytes: [UInt8] {
        var entries = ["\"__metadata__\":{" + metadata.map { "\"\($0.key)\":\(quoted($0.text))" }.joined(separator: ",") + "}"]
        var data: [UInt8] = []
        for tensor in tensors {
            let sizes = tensor.shape.map(String.init).joined(separator: ",")
            entries.append(
                "\"\(tensor.name)\":{\"dtype\":\"\(tensor.type)\",\"shape\":[\(sizes)],\"data_offsets\":[\(data.count),\(data.count + tensor.data.count)]}")
            data += tensor.data
        }
        return framed(header: Array(("{" + entries.joined(separator: ",") + "}").utf8), data: data)
    }

    private func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\" + String(scalar)
            case _ where scalar.value < 32: result += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// The header's length, the header, the data.
func framed(header: some Collection<UInt8>, data: some Collection<UInt8>) -> [UInt8] {
    withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header + data
}

/// The two parts of a safetensors file, as far as it has them.
func unframed(_ file: [UInt8]) -> (header: ArraySlice<UInt8>, data: ArraySlice<UInt8>)? {
    guard file.count >= 8 else { return nil }
    let length = file[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(file.count - 8) else { return nil }
    return (file[8..<8 + Int(length)], file[(8 + Int(length))...])
}

/// The checksum in the header, if there is one, made right.
func withChecksum(header: [UInt8], data: some Collection<UInt8>) -> [UInt8] {
    let key = Array("\"crc32\":\"".utf8)
    guard let start = header.firstRange(of: key)?.upperBound, start + 8 <= header.count else { return header }
    var sum = ~UInt32(0)
    for byte in data {
        sum ^= UInt32(byte)
        for _ in 0..<8 { sum = (sum >> 1) ^ (sum & 1 == 1 ? 0xEDB8_8320 : 0) }
    }
    let digits = String(~sum, radix: 16)
    var header = header
    header.replaceSubrange(start..<start + 8, with: Array((String(repeating: "0", count: 8 - digits.count) + digits).utf8))
    return header
}
