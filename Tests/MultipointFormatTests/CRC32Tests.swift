import SeededNumbers
import XCTest

@testable import MultipointFormat

final class CRC32Tests: XCTestCase {
    private func crc(_ bytes: [UInt8]) -> CRC32 {
        var sum = CRC32()
        bytes.withUnsafeBytes { sum.update($0) }
        return sum
    }

    /// One bit at a time.
    private func naive(_ bytes: [UInt8]) -> UInt32 {
        var remainder = UInt32.max
        for byte in bytes {
            for bit in 0..<8 {
                let differs = (remainder & 1) ^ UInt32((byte >> bit) & 1) == 1
                remainder = (remainder >> 1) ^ (differs ? 0xEDB8_8320 : 0)
            }
        }
        return ~remainder
    }

    /// The check values of the catalogue of CRC algorithms, and of zlib.crc32 in Python.
    func testKnownValues() {
        XCTAssertEqual(crc([]).value, 0)
        XCTAssertEqual(crc(Array("123456789".utf8)).value, 0xCBF4_3926)
        XCTAssertEqual(crc(Array("123456789".utf8)).text, "cbf43926")
        XCTAssertEqual(crc(Array("The quick brown fox jumps over the lazy dog".utf8)).value, 0x414F_A339)
    }

    func testRandomLengthsInParts() {
        var generator = SeededGenerator(seed: 2)
        for length in 0...200 {
            let bytes = (0..<length).map { _ in UInt8(generator.number(0...255)) }
            var sum = CRC32()
            let cut = generator.number(0...length)
            bytes[..<cut].withUnsafeBytes { sum.update($0) }
            bytes[cut...].withUnsafeBytes { sum.update($0) }
            XCTAssertEqual(sum.value, naive(bytes))
        }
    }

    func testTextHasEightDigits() {
        XCTAssertEqual(crc([0xFF, 0xFF, 0xFF, 0xFF]).text, "ffffffff")
        XCTAssertEqual(crc([]).text, "00000000")
    }
}
