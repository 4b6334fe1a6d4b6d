import SeededNumbers
import XCTest

@testable import MultipointQuantization

final class EntryGridTests: XCTestCase {
    private let numbers = (-600...600).map { Float($0) / 7.3 } + [0, 1e6, -1e6, .infinity, -.infinity, 64, -64, 127, -128]

    /// The distance to the nearest of some integers.
    private func distance(_ x: Float, _ values: [Int]) -> Float { values.map { abs(Float($0) - x) }.min() ?? .infinity }

    private func check(_ grid: some EntryGrid, _ values: [Int]) {
        for x in numbers {
            let q = grid.nearest(SIMD8(repeating: x))
            XCTAssertTrue(values.contains(Int(q[3])), "\(x): \(q[3])")
            guard x.isFinite else { continue }
            XCTAssertEqual(abs(q[3] - x), distance(x, values), "\(x)")
        }
    }

    func testEvenGrids() {
        for bits in 1...6 {
            let half = SIMD8<Float>(repeating: Float(1 << (bits - 1)))
            check(EvenGrid(.odd, half: half), RefinementLadder.odd.values(bits: bits))
            check(EvenGrid(.zero, half: half), RefinementLadder.zero.values(bits: bits))
        }
    }

    func testLanesHaveWidthsOfTheirOwn() {
        let half = SIMD8<Float>(1, 2, 4, 8, 16, 32, 1, 2)
        XCTAssertEqual(EvenGrid(.odd, half: half).nearest(SIMD8(repeating: 100)), SIMD8(1, 3, 7, 15, 31, 63, 1, 3))
        XCTAssertEqual(EvenGrid(.zero, half: half).nearest(SIMD8(repeating: -100)), SIMD8(-1, -2, -4, -8, -16, -32, -1, -2))
    }

    func testTables() {
        var generator = SeededGenerator(seed: 3)
        for count in [1, 2, 3, 16, 64] {
            let values = (0..<count).map { _ in Int.random(in: -64...64, using: &generator) }
            let table = TableGrid.table(values)
            check(TableGrid([[Float]](repeating: table, count: 8)), values)
            for x in numbers where x.isFinite { XCTAssertEqual(abs(ScalarGrid(table).nearest(x) - x), distance(x, values)) }
        }
    }

    func testNaNIsAnEntry() {
        let table = TableGrid.table([-3, 1])
        XCTAssertEqual(TableGrid([[Float]](repeating: table, count: 8)).nearest(SIMD8(repeating: .nan))[0], -3)
        XCTAssertEqual(ScalarGrid(table).nearest(.nan), -3)
    }
}
