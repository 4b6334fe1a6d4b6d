import SeededNumbers
import XCTest

@testable import MultipointQuantization

final class BitAllocationTests: XCTestCase {
    /// Against every combination: the budget is kept, and the damage is at most what the best combination leaves with one channel's
    /// largest step less to spend (the bound of a Lagrangian choice over convex trade-offs).
    func testAllocationIsNearTheBestCombination() {
        var generator = SeededGenerator(seed: 13)
        for _ in 0..<50 {
            let channels = (0..<5).map { _ in
                let size = Double.random(in: 0.1...10, using: &generator)
                // Damage falls fourfold with every bit: a convex trade-off.
                return (2...5).map { BitAllocation.Choice(bits: $0, bytes: 10 * $0, damage: size / Double(1 << (2 * $0))) }
            }
            let allocation = BitAllocation(channels)
            for budget in stride(from: 100, through: 260, by: 30) {
                let bits = allocation.bits(within: budget)
                XCTAssertLessThanOrEqual(bits.reduce(0) { $0 + 10 * $1 }, budget)
                let damage = zip(channels, bits).reduce(0) { $0 + $1.0[$1.1 - 2].damage }
                XCTAssertLessThanOrEqual(damage, best(channels, budget: budget - 10) * (1 + 1e-12))
            }
        }
    }

    private func best(_ channels: [[BitAllocation.Choice]], budget: Int) -> Double {
        guard let first = channels.first else { return budget >= 0 ? 0 : .infinity }
        return first.map { $0.damage + best(Array(channels.dropFirst()), budget: budget - $0.bytes) }.min() ?? .infinity
    }
}
