@testable import MultipointQuantization
import SeededNumbers
import XCTest

final class SubsetCodebookTests: XCTestCase {
    func testUniversalSet() {
        XCTAssertEqual(UniversalSet.magnitudes, [0, 1, 2, 3, 4, 6, 8, 9, 12, 16, 17, 18, 20, 24, 32])
    }

    /// 15 over 2, 4 and 8, each subset once.
    func testSubsets() {
        for (size, count) in [(2, 105), (4, 1365), (8, 6435)] {
            let subsets = UniversalSet.subsets(size: size)
            XCTAssertEqual(subsets.count, count)
            XCTAssertEqual(Set(subsets).count, count)
            for subset in subsets {
                XCTAssertEqual(subset.count, size)
                XCTAssertEqual(subset, Set(subset).sorted())
                XCTAssertTrue(Set(subset).isSubset(of: UniversalSet.magnitudes))
            }
        }
    }

    func testEntriesWorkedByHand() throws {
        XCTAssertEqual(try Codebook(subset: [0, 32]).values, [-1, 0, 0, 1])
        XCTAssertEqual(try Codebook(subset: [24, 9]).values, [-8, -3, 3, 8])
        XCTAssertEqual(try Codebook(subset: [8, 0, 32, 16]).values, [-4, -2, -1, 0, 0, 1, 2, 4])
        XCTAssertEqual(try Codebook(subset: [3, 9, 18, 32]).values, [-32, -18, -9, -3, 3, 9, 18, 32])
        XCTAssertEqual(
            try Codebook(subset: [2, 4, 6, 8, 12, 16, 18, 24]).values, [-12, -9, -8, -6, -4, -3, -2, -1, 1, 2, 3, 4, 6, 8, 9, 12])
        XCTAssertEqual(try Codebook(subset: [0, 32]).bits, 2)
        XCTAssertEqual(try Codebook(subset: [24, 9]).family, .subset)
    }

    /// Of every subset: entries in the same ratios, without a common divisor, within the runtime's ±64, each found by its code.
    func testEverySubset() throws {
        for size in [2, 4, 8] {
            for subset in UniversalSet.subsets(size: size) {
                let codebook = try Codebook(subset: subset)
                let magnitudes = codebook.values.suffix(size).map { Int($0) }
                let top = (subset[size - 1], magnitudes[size - 1])
                guard codebook.values.count == 2 * size,
                    codebook.values.prefix(size).map({ -Int($0) }) == magnitudes.reversed(),
                    zip(subset, magnitudes).allSatisfy({ $0 * top.1 == $1 * top.0 }), codebook.largest == top.1, top.1 <= 64,
                    !(2...32).contains(where: { divisor in magnitudes.allSatisfy { $0 % divisor == 0 } }),
                    codebook.values.allSatisfy({ codebook.values[Int(codebook.code(nearest: Float($0)))] == $0 })
                else { return XCTFail("\(subset): \(codebook.values)") }
            }
        }
    }

    func testNearestEntryOfRandomSubsets() throws {
        var generator = SeededGenerator(seed: 31)
        for size in [2, 4, 8] {
            for _ in 0..<30 {
                let subset = Array(UniversalSet.magnitudes.shuffled(using: &generator).prefix(size))
                let codebook = try Codebook(subset: subset)
                var numbers = (0..<40).map { _ in Float.random(in: -40...40, using: &generator) }
                numbers += (-80...80).map { Float($0) / 2 } + [1e30, -1e30, .leastNonzeroMagnitude, -0.0]
                for x in numbers {
                    let found = abs(Double(codebook.values[Int(codebook.code(nearest: x))]) - Double(x))
                    XCTAssertEqual(found, codebook.values.map { abs(Double($0) - Double(x)) }.min(), "\(subset), \(x)")
                }
                XCTAssertEqual(Int(codebook.values[Int(codebook.code(nearest: .infinity))]), codebook.largest)
                XCTAssertEqual(Int(codebook.values[Int(codebook.code(nearest: -.infinity))]), -codebook.largest)
            }
        }
    }

    func testWhatIsNoSubset() {
        for (magnitudes, message) in [
            ([1, 5], "found 5"), ([-1, 1], "found -1"), ([1, 64], "found 64"), ([], "found []"), ([1], "found [1]"),
            ([1, 1], "found [1, 1]"), ([1, 2, 3], "found [1, 2, 3]"), ([1, 2, 3, 3], "found [1, 2, 3, 3]"), (UniversalSet.magnitudes, "2, 4 or 8"),
        ] {
            XCTAssertThrowsError(try Codebook(subset: magnitudes)) { XCTAssertTrue("\($0)".contains(message), "\($0)") }
        }
    }
}
