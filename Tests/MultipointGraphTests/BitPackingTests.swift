import SeededNumbers
import XCTest

@testable import MultipointGraph

/// Against a loop over single bits.
final class BitPackingTests: XCTestCase {
    private func packedBitByBit(_ codes: [UInt8], bits: Int, length: Int) -> [UInt8] {
        let vectors = length == 0 ? 0 : codes.count / length
        let size = (length * bits + 7) / 8
        var packed = [UInt8](repeating: 0, count: vectors * size)
        for (index, code) in codes.enumerated() {
            for bit in 0..<bits where (code >> bit) & 1 == 1 {
                let place = (index % length) * bits + bit
                packed[index / length * size + place / 8] |= 1 << UInt8(place % 8)
            }
        }
        return packed
    }

    func testEveryWidthAndManyLengths() {
        var generator = SeededGenerator(seed: 1)
        for bits in 1...8 {
            for length in Array(1...40) + [63, 64, 65, 127, 576, 1001] {
                for vectors in [1, 2, 5] {
                    let codes = (0..<vectors * length).map { _ in UInt8.random(in: 0...UInt8((1 << bits) - 1), using: &generator) }
                    let packing = BitPacking(bits: bits, vectorLength: length)
                    let expected = packedBitByBit(codes, bits: bits, length: length)
                    let packed = codes.withUnsafeBytes { packing.pack($0, vectors: vectors) }
                    XCTAssertEqual(packed, expected, "\(bits) bits, \(vectors) of \(length)")
                    let unpacked = expected.withUnsafeBytes { packing.unpack($0, vectors: vectors) }
                    XCTAssertEqual(unpacked, codes, "\(bits) bits, \(vectors) of \(length)")
                }
            }
        }
    }

    func testUnusedBitsAreIgnored() {
        let packing = BitPacking(bits: 3, vectorLength: 3)
        // 5 | 2 << 3 | 7 << 6: 0b1_11_010_101, and the six bits after it set.
        XCTAssertEqual(packing.vectorByteCount, 2)
        let bytes: [UInt8] = [0b1101_0101, 0b1111_1111]
        XCTAssertEqual(bytes.withUnsafeBytes { packing.unpack($0, vectors: 1) }, [5, 2, 7])
    }

    func testNoVectors() {
        let packing = BitPacking(bits: 4, vectorLength: 9)
        XCTAssertEqual([UInt8]().withUnsafeBytes { packing.unpack($0, vectors: 0) }, [])
        XCTAssertEqual([UInt8]().withUnsafeBytes { packing.pack($0, vectors: 0) }, [])
    }
}
