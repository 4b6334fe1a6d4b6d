import MultipointFormat
import MultipointGraph
import XCTest

/// Files made byte by byte in the test.
final class ReadingTests: XCTestCase {
    func testSmallFile() throws {
        let file = try PackedFile(bytes: HandmadeFile.small.bytes, source: "test file")
        XCTAssertEqual(file.name, "tiny")
        XCTAssertEqual(file.producer, "")
        XCTAssertNil(file.network)
        XCTAssertEqual(file.layers, [try HandmadeFile.smallLayer])
    }

    func testEveryAlignmentOfTheData() throws {
        for padding in 0..<16 {
            for odd in 0..<4 {
                var handmade = HandmadeFile.small
                handmade.padding = padding
                // Floats at every offset within the data section, too.
                handmade.tensors.insert(("odd", "U8", [odd], [UInt8](repeating: 7, count: odd)), at: 0)
                XCTAssertEqual(try PackedFile(bytes: handmade.bytes, source: "test file").layers, [try HandmadeFile.smallLayer])
            }
        }
    }

    /// 5-bit base and 1-bit refinement, ladder of ratio 2, a channel without points; unused bits of the last byte set.
    func testLadderWithEveryKindOfChannel() throws {
        var handmade = HandmadeFile()
        handmade.metadata["layers"] = """
            [{"name": "c", "operator": "Conv", "shape": [3, 2, 1, 1], "strides": [2, 1], "pads": [1, 0, 2, 3], "dilations": [1, 3],
              "group": 3, "ladder": [2], "output": {"scale": 1e-3, "zero_point": 255}}]
            """
        handmade.add("c.points", u8: [2, 0, 1])
        // Channel 0: 31, 1 -> bits 11111 00001 (from the least significant) = 0b00001_11111; channel 2: 16, 8.
        handmade.add("c.codes.0", u8: [0b001_11111, 0b1111_1100, 0b000_10000, 0b01], shape: [2, 2])
        handmade.add("c.codes.1", u8: [0b1111_1110], shape: [1, 1])
        handmade.add("c.codebook.0", i8: Array(stride(from: -31, through: 31, by: 2)))
        handmade.add("c.codebook.1", i8: [-1, 1])
        handmade.add("c.scales", f32: [0.5, 1, 2])
        let layer = try PackedFile(bytes: handmade.bytes, source: "test file").layers[0]
        guard case .packed(let packed) = layer.weights else { return XCTFail("not packed") }
        XCTAssertEqual(packed.levels[0].codes, [31, 1, 16, 8])
        XCTAssertEqual(packed.levels[1].codes, [0, 1])
        XCTAssertEqual(packed.levels.map(\.bits), [5, 1])
        XCTAssertEqual(packed.ladder, [2])
        XCTAssertEqual(packed.points, [2, 0, 1])
        XCTAssertEqual(packed.scales, [0.5, 1, 2])
        XCTAssertEqual(
            layer.operation,
            .convolution(ConvolutionAttributes(strides: [2, 1], pads: [1, 0, 2, 3], dilations: [1, 3], group: 3)))
        XCTAssertEqual(layer.outputQuantization, AffineQuantization(scale: 1e-3, zeroPoint: 255))
        XCTAssertNil(layer.inputQuantization)
        XCTAssertNil(layer.bias)
    }

    func testDefaultsAreOnnxs() throws {
        var handmade = HandmadeFile()
        handmade.metadata["layers"] = #"[{"name": "c", "operator": "Conv", "shape": [1, 1, 1, 2]}]"#
        handmade.add("c.weight", f32: [0.5, -0.5], shape: [1, 1, 1, 2])
        let file = try PackedFile(bytes: handmade.bytes, source: "test file")
        XCTAssertEqual(
            file.layers,
            [
                Layer(
                    name: "c", operation: .convolution(ConvolutionAttributes()), shape: [1, 1, 1, 2], weights: .float([0.5, -0.5]))
            ])
    }

    func testUnknownKeysTensorsAndMinorVersions() throws {
        var handmade = HandmadeFile.small
        handmade.metadata["version"] = "1.17"
        handmade.metadata["remark"] = "[[[["
        handmade.metadata["layers"] = """
            [{"name": "w", "operator": "Gemm", "shape": [2, 3], "input": {"scale": 0.5, "zero_point": 3, "x": null}, "more": [1, {"a": null}]}]
            """
        for (dtype, width) in [("F64", 8), ("BF16", 2), ("BOOL", 1), ("F8_E4M3", 1), ("U64", 8), ("F4", 0)] {
            let bytes = width == 0 ? 3 : 6 * width
            handmade.tensors.append(("unrelated \(dtype)", dtype, [2, 3], [UInt8](repeating: 1, count: bytes)))
        }
        handmade.tensors.append(("empty", "F32", [0, 4], []))
        XCTAssertEqual(try PackedFile(bytes: handmade.bytes, source: "test file").layers, [try HandmadeFile.smallLayer])
    }

    func testChecksumIsCheckedWhenPresent() throws {
        var handmade = HandmadeFile.small
        let data = handmade.data
        // zlib.crc32 of these 24 bytes in Python.
        handmade.metadata["crc32"] = "f1111179"
        XCTAssertEqual(try PackedFile(bytes: handmade.bytes, source: "test file").layers.count, 1)
        handmade.metadata["crc32"] = "f1111179".uppercased()
        XCTAssertEqual(try PackedFile(bytes: handmade.bytes, source: "test file").layers.count, 1)
        for position in data.indices {
            var damaged = handmade.bytes
            damaged[damaged.count - data.count + position] ^= 0x10
            assertRefused(damaged, .badFormat, "crc32", "f1111179".uppercased())
        }
    }

    func testNoLayers() throws {
        var handmade = HandmadeFile()
        handmade.metadata["layers"] = "[]"
        XCTAssertEqual(try PackedFile(bytes: handmade.bytes, source: "test file").layers, [])
    }

    func testFloatsOfLayersAreExact() throws {
        for scale in [Float.leastNonzeroMagnitude, .leastNormalMagnitude, 1 / 255, 0.1, 16_777_215, .greatestFiniteMagnitude] {
            // Written as Python writes a float32 turned into a float: the shortest text that gives the double back.
            var handmade = HandmadeFile.small
            handmade.metadata["layers"] =
                "[{\"name\": \"w\", \"operator\": \"Gemm\", \"shape\": [2, 3], \"input\": {\"scale\": \(Double(scale)), \"zero_point\": 0}}]"
            XCTAssertEqual(try PackedFile(bytes: handmade.bytes, source: "test file").layers[0].inputQuantization?.scale, scale)
        }
    }

    func testProgressRisesAndCancels() throws {
        let bytes = HandmadeFile.small.bytes
        var seen: [Double] = []
        _ = try PackedFile(bytes: bytes, source: "test file") {
            seen.append($0)
            return true
        }
        XCTAssertEqual(seen, seen.sorted())
        XCTAssertEqual(seen.last, 1)
        for stop in seen.indices {
            var calls = 0
            XCTAssertThrowsError(
                try PackedFile(bytes: bytes, source: "test file") { _ in
                    calls += 1
                    return calls <= stop
                }
            ) { XCTAssertEqual(($0 as? PackedFileError)?.kind, .cancelled) }
        }
    }
}
