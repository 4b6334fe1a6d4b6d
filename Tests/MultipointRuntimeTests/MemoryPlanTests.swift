import SeededNumbers
import XCTest

@testable import MultipointRuntime

final class MemoryPlanTests: XCTestCase {
    /// Buffers in use at the same time never share a byte, every offset is aligned, nothing lies outside the arena's margins.
    func testRandomLivesNeverOverlap() throws {
        var generator = SeededGenerator(seed: 4)
        for _ in 0..<200 {
            let requests = (0..<Int.random(in: 1...40, using: &generator)).map { _ in
                let first = Int.random(in: 0...30, using: &generator)
                return MemoryPlan.Request(
                    byteCount: Int.random(in: 0...5000, using: &generator),
                    life: first...(first + Int.random(in: 0...8, using: &generator)))
            }
            let plan = try MemoryPlan(requests)
            for (index, request) in requests.enumerated() {
                let range = plan.offsets[index]..<(plan.offsets[index] + request.byteCount)
                XCTAssertEqual(range.lowerBound % 64, 0)
                XCTAssertGreaterThanOrEqual(range.lowerBound, MemoryPlan.margin)
                XCTAssertLessThanOrEqual(range.upperBound + MemoryPlan.margin, plan.byteCount)
                for other in 0..<index where requests[other].life.overlaps(request.life) {
                    let taken = plan.offsets[other]..<(plan.offsets[other] + requests[other].byteCount)
                    XCTAssertFalse(range.overlaps(taken), "\(request) at \(range) and \(requests[other]) at \(taken)")
                }
            }
        }
    }

    /// A chain a → b → c of 1,000, 500 and 1,000 bytes: a's place serves c.
    func testPlacesAreReused() throws {
        let plan = try MemoryPlan([
            .init(byteCount: 1000, life: 0...1), .init(byteCount: 500, life: 1...2), .init(byteCount: 1000, life: 2...3),
        ])
        XCTAssertEqual(plan.offsets[0], plan.offsets[2])
        XCTAssertEqual(plan.byteCount, MemoryPlan.margin + 1024 + 512 + MemoryPlan.margin)
    }

    func testSizesThatOverflowAreRefused() {
        XCTAssertThrowsError(try MemoryPlan([.init(byteCount: .max - 8, life: 0...1)]))
        XCTAssertThrowsError(
            try MemoryPlan([.init(byteCount: .max / 2, life: 0...1), .init(byteCount: .max / 2 + 1, life: 0...1)]))
    }
}
