import Foundation

/// A folder that goes away with this object.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "multipoint-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }

    @discardableResult
    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
        return file(name)
    }

    var content: [String] { get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() } }
}

/// A `.npy` file of version 1.0, put together by hand.
func npy(_ header: String, _ data: [UInt8], version: UInt8 = 1) -> [UInt8] {
    let text = Array(header.utf8)
    let lengthSize = version == 1 ? 2 : 4
    return [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, version, 0]
        + (0..<lengthSize).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) } + text + data
}

func npy(type: String, _ shape: [Int], _ data: [UInt8]) -> [UInt8] {
    npy("{'descr': '\(type)', 'fortran_order': False, 'shape': (\(shape.map { "\($0)," }.joined())), }\n", data)
}

func littleEndian(_ values: [Float]) -> [UInt8] {
    values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) } }
}

func littleEndian(_ values: [Int64]) -> [UInt8] {
    values.flatMap { value in (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
}
