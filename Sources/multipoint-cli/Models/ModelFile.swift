import Glibc
import MultipointFormat
import MultipointGraph
import ONNXImport

/// Networks on disk: packed files and ONNX.
enum ModelFile {
    /// - Parameter inputShapes: what the caller says of open dimensions, for ONNX.
    /// - Throws: `CommandError`, `PackedFileError` or `ONNXImportError`, naming the file.
    static func readNetwork(_ path: String, _ inputShapes: InputShapeOptions) throws -> Network {
        guard try isSafetensors(path) else { return try readNetwork(onnx: path, inputShapes) }
        guard let network = try PackedFile(path: path).network else {
            throw CommandError("`\(path)` holds weights only; a file with a network expected")
        }
        return network
    }

    static func readNetwork(onnx path: String, _ inputShapes: InputShapeOptions) throws -> Network {
        let definition = try readONNX(path: path, inputShapes: inputShapes.shapes)
        do {
            return try Network(definition: definition)
        } catch {
            throw CommandError("`\(path)`: \(error.description)")
        }
    }

    /// A header's length below 2³² and an opening brace; an ONNX file starts with other bytes (field 1, the IR version).
    private static func isSafetensors(_ path: String) throws -> Bool {
        var prefix: [UInt8] = []
        do {
            _ = try FileContent(
                path: path,
                check: { (bytes, _) throws(PackedFileError) in
                    prefix = Array(bytes)
                    throw PackedFileError(.cancelled, "")
                })
        } catch where error.kind == .cancelled {
            return prefix.count == 9 && prefix[4..<8].allSatisfy { $0 == 0 } && prefix[8] == UInt8(ascii: "{")
        } catch {
            throw CommandError("`\(path)`: \(error.description)")
        }
        return false
    }
}

/// A file's bytes; an error names it.
func fileContent(_ path: String) throws -> FileContent {
    do { return try FileContent(path: path) } catch { throw CommandError("`\(path)`: \(error.description)") }
}

func byteCount(ofFile path: String) throws -> Int {
    var status = stat()
    guard stat(path, &status) == 0 else { throw CommandError("`\(path)`: cannot be read") }
    return Int(status.st_size)
}
