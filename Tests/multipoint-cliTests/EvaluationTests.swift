import MultipointGraph
import NumPyArrays
import XCTest

@testable import multipoint_cli

final class EvaluationTests: XCTestCase {
    private func logits(_ rows: [[Float]]) throws -> Logits {
        try Logits(NPYArray(shape: [rows.count, rows[0].count], elements: .float32(rows.flatMap { $0 })), model: "m")
    }

    private func labels(_ values: [Int64]) throws -> Labels {
        try Labels(path: "l.npy", NPYArray(shape: [values.count], elements: .int64(values)))
    }

    private func result(_ rows: [[Float]], _ classes: [Int64], reference: [[Float]]? = nil) throws -> EvaluationResult {
        try EvaluationResult(
            model: "m", logits(rows), labels(classes), reference: reference.map { try logits($0) }, milliseconds: 0)
    }

    func testAccuracies() throws {
        let row: [Float] = [7, 6, 5, 4, 3, 2, 1]
        let found = try result([row, row, row, row], [0, 4, 5, 6])
        XCTAssertEqual(found.top1, 0.25)
        XCTAssertEqual(found.top5, 0.5)
        XCTAssertNil(found.agreement)
        XCTAssertNil(try result([[1, 2]], [1]).top5, "with so few classes it says nothing")
    }

    func testTiesAndNaN() throws {
        // Of equal values the first wins, as numpy.argmax has it.
        XCTAssertEqual(try result([[1, 1, 0], [1, 1, 0]], [0, 1]).top1, 0.5)
        XCTAssertEqual(try result([[.nan, .nan, .nan]], [0]).top1, 0)
        XCTAssertEqual(try result([[.nan, 1, 0]], [1]).top1, 1)
        XCTAssertEqual(try result([[.nan, 1, 0]], [0]).top1, 0)
    }

    func testComparison() throws {
        // Signal 3² + 4² = 25, noise 0.5² = 0.25: 20 dB.
        let found = try result([[3, 4.5]], [0], reference: [[3, 4]])
        XCTAssertEqual(found.signalToNoise ?? 0, 20, accuracy: 1e-9)
        XCTAssertEqual(found.agreement, 1)
        XCTAssertEqual(found.equalsFirst, false)
        let half = try result([[1, 0], [1, 0]], [0, 0], reference: [[1, 0], [0, 1]])
        XCTAssertEqual(half.agreement, 0.5)
        let equal = try result([[1, 2]], [0], reference: [[1, 2]])
        XCTAssertEqual(equal.equalsFirst, true)
        XCTAssertNil(equal.signalToNoise)
        XCTAssertNil(try result([[.nan, 2]], [0], reference: [[1, 2]]).signalToNoise)
        // Ties go to the first on both sides; two networks that answer nothing do not agree.
        let special = try result([[1, 1], [.nan, 2], [.nan, .nan]], [0, 0, 0], reference: [[2, 2], [.nan, 1], [.nan, .nan]])
        XCTAssertEqual(special.agreement ?? 0, 2.0 / 3, accuracy: 1e-12)
    }

    func testJSON() throws {
        let text = try jsonText([try result([[1, 2, 3, 4, 5, 6]], [5])])
        for part in ["\"top1\" : 1", "\"top5\" : 1", "\"milliseconds_per_image\" : 0", "\"model\" : \"m\"", "\"images\" : 1"] {
            XCTAssertTrue(text.contains(part), text)
        }
        XCTAssertFalse(text.contains("agreement"), text)
    }

    func testRefusals() {
        func assertRefused<R>(_ words: String..., line: UInt = #line, _ body: () throws -> R) {
            XCTAssertThrowsError(try body(), line: line) { error in
                for word in words { XCTAssertTrue("\(error)".contains(word), "\(error)", line: line) }
            }
        }
        assertRefused("l.npy", "2 labels for 1 images") { try result([[1, 2]], [0, 1]) }
        assertRefused("l.npy", "label 0 is 2", "0 to 1") { try result([[1, 2]], [2]) }
        assertRefused("label 0 is -1") { try result([[1, 2]], [-1]) }
        assertRefused("3 outputs per image", "2") { try result([[1, 2, 3]], [2], reference: [[1, 2]]) }
        assertRefused("l.npy", "2×1") { try Labels(path: "l.npy", NPYArray(shape: [2, 1], elements: .int64([0, 1]))) }
        assertRefused("l.npy", "float32") { try Labels(path: "l.npy", NPYArray(shape: [1], elements: .float32([0]))) }
        assertRefused("`m`", "images × classes") { try Logits(NPYArray(shape: [4], elements: .float32([0, 1, 2, 3])), model: "m") }
        assertRefused("`m`") { try Logits(nil, model: "m") }
    }

    func testTables() {
        var table = TextTable([.left("name"), .right("size"), .left("é")])
        table.add(["a", "10", "x"])
        table.add(["longer", "5", ""])
        XCTAssertEqual(table.text, "name    size  é\na         10  x\nlonger     5")
    }

    func testDecimals() {
        for (value, digits, text) in [
            (0.0, 2, "0.00"), (1.005, 0, "1"), (-0.04, 1, "0.0"), (-0.06, 1, "-0.1"), (4.937, 2, "4.94"), (99.999, 2, "100.00"),
            (0.05, 2, "0.05"),
            (1e20, 2, "1e+20"), (Double.infinity, 1, "inf"),
        ] {
            XCTAssertEqual(decimal(value, digits: digits), text)
        }
    }

    func testBitsOfLevels() {
        XCTAssertEqual(LayerSummary.bitsText([4]), "4")
        XCTAssertEqual(LayerSummary.bitsText([4, 4, 4]), "3×4")
        XCTAssertEqual(LayerSummary.bitsText([2, 1, 1, 1, 1]), "2 + 4×1")
        XCTAssertEqual(LayerSummary.bitsText([]), "0")
    }
}
