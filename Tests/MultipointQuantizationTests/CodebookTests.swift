import MultipointQuantization
import SeededNumbers
import XCTest

final class CodebookTests: XCTestCase {
    func testEntriesOfSmallCodebooks() throws {
        XCTAssertEqual(try Codebook(.odd, bits: 1).values, [-1, 1])
        XCTAssertEqual(try Codebook(.odd, bits: 2).values, [-3, -1, 1, 3])
        XCTAssertEqual(try Codebook(.odd, bits: 3).values, [-7, -5, -3, -1, 1, 3, 5, 7])
        XCTAssertEqual(try Codebook(.uniform, bits: 2).values, [-1, 0, 1, 0])
        XCTAssertEqual(try Codebook(.uniform, bits: 3).values, [-3, -2, -1, 0, 1, 2, 3, 0])
    }

    func testExtremesAndSizes() throws {
        XCTAssertEqual(try Codebook(.odd, bits: 6).largest, 63)
        XCTAssertEqual(try Codebook(.uniform, bits: 7).largest, 63)
        XCTAssertEqual(try Codebook(.uniform, bits: 8).largest, 127)
        for family in Codebook.Family.allCases {
            for bits in family.bits {
                let codebook = try Codebook.example(family, bits: bits)
                XCTAssertEqual(codebook.values.count, 1 << bits)
                XCTAssertEqual(codebook.values.map { abs(Int($0)) }.max(), codebook.largest)
                XCTAssertEqual(codebook.values.map(Int.init).reduce(0, +), 0, "symmetric")
            }
        }
    }

    func testDefaultFamilyIsOddUpToSixBits() throws {
        for bits in 1...6 { XCTAssertEqual(try Codebook(bits: bits).family, .odd) }
        for bits in 7...8 { XCTAssertEqual(try Codebook(bits: bits).family, .uniform) }
    }

    func testWidthsThatDoNotExist() {
        let refused: [(Codebook.Family?, Int)] = [
            (nil, 0), (nil, 9), (nil, -1), (.odd, 7), (.uniform, 1), (.odd, Int.max), (.subset, 1), (.subset, 3), (.subset, 5),
        ]
        for (family, bits) in refused {
            XCTAssertThrowsError(try Codebook(family, bits: bits)) { error in
                let message = family == .subset && bits == 3 ? "the values of 3 bits are chosen" : "found \(bits)"
                XCTAssertTrue("\(error)".contains(message), "\(error)")
            }
        }
    }

    /// Against a linear search through the entries.
    func testNearestEntry() throws {
        var generator = SeededGenerator(seed: 1)
        for family in Codebook.Family.allCases {
            for bits in family.bits {
                let codebook = try Codebook.example(family, bits: bits)
                let range = Float(codebook.largest) * 1.5
                var numbers = (0..<200).map { _ in Float.random(in: -range...range, using: &generator) }
                numbers += (-140...140).map(Float.init) + [1e30, -1e30, .leastNonzeroMagnitude, -0.0, 0.5, -0.5]
                for x in numbers {
                    let code = codebook.code(nearest: x)
                    let found = abs(Double(codebook.values[Int(code)]) - Double(x))
                    let best = codebook.values.map { abs(Double($0) - Double(x)) }.min()
                    XCTAssertEqual(found, best, "\(family) \(bits) bits, \(x)")
                }
            }
        }
    }
}
