import MultipointFormat

extension NPYArray {
    /// Version 1.0, the data starting at a multiple of 64 as NumPy writes it.
    package func encoded() -> [UInt8] {
        let type =
            switch elements {
            case .uint8: "|u1"
            case .float32: "<f4"
            case .int32: "<i4"
            case .int64: "<i8"
            }
        let sizes = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
        var header = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(sizes)), }"
        let unpadded = 10 + header.utf8.count + 1
        header += String(repeating: " ", count: (64 - unpadded % 64) % 64) + "\n"
        var bytes = NPYArray.magic + [1, 0]
        withUnsafeBytes(of: UInt16(truncatingIfNeeded: header.utf8.count).littleEndian) { bytes.append(contentsOf: $0) }
        bytes += header.utf8
        switch elements {
        case .uint8(let values): bytes += values
        case .float32(let values): values.withUnsafeBytes { bytes.append(contentsOf: $0) }
        case .int32(let values): values.withUnsafeBytes { bytes.append(contentsOf: $0) }
        case .int64(let values): values.withUnsafeBytes { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    package func write(to path: String) throws { try writeAtomically(encoded(), to: path) }
}
