import MultipointFormat
import MultipointGraph
import XCTest

/// What the limit on weight bytes counts, by hand.
final class LimitTests: XCTestCase {
    /// Reads with one byte less than a file needs, and with what it needs.
    private func assertNeeds(_ byteCount: Int, _ file: HandmadeFile, _ what: String, line: UInt = #line) {
        func read(limit: Int) throws {
            let limits = ReadingLimits(weightByteCount: limit)
            try file.bytes.withUnsafeBytes { bytes in _ = try PackedFile(bytes: bytes, source: "file", limits: limits) }
        }
        XCTAssertNoThrow(try read(limit: byteCount), line: line)
        XCTAssertThrowsError(try read(limit: byteCount - 1), line: line) { error in
            XCTAssertEqual((error as? PackedFileError)?.kind, .limitExceeded, line: line)
            XCTAssertTrue("\(error)".contains("\(what) take \(byteCount) bytes"), "\(error)", line: line)
        }
    }

    private func graph(_ nodes: String) -> String {
        #"{"operator_set": 17, "inputs": [{"name": "x", "shape": ["N", 8]}], "outputs": [{"name": "y"}], "nodes": [\#(nodes)]}"#
    }

    func testLayers() {
        // 2 channels of 3 weights.
        assertNeeds(6, HandmadeFile.small, "the weights of all layers")
    }

    /// 8 floats for the summand, 16 for the matrix, 4 of 8 bytes for the indices; the shape is gone.
    func testWhatTheGraphMakes() {
        var file = HandmadeFile()
        file.metadata["layers"] = "[]"
        file.metadata["graph"] = graph(
            #"""
            {"operator": "Constant", "outputs": ["s"], "attributes": {"value_ints": [8, 2]}},
            {"operator": "ConstantOfShape", "inputs": ["s"], "outputs": ["w"]},
            {"operator": "Constant", "outputs": ["k"], "attributes": {"value": "t"}},
            {"operator": "Constant", "outputs": ["i"], "attributes": {"value_ints": [1, 0, 1, 1]}},
            {"operator": "Add", "inputs": ["x", "k"], "outputs": ["a"]},
            {"operator": "MatMul", "inputs": ["a", "w"], "outputs": ["b"]},
            {"operator": "Gather", "inputs": ["b", "i"], "outputs": ["y"], "attributes": {"axis": 1}}
            """#)
        file.add("t", f32: [1, 2, 3, 4, 5, 6, 7, 8])
        assertNeeds(8 * 4 + 16 * 4 + 4 * 8, file, "the weights and constants of the network")
    }

    /// One convolution for each row of the channel that has most: 3 (an 8-bit vector is two) in both channels.
    func testGroupedLayers() {
        var file = HandmadeFile()
        func layer(group: Int) -> String {
            #"[{"name": "w", "operator": "Conv", "shape": [2, 3, 1, 1], "group": \#(group), "input": {"scale": 0.5, "zero_point": 3}}]"#
        }
        file.add("w.points", u8: [2, 1])
        file.add("w.codes.0", u8: [0b10_01_00, 0b01_10_11], shape: [2, 1])
        file.add("w.codes.1", u8: [0b101], shape: [1, 1])
        file.add("w.codebook.0", i8: [-65, -1, 1, 65])
        file.add("w.codebook.1", i8: [-64, 64])
        file.add("w.scales", f32: [0.5, 0.25, 0.125])
        file.metadata["layers"] = layer(group: 2)
        assertNeeds(3 * 2 * 3, file, "the weights of all layers")
        // Without groups, a row for every point.
        file.metadata["layers"] = layer(group: 1)
        assertNeeds(3 * 3, file, "the weights of all layers")
    }

    /// A tensor that many nodes name is in memory once, and in the file.
    func testATensorOfManyNodes() throws {
        var file = HandmadeFile()
        file.metadata["layers"] = "[]"
        let constants = (0..<3).map { #"{"operator": "Constant", "outputs": ["k\#($0)"], "attributes": {"value": "t"}}"# }
        let sums = (0..<3).map { #"{"operator": "Max", "inputs": ["\#($0 == 0 ? "x" : "a\($0 - 1)")", "k\#($0)"], "outputs": ["a\#($0)"]}"# }
        file.metadata["graph"] = graph((constants + sums + [#"{"operator": "Sin", "inputs": ["a2"], "outputs": ["y"]}"#]).joined(separator: ","))
        file.add("t", f32: [1, 2, 3, 4, 5, 6, 7, 8])
        let constantValues = try XCTUnwrap(PackedFile(bytes: file.bytes, source: "file").network).constants.values.map(\.floats)
        XCTAssertEqual(constantValues, Array(repeating: [1, 2, 3, 4, 5, 6, 7, 8], count: 3))
    }
}
