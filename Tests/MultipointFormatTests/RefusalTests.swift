import Foundation
import MultipointFormat
import MultipointGraph
import XCTest

/// Every contradiction is refused, with a message that names it.
final class RefusalTests: XCTestCase {
    private func small(_ change: (inout HandmadeFile) -> Void) -> [UInt8] {
        var file = HandmadeFile.small
        change(&file)
        return file.bytes
    }

    private func layers(_ entry: String) -> [UInt8] { small { $0.metadata["layers"] = entry } }

    func testEveryTruncation() throws {
        let bytes = HandmadeFile.small.bytes
        for length in bytes.indices { assertRefused(Array(bytes[..<length])) }
        assertRefused(bytes + [0], .badFormat, "data section")
    }

    func testEveryDamagedByte() throws {
        let bytes = HandmadeFile.small.bytes
        for position in bytes.indices {
            for value in 0...255 as ClosedRange<UInt8> where value != bytes[position] {
                var damaged = bytes
                damaged[position] = value
                do {
                    let file = try PackedFile(bytes: damaged, source: "test file")
                    for layer in file.layers { XCTAssertNoThrow(try layer.validate()) }
                } catch {
                    XCTAssertTrue(error.kind == .badFormat || error.kind == .unsupported)
                    XCTAssertTrue(error.description.hasPrefix("test file: "), error.description)
                }
            }
        }
    }

    func testHeaderLength() {
        assertRefused([], .badFormat, "0 bytes")
        assertRefused([UInt8](repeating: 255, count: 100), .badFormat, "18446744073709551615")
        assertRefused([0, 0, 0, 0, 0, 0, 0, 0], .badFormat, "header")
        assertRefused([100, 0, 0, 0, 0, 0, 0, 0, 123, 125], .badFormat, "truncated")
        assertRefused([1, 225, 245, 5, 0, 0, 0, 0, 123], .badFormat, "100000001")
        assertRefused(HandmadeFile.bytes(header: " {}", data: []), .badFormat, "{")
    }

    func testHeaderText() {
        for header in [
            "{", "{}}", "{\"a\":}", "{\"a\":1}", "{\"a\":{}}", "{\"__metadata__\":{\"format\":1}}", "{\"a\":\u{0}}", "{\"\u{1}",
        ] {
            assertRefused(HandmadeFile.bytes(header: header, data: []), .badFormat)
        }
        assertRefused(
            HandmadeFile.bytes(header: "{\"a\":{\"dtype\":\"F32\",\"shape\":[]}}", data: []), .badFormat, "data_offsets", "missing")
        assertRefused(
            HandmadeFile.bytes(header: "{\"a\":" + String(repeating: "[", count: 100_000), data: []), .badFormat, "nested")
        assertRefused(HandmadeFile.bytes(header: "{}", data: []), .badFormat, "not a multipoint file")
        var invalid = HandmadeFile.bytes(header: "{\"a\":\"bc\"}", data: [])
        invalid[14] = 0xFF
        assertRefused(invalid, .badFormat)
    }

    private func header(_ tensors: String) -> String {
        "{\"__metadata__\":{\"format\":\"multipoint\",\"version\":\"1.0\",\"layers\":\"[]\"},\(tensors)}"
    }

    func testTensorPlaces() {
        func assertRefusedTensors(_ tensors: String, bytes: Int, _ words: String, _ kind: PackedFileError.Kind = .badFormat) {
            assertRefused(
                HandmadeFile.bytes(header: header(tensors), data: [UInt8](repeating: 0, count: bytes)), kind, words)
        }
        func tensor(_ name: String, _ dtype: String, _ shape: String, _ begin: String, _ end: String) -> String {
            "\"\(name)\":{\"dtype\":\"\(dtype)\",\"shape\":[\(shape)],\"data_offsets\":[\(begin),\(end)]}"
        }
        assertRefusedTensors(tensor("a", "U8", "4", "0", "4"), bytes: 3, "not in the file")
        assertRefusedTensors(tensor("a", "U8", "4", "1", "5"), bytes: 5, "hole")
        assertRefusedTensors(tensor("a", "U8", "4", "0", "4"), bytes: 5, "end at byte 4")
        assertRefusedTensors(tensor("a", "U8", "4", "0", "4") + "," + tensor("b", "U8", "4", "2", "6"), bytes: 6, "overlaps")
        assertRefusedTensors(tensor("a", "U8", "4", "0", "4") + "," + tensor("b", "U8", "4", "0", "4"), bytes: 4, "overlaps")
        assertRefusedTensors(tensor("a", "U8", "4", "0", "4") + "," + tensor("b", "U8", "1", "5", "6"), bytes: 6, "hole")
        assertRefusedTensors(tensor("a", "U8", "4", "4", "0"), bytes: 4, "data_offsets")
        assertRefusedTensors(tensor("a", "U8", "4", "-4", "0"), bytes: 4, "data_offsets")
        assertRefusedTensors("\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0]}", bytes: 4, "data_offsets")
        assertRefusedTensors(tensor("a", "F32", "2", "0", "4"), bytes: 4, "F32 [2]")
        assertRefusedTensors(tensor("a", "U8", "-4", "0", "4"), bytes: 4, "[-4]")
        assertRefusedTensors(tensor("a", "U8", "-2,-2", "0", "4"), bytes: 4, "[-2, -2]")
        assertRefusedTensors(tensor("a", "U8", "4294967296,4294967296", "0", "0"), bytes: 0, "4294967296")
        assertRefusedTensors(tensor("a", "F64", "2305843009213693952", "0", "0"), bytes: 0, "2305843009213693952")
        assertRefusedTensors(tensor("a", "U8", "99999999999999999999", "0", "4"), bytes: 4, "header")
        assertRefusedTensors(tensor("a", "U8", "4", "0", "9223372036854775807"), bytes: 4, "not in the file")
        assertRefusedTensors(tensor("a", "F4", "3", "0", "1"), bytes: 1, "F4 [3]")
        assertRefusedTensors(tensor("a", "X8", "4", "0", "4"), bytes: 4, "X8", .unsupported)
    }

    /// Readers differ in which of two values they take.
    func testRepeatedKeys() {
        let tensor = #"{"dtype":"U8","shape":[0],"data_offsets":[0,0]}"#
        assertRefused(HandmadeFile.bytes(header: header("\"a\":\(tensor),\"a\":\(tensor)"), data: []), .badFormat, "header", "`a`", "twice")
        assertRefused(HandmadeFile.bytes(header: header("\"a\":\(tensor),\"\\u0061\":\(tensor)"), data: []), .badFormat, "`a`", "twice")
        let metadata = #"{"__metadata__":{"format":"multipoint","version":"2.0","version":"1.0","layers":"[]"}}"#
        assertRefused(HandmadeFile.bytes(header: metadata, data: []), .badFormat, "`version`", "twice")
        assertRefused(layers(#"[{"name": "w", "operator": "Gemm", "shape": [2, 3], "shape": [3, 2]}]"#), .badFormat, "`layers`", "`shape`")
        let input = #""input": {"scale": 0.5, "zero_point": 3, "scale": 0.25}"#
        assertRefused(layers(#"[{"name": "w", "operator": "Gemm", "shape": [2, 3], \#(input)}]"#), .badFormat, "`scale`", "twice")
        // In different objects, as values, and escaped differently.
        let other = #"{"\"": {"a": 1, "b": ["a", "a", {"a": 1}]}, "\\": {"a": "a"}, "a": "\"a\":"}"#
        XCTAssertNoThrow(try PackedFile(bytes: small { $0.metadata["quantization"] = other }, source: "test file"))
        for unknown in [other, #"{"\\": 1, "\\\\": 1, "\u005c": 1}"#] {
            let entry = #"[{"name": "w", "operator": "Gemm", "shape": [2, 3], "unknown": \#(unknown)}]"#
            if unknown == other {
                XCTAssertNoThrow(try PackedFile(bytes: layers(entry), source: "test file"))
            } else {
                assertRefused(layers(entry), .badFormat, "twice")
            }
        }
    }

    func testVersionsAndFormats() {
        assertRefused(small { $0.metadata["format"] = "other" }, .badFormat, "not a multipoint file", "other")
        assertRefused(small { $0.metadata["format"] = nil }, .badFormat, "not a multipoint file")
        assertRefused(small { $0.metadata["version"] = nil }, .badFormat, "version")
        assertRefused(small { $0.metadata["version"] = "x.1" }, .badFormat, "x.1")
        assertRefused(small { $0.metadata["version"] = "2.0" }, .unsupported, "2.0")
        assertRefused(small { $0.metadata["version"] = "0.9" }, .unsupported, "0.9")
        for text in ["", "1234567", "123456789", "+1234567", "1234567g", "０１２３４５６７"] {
            assertRefused(small { $0.metadata["crc32"] = text }, .badFormat, "crc32")
        }
    }

    func testLayersText() {
        assertRefused(small { $0.metadata["layers"] = nil }, .badFormat, "layers")
        assertRefused(layers("{"), .badFormat, "`layers`")
        assertRefused(layers("{}"), .badFormat, "`layers`", "array")
        assertRefused(layers(String(repeating: "[", count: 100_000)), .badFormat, "`layers`", "nested")
        assertRefused(layers("[{}]"), .badFormat, "`layers`", "missing")
        assertRefused(layers("[1]"), .badFormat, "`layers`", "[0]")
        assertRefused(layers(#"[{"name": "w", "operator": "Gemm"}]"#), .badFormat, "`shape`")
        assertRefused(layers(#"[{"name": "w", "operator": "Gemm", "shape": [2, "3"]}]"#), .badFormat, "`shape`", "integer")
        assertRefused(layers(#"[{"name": "w", "operator": "Gemm", "shape": [2, 3.5]}]"#), .badFormat, "`shape`")
        assertRefused(layers(#"[{"name": "w", "operator": "LSTM", "shape": [2, 3]}]"#), .unsupported, "LSTM", "`w`")
        let entry = #"{"name": "w", "operator": "Gemm", "shape": [2, 3]}"#
        assertRefused(layers("[\(entry), \(entry)]"), .badFormat, "two layers", "`w`")
        assertRefused(layers(#"[{"name": "v", "operator": "Gemm", "shape": [2, 3]}]"#), .badFormat, "`v`", "v.points", "v.weight")
    }

    func testShapes() {
        for shape in [
            "[]", "[6]", "[2, 5]", "[3, 2]", "[2, -3]", "[-2, 3]", "[0, 3]", "[2, 3, 1, 1]", "[2, 4611686018427387904]",
            "[9223372036854775807, 9223372036854775807]", "[2, 1, 3]",
        ] {
            assertRefused(layers("[{\"name\": \"w\", \"operator\": \"Gemm\", \"shape\": \(shape)}]"), .badFormat, "`w`")
        }
        assertRefused(layers(#"[{"name": "w", "operator": "Conv", "shape": [2, 3]}]"#), .badFormat, "`w`", "4 dimensions")
    }

    func testConvolutionAttributes() {
        func conv(_ attributes: String) -> [UInt8] {
            var file = HandmadeFile.small
            file.metadata["layers"] = "[{\"name\": \"w\", \"operator\": \"Conv\", \"shape\": [2, 3, 1, 1], \(attributes)}]"
            return file.bytes
        }
        XCTAssertNoThrow(try PackedFile(bytes: conv(#""auto_pad": "NOTSET", "kernel_shape": [1, 1]"#), source: "test file"))
        assertRefused(conv(#""strides": [0, 1]"#), .badFormat, "strides")
        assertRefused(conv(#""strides": [1]"#), .badFormat, "strides")
        assertRefused(conv(#""pads": [0, 0, 0, -1]"#), .badFormat, "pads")
        assertRefused(conv(#""pads": [0, 0]"#), .badFormat, "pads")
        assertRefused(conv(#""dilations": [1, 9223372036854775807]"#), .badFormat, "dilations")
        assertRefused(conv(#""group": 0"#), .badFormat, "group")
        assertRefused(conv(#""group": 3"#), .badFormat, "group")
        assertRefused(conv(#""group": -1"#), .badFormat, "group")
        assertRefused(conv(#""auto_pad": "SAME_UPPER""#), .unsupported, "auto_pad")
        assertRefused(conv(#""kernel_shape": [3, 3]"#), .badFormat, "kernel_shape")
    }

    func testQuantizationParameters() {
        func input(_ text: String, _ key: String = "input") -> [UInt8] {
            layers("[{\"name\": \"w\", \"operator\": \"Gemm\", \"shape\": [2, 3], \"\(key)\": \(text)}]")
        }
        for key in ["input", "output"] {
            for scale in ["0", "-1", "1e60", "1e400", "\"a\"", "null", "1e-60"] {
                assertRefused(input("{\"scale\": \(scale), \"zero_point\": 0}", key), .badFormat, "`")
            }
            for zeroPoint in ["-1", "256", "9223372036854775808", "0.5", "\"1\""] {
                assertRefused(input("{\"scale\": 1, \"zero_point\": \(zeroPoint)}", key), .badFormat, "zero_point")
            }
            assertRefused(input("{\"scale\": 1}", key), .badFormat, "zero_point")
            assertRefused(input("[]", key), .badFormat, key)
        }
    }

    func testTensorsOfALayer() {
        for name in ["w.codes.0", "w.codebook.0", "w.scales"] {
            assertRefused(small { $0.remove(name) }, .badFormat, "`w`", name, "missing")
            assertRefused(small { $0.replace(name) { $0.shape = [1] + $0.shape } }, .badFormat, name)
        }
        assertRefused(small { $0.remove("w.points") }, .badFormat, "w.points")
        assertRefused(small { $0.add("w.weight", f32: [1, 2, 3, 4, 5, 6], shape: [2, 3]) }, .badFormat, "both")
        assertRefused(small { $0.replace("w.points") { $0.data = [1, 2] } }, .badFormat, "w.codebook.1", "missing")
        assertRefused(small { $0.replace("w.points") { $0.data = [1, 0] } }, .badFormat, "w.codes.0", "[1, 1]", "[2, 1]")
        assertRefused(
            small { $0.replace("w.points") { ($0.shape, $0.data) = ([3], [1, 1, 1]) } }, .badFormat, "w.points", "[2]", "[3]")
        assertRefused(small { $0.replace("w.points") { $0.dtype = "I8" } }, .badFormat, "w.points", "U8", "I8")
        assertRefused(
            small { $0.replace("w.codes.0") { ($0.shape, $0.data) = ([2, 2], [0, 0, 0, 0]) } }, .badFormat, "w.codes.0", "[2, 1]",
            "[2, 2]")
        assertRefused(
            small { $0.replace("w.codebook.0") { ($0.shape, $0.data) = ([3], [1, 2, 3]) } }, .badFormat, "w.codebook.0", "3")
        assertRefused(small { $0.replace("w.codebook.0") { ($0.shape, $0.data) = ([1], [1]) } }, .badFormat, "w.codebook.0")
        assertRefused(small { $0.replace("w.codebook.0") { ($0.shape, $0.data) = ([0], []) } }, .badFormat, "w.codebook.0")
        assertRefused(
            small { $0.replace("w.codebook.0") { ($0.shape, $0.data) = ([512], [UInt8](repeating: 0, count: 512)) } }, .badFormat,
            "512")
        assertRefused(small { $0.replace("w.scales") { $0.dtype = "I32" } }, .badFormat, "w.scales", "F32", "I32")
        assertRefused(
            small { $0.replace("w.bias") { ($0.shape, $0.data) = ([1], [0, 0, 0, 0]) } }, .badFormat, "w.bias", "[2]", "[1]")
        // An unused level has to be complete, too.
        assertRefused(small { $0.add("w.codebook.1", i8: [-1, 1]) }, .badFormat, "w.codes.1")
    }

    func testNumbersOfALayer() {
        func floats(_ name: String, _ values: [Float]) -> [UInt8] {
            small {
                $0.remove(name)
                $0.add(name, f32: values)
            }
        }
        for scale in [0, -1, Float.nan, .infinity, -.infinity, -0.0] {
            assertRefused(floats("w.scales", [0.5, scale]), .badFormat, "`w`", "scale 1")
        }
        assertRefused(floats("w.bias", [.nan, 0]), .badFormat, "`w`", "bias 0")
        assertRefused(floats("w.bias", [0, .infinity]), .badFormat, "`w`", "bias 1")
        var file = HandmadeFile()
        file.metadata["layers"] = #"[{"name": "w", "operator": "Gemm", "shape": [1, 2]}]"#
        file.add("w.weight", f32: [0, .nan], shape: [1, 2])
        assertRefused(file.bytes, .badFormat, "`w`", "weight 1")
    }

    func testLadders() {
        func ladder(_ text: String) -> [UInt8] {
            layers("[{\"name\": \"w\", \"operator\": \"Gemm\", \"shape\": [2, 3], \"ladder\": \(text)}]")
        }
        XCTAssertNoThrow(try PackedFile(bytes: ladder("[]"), source: "test file"))
        assertRefused(ladder("[2]"), .badFormat, "`w`", "ladder")
        assertRefused(ladder("2"), .badFormat, "ladder", "array")
        func twoLevels(_ ratio: Int) -> [UInt8] {
            var file = HandmadeFile.small
            file.metadata["layers"] = "[{\"name\": \"w\", \"operator\": \"Gemm\", \"shape\": [2, 3], \"ladder\": [\(ratio)]}]"
            file.add("w.codes.1", u8: [], shape: [0, 1])
            file.add("w.codebook.1", i8: [-1, 1])
            return file.bytes
        }
        // 3 · 42 + 1 = 127 fits 8 bits, 3 · 43 + 1 = 130 does not.
        XCTAssertNoThrow(try PackedFile(bytes: twoLevels(42), source: "test file"))
        assertRefused(twoLevels(43), .badFormat, "`w`", "8 bits")
        assertRefused(twoLevels(0), .badFormat, "`w`", "ladder")
        assertRefused(twoLevels(9_223_372_036_854_775_807), .badFormat, "`w`", "ladder")
        var float = HandmadeFile()
        float.metadata["layers"] = #"[{"name": "w", "operator": "Gemm", "shape": [1, 1], "ladder": [2]}]"#
        float.add("w.weight", f32: [1], shape: [1, 1])
        assertRefused(float.bytes, .badFormat, "ladder", "float")
    }

    /// 131,587 weights of a channel: their 32-bit sums could overflow.
    func testRowTooLong() {
        var file = HandmadeFile()
        file.metadata["layers"] = #"[{"name": "w", "operator": "Gemm", "shape": [1, 131587]}]"#
        file.add("w.points", u8: [0])
        file.add("w.scales", f32: [])
        assertRefused(file.bytes, .badFormat, "`w`", "131586")
    }

    func testPathsThatCannotBeRead() throws {
        for (path, reason) in [
            ("/nonexistent/file", "No such file"), ("/", "not a regular file"), ("/dev/null", "not a regular file"),
            ("a\u{0}b", "zero byte"),
        ] {
            XCTAssertThrowsError(try PackedFile(path: path)) { error in
                XCTAssertEqual((error as? PackedFileError)?.kind, .io)
                XCTAssertTrue("\(error)".contains(reason), "\(error)")
                XCTAssertTrue("\(error)".contains(path), "\(error)")
            }
        }
    }

    /// A pipe without a writer must not block.
    func testNamedPipe() throws {
        let path = NSTemporaryDirectory() + "multipoint-\(UUID().uuidString)"
        XCTAssertEqual(mkfifo(path, 0o600), 0)
        defer { unlink(path) }
        XCTAssertThrowsError(try PackedFile(path: path)) { XCTAssertEqual(($0 as? PackedFileError)?.kind, .io) }
    }

    func testOtherFilesAreRefusedByTheirFirstBytes() throws {
        let path = NSTemporaryDirectory() + "multipoint-\(UUID().uuidString)"
        try Data("This is some text, no tensors.".utf8).write(to: URL(fileURLWithPath: path))
        defer { unlink(path) }
        XCTAssertThrowsError(try PackedFile(path: path)) { error in
            XCTAssertEqual((error as? PackedFileError)?.kind, .badFormat)
            XCTAssertTrue("\(error)".contains("not a safetensors file"), "\(error)")
        }
    }
}
