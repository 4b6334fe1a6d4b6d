import Foundation
import MultipointFormat
import MultipointGraph
import SeededNumbers
import XCTest

final class RoundTripTests: XCTestCase {
    func testRandomLayers() throws {
        for seed in 0..<150 {
            var generator = SeededGenerator(seed: UInt64(seed))
            let layers = try (0..<generator.number(0...4)).map { try generator.layer(named: "block/\($0) \"é\"") }
            let file = PackedFile(
                name: "net \(seed) ☃", producer: "a test", layers: layers,
                relativeOutputErrors: Dictionary(
                    uniqueKeysWithValues: layers.map { ($0.name, Double.random(in: 0...1, using: &generator)) }))
            let bytes = try file.encoded()
            XCTAssertEqual(try PackedFile(bytes: bytes, source: "test file"), file, "seed \(seed)")
            XCTAssertEqual(try file.encoded(), bytes, "the same content gives the same bytes")
        }
    }

    /// What people may read of the quantizer's measurements: four digits are kept; nonsense is not written.
    func testRecord() throws {
        var generator = SeededGenerator(seed: 8)
        let errors = QuantizationRecord.LayerErrors(nearest: [0.123_456_78, 1.234_567e-9], rounded: [0])
        XCTAssertEqual(errors.nearest, [0.1235, 1.235e-9])
        let record = QuantizationRecord(method: "by \"hand\"", nearestBits: [2, 8], roundedBits: [3], layers: ["a": errors])
        var file = try PackedFile(layers: [generator.layer(named: "a")], record: record)
        XCTAssertEqual(try PackedFile(bytes: file.encoded(), source: "test file"), file)
        file.record?.layers["b"] = QuantizationRecord.LayerErrors(nearest: [.infinity, 1], rounded: [1])
        XCTAssertNil(try PackedFile(bytes: file.encoded(), source: "test file").record)
        file.record = QuantizationRecord(method: "", nearestBits: [2], roundedBits: [], layers: ["a": errors])
        XCTAssertNil(try PackedFile(bytes: file.encoded(), source: "test file").record, "two numbers for one width")
    }

    /// The names are in the way of one another's tensors if anything is careless.
    func testNamesThatLookLikeTensors() throws {
        var generator = SeededGenerator(seed: 9)
        let names = ["a", "a.codes", "a.codes.0", "a.points", "", "__metadata__", "weight", ".", "a.codebook"]
        let layers = try names.map { try generator.layer(named: $0) }
        let file = PackedFile(layers: layers)
        XCTAssertEqual(try PackedFile(bytes: file.encoded(), source: "test file"), file)
    }

    func testTensorsAreAligned() throws {
        var generator = SeededGenerator(seed: 10)
        let bytes = try PackedFile(layers: (0..<5).map { try generator.layer(named: "l\($0)") }).encoded()
        let length = bytes[..<8].enumerated().reduce(0) { $0 + Int($1.element) << (8 * $1.offset) }
        XCTAssertEqual(length % 8, 0)
        let header = try XCTUnwrap(JSONSerialization.jsonObject(with: Data(bytes[8..<8 + length])) as? [String: [String: Any]])
        for (name, entry) in header where name != "__metadata__" {
            let offsets = try XCTUnwrap(entry["data_offsets"] as? [Int])
            if entry["dtype"] as? String == "F32" { XCTAssertEqual(offsets[0] % 4, 0, name) }
        }
    }

    func testDuplicateNamesAreNotWritten() throws {
        var generator = SeededGenerator(seed: 11)
        let layer = try generator.layer(named: "w")
        XCTAssertThrowsError(try PackedFile(layers: [layer, layer]).encoded()) { XCTAssertTrue("\($0)".contains("w."), "\($0)") }
    }

    func testContradictionsAreNotWritten() throws {
        var layer = try HandmadeFile.smallLayer
        layer.bias = [1]
        XCTAssertThrowsError(try PackedFile(layers: [layer]).encoded()) { XCTAssertTrue("\($0)".contains("`w`"), "\($0)") }
        layer = try HandmadeFile.smallLayer
        guard case .packed(var packed) = layer.weights else { return XCTFail("not packed") }
        packed.levels[0].codes[1] = 4
        layer.weights = .packed(packed)
        XCTAssertThrowsError(try PackedFile(layers: [layer]).encoded()) { XCTAssertTrue("\($0)".contains("`w`"), "\($0)") }
    }

    func testStoredSizes() throws {
        let small = try HandmadeFile.smallLayer
        // points 2, codes 2, codebook 4, scales 8; bias 8.
        XCTAssertEqual(small.storedByteCount, 24)
        XCTAssertEqual(small.bitsPerWeight, 16.0 * 8 / 6)
        for seed in 0..<40 {
            var generator = SeededGenerator(seed: UInt64(1000 + seed))
            let layer = try generator.layer(named: "w")
            let bytes = try PackedFile(layers: [layer]).encoded()
            let length = bytes[..<8].enumerated().reduce(0) { $0 + Int($1.element) << (8 * $1.offset) }
            XCTAssertEqual(layer.storedByteCount, bytes.count - 8 - length)
            if !layer.isPacked { XCTAssertEqual(layer.bitsPerWeight, 32) }
        }
    }

    // MARK: - Files

    private func folder() throws -> String {
        let path = NSTemporaryDirectory() + "multipoint-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        return path
    }

    func testFileOnDisk() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var generator = SeededGenerator(seed: 12)
        let file = PackedFile(name: "n", layers: try (0..<3).map { try generator.layer(named: "l\($0)") })
        let path = folder + "/net.multipoint"
        for _ in 0..<2 {
            try file.write(to: path)
            XCTAssertEqual(try PackedFile(path: path), file)
            XCTAssertEqual(try Data(contentsOf: URL(fileURLWithPath: path)), Data(try file.encoded()))
            XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folder), ["net.multipoint"])
        }
        var seen: [Double] = []
        _ = try PackedFile(path: path) {
            seen.append($0)
            return true
        }
        XCTAssertEqual(seen, seen.sorted())
        XCTAssertEqual(seen.last, 1)
        XCTAssertThrowsError(try PackedFile(path: path) { _ in false }) {
            XCTAssertEqual(($0 as? PackedFileError)?.kind, .cancelled)
        }
    }

    func testFailuresLeaveNothing() throws {
        let folder = try folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = PackedFile(layers: [try HandmadeFile.smallLayer])
        for path in [folder, folder + "/missing/net", "/dev/null", ""] {
            XCTAssertThrowsError(try file.write(to: path)) { error in
                XCTAssertEqual((error as? PackedFileError)?.kind, .io)
                XCTAssertTrue("\(error)".contains("`\(path)`"), "\(error)")
            }
        }
        var broken = file
        broken.layers[0].bias = [.nan, 0]
        let path = folder + "/net"
        try file.write(to: path)
        XCTAssertThrowsError(try broken.write(to: path))
        XCTAssertEqual(try PackedFile(path: path), file, "what was there is still there")
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folder), ["net"])
    }
}
