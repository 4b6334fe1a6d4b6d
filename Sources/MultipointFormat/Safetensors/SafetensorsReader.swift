import MultipointGraph

/// A safetensors file in memory: 8 bytes with the header's length (little-endian), the header, the data section.
struct SafetensorsReader {
    let header: SafetensorsHeader
    /// The caller's memory.
    let data: UnsafeRawBufferPointer

    init(_ file: UnsafeRawBufferPointer) throws(PackedFileError) {
        let prefix = UnsafeRawBufferPointer(rebasing: file.prefix(9))
        let headerLength = try SafetensorsReader.headerLength(prefix: prefix, fileByteCount: file.count)
        data = UnsafeRawBufferPointer(rebasing: file[(8 + headerLength)...])
        header = try SafetensorsHeader(
            json: UnsafeRawBufferPointer(rebasing: file[8..<8 + headerLength]), dataByteCount: data.count)
    }

    /// Whether a file can be safetensors at all, by its first bytes.
    /// - Parameter prefix: the first nine bytes, or all that there are.
    /// - Returns: bytes in the header.
    static func headerLength(prefix: UnsafeRawBufferPointer, fileByteCount: Int) throws(PackedFileError) -> Int {
        guard prefix.count >= 8 else {
            throw .badFormat("not a safetensors file: it has \(fileByteCount) bytes; the length of its header takes 8")
        }
        let length = UInt64(littleEndian: prefix.loadUnaligned(as: UInt64.self))
        guard length <= SafetensorsHeader.maximumByteCount, length >= 2 else {
            throw .badFormat(
                "not a safetensors file: its header would have \(length) bytes; 2 to \(SafetensorsHeader.maximumByteCount) expected"
            )
        }
        guard length <= fileByteCount - 8 else {
            throw .badFormat("truncated: its header has \(length) bytes, but the file only \(fileByteCount)")
        }
        guard prefix.count >= 9, prefix[8] == UInt8(ascii: "{") else {
            throw .badFormat("not a safetensors file: its header does not start with `{`")
        }
        return Int(length)
    }

    /// A tensor's bytes, if its type is the expected one, and its shape (nil: any of rank 1).
    func bytes(_ name: String, _ type: ElementType, shape: [Int]?) throws(PackedFileError) -> UnsafeRawBufferPointer {
        guard let tensor = header.tensors[name] else { throw .badFormat("tensor `\(name)` is missing") }
        guard tensor.type == type, shape.map({ $0 == tensor.shape }) ?? (tensor.shape.count == 1) else {
            throw .badFormat(
                "tensor `\(name)`: \(type.rawValue) \(shape.map { "\($0)" } ?? "[n]") expected, found \(tensor.type.rawValue) \(tensor.shape)"
            )
        }
        return try content(tensor)
    }

    /// The bytes of a tensor that is about to be copied.
    private func content(_ tensor: SafetensorsHeader.Tensor) throws(PackedFileError) -> UnsafeRawBufferPointer {
        try requireMemory(tensor.range.count)
        return UnsafeRawBufferPointer(rebasing: data[tensor.range])
    }

    func floats(_ name: String, shape: [Int]) throws(PackedFileError) -> [Float] {
        copy(try bytes(name, .f32, shape: shape))
    }

    /// A constant operand of the graph: F32 or I64.
    func constant(_ name: String) throws(PackedFileError) -> Tensor {
        guard let tensor = header.tensors[name] else { throw .badFormat("tensor `\(name)` is missing") }
        let bytes = try content(tensor)
        switch tensor.type {
        case .f32: return Tensor(shape: tensor.shape, copy(bytes) as [Float])
        case .i64: return Tensor(shape: tensor.shape, copy(bytes) as [Int64])
        default: throw .badFormat("tensor `\(name)`: a constant of type F32 or I64 expected, found \(tensor.type.rawValue)")
        }
    }

    /// Elements of any alignment.
    private func copy<Element: BitwiseCopyable>(_ bytes: UnsafeRawBufferPointer) -> [Element] {
        let elementCount = bytes.count / MemoryLayout<Element>.size
        return [Element](unsafeUninitializedCapacity: elementCount) { elements, count in
            UnsafeMutableRawBufferPointer(elements).copyMemory(from: bytes)
            count = elementCount
        }
    }
}
