import MultipointGraph

/// The JSON at the start of a safetensors file.
struct SafetensorsHeader {
    /// A tensor's place in the data section.
    struct Tensor: Equatable {
        var type: ElementType
        var shape: [Int]
        /// Bytes, from the start of the data section.
        var range: Range<Int>
    }

    /// The strings of `__metadata__`.
    var metadata: [String: String]
    var tensors: [String: Tensor]

    /// The format's own limit.
    static let maximumByteCount = 100_000_000
    static let metadataKey = "__metadata__"

    /// Checks that every tensor's bytes agree with its dtype and shape, and that together they are the data section.
    init(json: UnsafeRawBufferPointer, dataByteCount: Int) throws(PackedFileError) {
        let entries = try decodeJSON(HeaderEntries.self, json, "header")
        metadata = entries.metadata
        tensors = [:]
        tensors.reserveCapacity(entries.tensors.count)
        for (name, entry) in entries.tensors {
            tensors[name] = try placing("tensor `\(name)`") { () throws(PackedFileError) in
                try Tensor(entry, dataByteCount: dataByteCount)
            }
        }
        try checkCoverage(dataByteCount)
    }

    /// The format forbids overlaps and holes: the same byte must not mean two things, and nothing may hide.
    private func checkCoverage(_ dataByteCount: Int) throws(PackedFileError) {
        var end = 0
        let ordered = tensors.sorted {
            ($0.value.range.lowerBound, $0.value.range.upperBound, $0.key) < (
                $1.value.range.lowerBound, $1.value.range.upperBound, $1.key
            )
        }
        for (name, tensor) in ordered {
            guard tensor.range.lowerBound == end else {
                let fault = tensor.range.lowerBound < end ? "overlaps the tensor before it" : "leaves a hole before it"
                throw .badFormat("tensor `\(name)`: \(fault): it starts at \(tensor.range.lowerBound), \(end) expected")
            }
            end = tensor.range.upperBound
        }
        guard end == dataByteCount else {
            throw .badFormat("its tensors end at byte \(end) of the data section, which has \(dataByteCount) bytes")
        }
    }
}

extension SafetensorsHeader.Tensor {
    fileprivate init(_ entry: TensorEntry, dataByteCount: Int) throws(PackedFileError) {
        guard let type = ElementType(rawValue: entry.dtype) else {
            throw PackedFileError(.unsupported, "dtype `\(entry.dtype)` is none of safetensors'")
        }
        let (shape, offsets) = (entry.shape.values, entry.data_offsets.values)
        guard offsets.count == 2, 0 <= offsets[0], offsets[0] <= offsets[1] else {
            throw .badFormat("data_offsets \(offsets): begin and end expected")
        }
        let range = offsets[0]..<offsets[1]
        guard range.upperBound <= dataByteCount else {
            throw .badFormat(
                "its bytes \(range.lowerBound) to \(range.upperBound) are not in the file, whose data section has \(dataByteCount)")
        }
        guard let bits = elementCount(of: shape + [type.bitWidth]), bits % 8 == 0, bits / 8 == range.count else {
            throw .badFormat("\(entry.dtype) \(shape) does not fit its \(range.count) bytes")
        }
        self.init(type: type, shape: shape, range: range)
    }
}

/// As the JSON has it. The names are safetensors'.
struct TensorEntry: Codable {
    var dtype: String
    var shape: [Whole]
    var data_offsets: [Whole]
}

/// An object whose keys are tensor names, but for `__metadata__`.
struct HeaderEntries: Codable {
    var metadata: [String: String]
    var tensors: [String: TensorEntry]

    init(metadata: [String: String], tensors: [String: TensorEntry]) {
        self.metadata = metadata
        self.tensors = tensors
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Name.self)
        metadata = [:]
        tensors = [:]
        for name in container.allKeys {
            if name.stringValue == SafetensorsHeader.metadataKey {
                metadata = try container.decode([String: String].self, forKey: name)
            } else {
                tensors[name.stringValue] = try container.decode(TensorEntry.self, forKey: name)
            }
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Name.self)
        try container.encode(metadata, forKey: Name(stringValue: SafetensorsHeader.metadataKey))
        for (name, entry) in tensors { try container.encode(entry, forKey: Name(stringValue: name)) }
    }

    private struct Name: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}
