/// The CRC-32 of zlib, gzip and PNG: polynomial 0x04C11DB7, bits reflected (0xEDB88320), initial value and final inversion all ones.
struct CRC32 {
    private var state: UInt32 = ~0

    var value: UInt32 { ~state }

    /// Eight lower-case hexadecimal digits.
    var text: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// Slicing by eight (Kounavis and Berry, "Novel Table Lookup-Based Algorithms for High-Performance CRC Generation", 2008):
    /// `table[256 k + b]` is the effect of byte `b` followed by `k` zero bytes.
    private static let table: [UInt32] = {
        var table = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var remainder = UInt32(byte)
            for _ in 0..<8 { remainder = (remainder >> 1) ^ (remainder & 1 == 1 ? 0xEDB8_8320 : 0) }
            table[byte] = remainder
        }
        for index in 256..<table.count {
            let previous = table[index - 256]
            table[index] = (previous >> 8) ^ table[Int(previous & 0xFF)]
        }
        return table
    }()

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        var crc = state
        CRC32.table.withUnsafeBufferPointer { table in
            let whole = bytes.count & ~7
            for offset in stride(from: 0, to: whole, by: 8) {
                let word = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) ^ UInt64(crc)
                crc = 0
                for position in 0..<8 {
                    let byte = Int(truncatingIfNeeded: (word &>> UInt64(8 * position)) & 0xFF)
                    crc ^= table[(7 - position) * 256 + byte]
                }
            }
            for offset in whole..<bytes.count { crc = (crc >> 8) ^ table[Int((crc ^ UInt32(bytes[offset])) & 0xFF)] }
        }
        state = crc
    }
}
