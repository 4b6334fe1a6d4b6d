import Foundation
import MultipointGraph
import Testing

import ONNXMessages
@testable import ONNXImport

@Suite struct TensorReaderTests {
    private func read(_ tensor: Onnx_TensorProto) throws -> Tensor {
        let read = try ONNXImportTests.read(model { $0.initializer = [tensor] }).initializers[tensor.name]
        return try #require(read)
    }

    /// Little-endian bytes by hand.
    static let raw: [(Onnx_TensorProto.DataType, [UInt8], Tensor.Elements, IntegerType?)] = [
        (.float, [0, 0, 0x80, 0x3F, 0, 0, 0x20, 0xC1], .float([1, -10]), nil),
        (.double, [0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0, 0, 0, 0, 0, 0, 0xE0, 0xBF], .float([1, -0.5]), nil),
        (.float16, [0x00, 0x3C, 0x01, 0x00], .float([1, 0x1p-24]), nil), (.float16, [0x00, 0xC0, 0xFF, 0x7B], .float([-2, 65504]), nil),
        (.bfloat16, [0x80, 0x3F, 0x40, 0xC0], .float([1, -3]), nil), (.bool, [0, 1], .int64([0, 1]), .bool),
        (.int8, [0x80, 0x7F], .int64([-128, 127]), .int8),
        (.uint8, [0x80, 0xFF], .int64([128, 255]), .uint8), (.int16, [0xFE, 0xFF, 0x00, 0x01], .int64([-2, 256]), .int16),
        (.uint16, [0xFE, 0xFF, 0x00, 0x01], .int64([65534, 256]), .uint16),
        (.int32, [0xFE, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0], .int64([-2, 1]), .int32),
        (.uint32, [0xFE, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0], .int64([4_294_967_294, 1]), .uint32),
        (.int64, [UInt8](repeating: 0xFF, count: 8) + [7, 0, 0, 0, 0, 0, 0, 0], .int64([-1, 7]), nil),
        (.int4, [0x8F], .int64([-1, -8]), .int4), (.uint4, [0x8F], .int64([15, 8]), .uint4),
        (.uint64, [UInt8](repeating: 0xFF, count: 7) + [0x7F, 7, 0, 0, 0, 0, 0, 0, 0], .int64([.max, 7]), .uint64),
    ]

    @Test(arguments: raw.indices) func rawBytes(index: Int) throws {
        let (type, bytes, elements, integerType) = Self.raw[index]
        #expect(try read(tensor("t", type, [2, 1]) { $0.rawData = Data(bytes) }) == Tensor(shape: [2, 1], elements: elements, integerType: integerType))
        expectError(.invalid, "test.onnx", "initializer `t`", "\(bytes.count) bytes expected", "found \(bytes.count - 1)") {
            _ = try read(tensor("t", type, [2]) { $0.rawData = Data(bytes.dropLast()) })
        }
        // The same bytes in another file, at an odd place.
        try withFolder { folder in
            try Data([9] + bytes).write(to: URL(fileURLWithPath: folder + "weights.bin"))
            let external = externalTensor(["location": "weights.bin", "offset": "1", "length": "\(bytes.count)"], type)
            let found = try ONNXImportTests.read(model { $0.initializer = [external] }, folder: folder).initializers["t"]
            #expect(found == Tensor(shape: [2], elements: elements, integerType: integerType))
        }
    }

    /// The field that ONNX prescribes for each type.
    static let typed: [(Onnx_TensorProto, Tensor.Elements, IntegerType?)] = [
        (tensor("t", .float, [2]) { $0.floatData = [1, -10] }, .float([1, -10]), nil),
        (tensor("t", .double, [2]) { $0.doubleData = [1, -0.1] }, .float([1, -0.1]), nil),
        (tensor("t", .float16, [2]) { $0.int32Data = [0x3C00, 0xC000] }, .float([1, -2]), nil),
        (tensor("t", .bfloat16, [2]) { $0.int32Data = [0x3F80, 0xC040] }, .float([1, -3]), nil),
        (tensor("t", .bool, [2]) { $0.int32Data = [0, 5] }, .int64([0, 1]), .bool),
        (tensor("t", .int8, [2]) { $0.int32Data = [-3, 4] }, .int64([-3, 4]), .int8),
        (tensor("t", .uint8, [2]) { $0.int32Data = [255, 4] }, .int64([255, 4]), .uint8),
        (tensor("t", .int16, [2]) { $0.int32Data = [-3, 4] }, .int64([-3, 4]), .int16),
        (tensor("t", .uint16, [2]) { $0.int32Data = [3, 4] }, .int64([3, 4]), .uint16),
        (tensor("t", .int32, [2]) { $0.int32Data = [.min, .max] }, .int64([-2_147_483_648, 2_147_483_647]), .int32),
        (tensor("t", .int4, [2]) { $0.int32Data = [0x8F] }, .int64([-1, -8]), .int4),
        (tensor("t", .int64, [2]) { $0.int64Data = [.min, .max] }, .int64([.min, .max]), nil),
        (tensor("t", .uint32, [2]) { $0.uint64Data = [3, 4_294_967_295] }, .int64([3, 4_294_967_295]), .uint32),
        (tensor("t", .uint64, [2]) { $0.uint64Data = [3, 4] }, .int64([3, 4]), .uint64),
    ]

    @Test(arguments: typed.indices) func typedFields(index: Int) throws {
        let (message, elements, integerType) = Self.typed[index]
        #expect(try read(message) == Tensor(shape: [2], elements: elements, integerType: integerType))
        var longer = message
        longer.dims = [3]
        expectError(.invalid, "initializer `t`", "3 elements expected", "found 2") { _ = try read(longer) }
    }

    @Test func scalarsAndEmptyTensors() throws {
        #expect(try read(floats("t", [], [4])) == Tensor(shape: [], [Float(4)]))
        #expect(try read(tensor("t", .int64, [0]) { _ in }) == Tensor(shape: [0], [Int64]()))
    }

    @Test func wrongTensors() {
        expectError(.invalid, "initializer `t`", "element 1 is nan") { _ = try read(floats("t", [2], [0, .nan])) }
        expectError(.invalid, "initializer `t`", "element 0 is -inf") { _ = try read(floats("t", [2], [-.infinity, 0])) }
        // A bound of Clip.
        #expect(throws: Never.self) { try read(floats("t", [], [-.infinity])) }
        expectError(.invalid, "element 0 is nan") { _ = try read(floats("t", [], [.nan])) }
        expectError(.invalid, "1e+300, too large for a float") {
            _ = try read(tensor("t", .double, [1]) { $0.doubleData = [1e300] })
        }
        expectError(.invalid, "too large for int64") { _ = try read(tensor("t", .uint64, [1]) { $0.uint64Data = [.max] }) }
        expectError(.unsupported, "initializer `t`: element type string") { _ = try read(tensor("t", .string, [0]) { _ in }) }
        expectError(.unsupported, "element type 999") { _ = try read(tensor("t", .float, [0]) { $0.dataType = 999 }) }
        for dims in [[-1], [.max, .max], [1 << 40], [1 << 31, 2]] as [[Int64]] {
            expectError(.invalid, "initializer `t`: shape \(dims)") { _ = try read(tensor("t", .float, dims) { _ in }) }
        }
        expectError(.invalid, "initializer `t` is defined twice") {
            _ = try ONNXImportTests.read(model { $0.initializer = [floats("t", [], [1]), floats("t", [], [1])] })
        }
        let sparse = Onnx_SparseTensorProto.with { $0.values.name = "s" }
        expectError(.unsupported, "initializer `s`: sparse") {
            _ = try ONNXImportTests.read(model { $0.sparseInitializer = [sparse] })
        }
    }

    private func externalTensor(_ entries: [String: String], _ type: Onnx_TensorProto.DataType = .float) -> Onnx_TensorProto {
        tensor("t", type, [2]) {
            $0.dataLocation = .external
            $0.externalData = entries.map { entry in
                Onnx_StringStringEntryProto.with {
                    $0.key = entry.key; $0.value = entry.value
                }
            }
        }
    }

    private func readExternal(_ entries: [String: String], _ folder: String?) throws -> Tensor? {
        let external = externalTensor(entries)
        return try ONNXImportTests.read(model { $0.initializer = [external] }, folder: folder).initializers["t"]
    }

    @Test func externalDataStaysInTheFolder() throws {
        try withFolder { folder in
            try FileManager.default.createDirectory(atPath: folder + "inner/deep", withIntermediateDirectories: true)
            for file in ["outside.bin", "inner/w.bin", "inner/deep/w.bin"] {
                try Data(count: 8).write(to: URL(fileURLWithPath: folder + file))
            }
            let inner = folder + "inner/"
            for location in ["w.bin", "deep/w.bin", "./deep//w.bin"] {
                #expect(try readExternal(["location": location], inner) == Tensor(shape: [2], [Float(0), 0]))
            }
            for location in ["../outside.bin", "deep/../../outside.bin", folder + "outside.bin", "..", "/", ""] {
                expectError(.invalid, "initializer `t`", "`\(location)` is outside the model's folder") {
                    _ = try readExternal(["location": location], inner)
                }
            }
            expectError(.invalid, "has no location") { _ = try readExternal(["offset": "0"], inner) }
        }
    }

    @Test func externalDataMustBeThere() throws {
        try withFolder { folder in
            try Data(count: 8).write(to: URL(fileURLWithPath: folder + "w.bin"))
            #expect(mkfifo(folder + "pipe", 0o600) == 0)
            expectError(.io, "initializer `t`", "none.bin` cannot be opened", "No such file") {
                _ = try readExternal(["location": "none.bin"], folder)
            }
            expectError(.io, "has 8 bytes; 8 from 1 on expected") {
                _ = try readExternal(["location": "w.bin", "offset": "1"], folder)
            }
            expectError(.io, "has 8 bytes") { _ = try readExternal(["location": "w.bin", "offset": "\(Int.max)"], folder) }
            expectError(.invalid, "8 bytes of external data expected, `length` is 4") {
                _ = try readExternal(["location": "w.bin", "length": "4"], folder)
            }
            for offset in ["-1", "x", "99999999999999999999"] {
                expectError(.invalid, "offset `\(offset)`") {
                    _ = try readExternal(["location": "w.bin", "offset": offset], folder)
                }
            }
            expectError(.io, "not a regular file") { _ = try readExternal(["location": "pipe"], folder) }
            expectError(.io, "not a regular file") { _ = try readExternal(["location": "."], folder) }
            expectError(.io, "cannot be read along with a model in memory") {
                _ = try readExternal(["location": "w.bin"], nil)
            }
        }
    }
}
