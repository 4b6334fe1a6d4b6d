import Foundation
import MultipointFormat
import MultipointGraph
import XCTest

/// Bytes of a safetensors file, put together by hand from the description of the format: nothing of the code under test.
struct HandmadeFile {
    var metadata: [String: String] = ["format": "multipoint", "version": "1.0"]
    /// In the order of the data section.
    var tensors: [(name: String, dtype: String, shape: [Int], data: [UInt8])] = []
    var padding = 0

    mutating func add(_ name: String, u8 values: [UInt8], shape: [Int]? = nil) {
        tensors.append((name, "U8", shape ?? [values.count], values))
    }

    mutating func add(_ name: String, i8 values: [Int]) {
        tensors.append((name, "I8", [values.count], values.map { UInt8(truncatingIfNeeded: $0) }))
    }

    mutating func add(_ name: String, f32 values: [Float], shape: [Int]? = nil) {
        let bytes = values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) } }
        tensors.append((name, "F32", shape ?? [values.count], bytes))
    }

    mutating func add(_ name: String, i64 values: [Int64], shape: [Int]? = nil) {
        let bytes = values.flatMap { value in (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
        tensors.append((name, "I64", shape ?? [values.count], bytes))
    }

    mutating func replace(_ name: String, with change: (inout (name: String, dtype: String, shape: [Int], data: [UInt8])) -> Void) {
        for index in tensors.indices where tensors[index].name == name { change(&tensors[index]) }
    }

    mutating func remove(_ name: String) { tensors.removeAll { $0.name == name } }

    var header: String {
        var entries = [
            "\"__metadata__\":{"
                + metadata.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(quoted($0.value))" }.joined(separator: ",") + "}"
        ]
        var offset = 0
        for tensor in tensors {
            let end = offset + tensor.data.count
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            entries.append(
                "\(quoted(tensor.name)):{\"dtype\":\"\(tensor.dtype)\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}")
            offset = end
        }
        return "{" + entries.joined(separator: ",") + "}" + String(repeating: " ", count: padding)
    }

    var data: [UInt8] { tensors.flatMap(\.data) }

    var bytes: [UInt8] { HandmadeFile.bytes(header: header, data: data) }

    static func bytes(header: String, data: [UInt8]) -> [UInt8] {
        let header = Array(header.utf8)
        return (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) } + header + data
    }

    private func quoted(_ text: String) -> String {
        "\""
            + text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"")
            .replacingOccurrences(of: "\n", with: "\\n") + "\""
    }

    /// Two channels of three weights, 2-bit codes 0 1 2 and 3 2 1, free scales.
    static var small: HandmadeFile {
        var file = HandmadeFile()
        file.metadata["name"] = "tiny"
        file.metadata["layers"] = #"[{"name": "w", "operator": "Gemm", "shape": [2, 3], "input": {"scale": 0.5, "zero_point": 3}}]"#
        file.add("w.points", u8: [1, 1])
        // From the least significant bit: 0 | 1 << 2 | 2 << 4, and 3 | 2 << 2 | 1 << 4.
        file.add("w.codes.0", u8: [0b10_01_00, 0b01_10_11], shape: [2, 1])
        file.add("w.codebook.0", i8: [-3, -1, 1, 3])
        file.add("w.scales", f32: [0.5, 0.25])
        file.add("w.bias", f32: [1, -2])
        return file
    }

    static var smallLayer: Layer {
        get throws {
            Layer(
                name: "w", operation: .gemm, shape: [2, 3],
                weights: .packed(
                    try PackedWeights(
                        rowLength: 3, points: [1, 1], levels: [.init(codebook: [-3, -1, 1, 3], codes: [0, 1, 2, 3, 2, 1])],
                        scales: [0.5, 0.25])),
                bias: [1, -2], inputQuantization: AffineQuantization(scale: 0.5, zeroPoint: 3))
        }
    }
}

/// The error that reading must end with.
func refusal(_ bytes: [UInt8], file: StaticString = #filePath, line: UInt = #line) -> PackedFileError? {
    do {
        _ = try PackedFile(bytes: bytes, source: "test file")
        XCTFail("accepted", file: file, line: line)
        return nil
    } catch {
        return error
    }
}

func assertRefused(
    _ bytes: [UInt8], _ kind: PackedFileError.Kind = .badFormat, _ words: String..., file: StaticString = #filePath,
    line: UInt = #line
) {
    guard let error = refusal(bytes, file: file, line: line) else { return }
    XCTAssertEqual(error.kind, kind, error.description, file: file, line: line)
    for word in words + ["test file"] {
        XCTAssertTrue(error.description.contains(word), "\"\(error.description)\" lacks \"\(word)\"", file: file, line: line)
    }
}
