/// Collects tensors and metadata and makes a safetensors file of them.
///
/// Tensors of wider elements come first, as the reference implementation orders them, so that all are aligned; else in the
/// order in which they were added. The same content always gives the same bytes.
struct SafetensorsWriter {
    var metadata: [String: String] = [:]
    private var tensors: [(name: String, type: ElementType, shape: [Int], data: [UInt8])] = []
    private(set) var names: Set<String> = [SafetensorsHeader.metadataKey]

    mutating func add(_ name: String, _ type: ElementType, shape: [Int], _ data: [UInt8]) throws(PackedFileError) {
        guard names.insert(name).inserted else {
            throw PackedFileError(.badFormat, "two tensors would be called `\(name)`")
        }
        tensors.append((name, type, shape, data))
    }

    mutating func add<Element: BitwiseCopyable>(
        _ name: String, _ type: ElementType, shape: [Int], elements: [Element]
    ) throws(PackedFileError) {
        try add(name, type, shape: shape, elements.withUnsafeBytes { [UInt8]($0) })
    }

    /// - Parameter metadata: what to add, knowing the data section's checksum.
    func encoded(checksumKey: String) throws(PackedFileError) -> [UInt8] {
        let ordered = tensors.enumerated().sorted {
            ($1.element.type.bitWidth, $0.offset) < ($0.element.type.bitWidth, $1.offset)
        }.map(\.element)
        var entries: [String: TensorEntry] = [:]
        var offset = 0
        var checksum = CRC32()
        for tensor in ordered {
            let end = offset + tensor.data.count
            entries[tensor.name] = TensorEntry(
                dtype: tensor.type.rawValue, shape: [Whole](tensor.shape), data_offsets: [Whole(offset), Whole(end)])
            offset = end
            tensor.data.withUnsafeBytes { checksum.update($0) }
        }
        var metadata = metadata
        metadata[checksumKey] = checksum.text
        var header = Array(try encodeJSON(HeaderEntries(metadata: metadata, tensors: entries), "header").utf8)
        // The data section starts at a multiple of 8.
        header += [UInt8](repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
        guard header.count <= SafetensorsHeader.maximumByteCount else {
            throw PackedFileError(
                .unsupported, "its header would have \(header.count) bytes; \(SafetensorsHeader.maximumByteCount) are possible")
        }
        var file: [UInt8] = []
        file.reserveCapacity(8 + header.count + offset)
        withUnsafeBytes(of: UInt64(header.count).littleEndian) { file.append(contentsOf: $0) }
        file += header
        for tensor in ordered { file += tensor.data }
        return file
    }
}
