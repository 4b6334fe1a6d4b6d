import MultipointGraph

extension PackedFile {
    /// Is told how much is done, from 0 to 1; returns false to cancel.
    public typealias Progress = (Double) -> Bool

    /// Reads and checks the file at `path`. It is read into memory, neither mapped nor kept open.
    /// - Throws: `PackedFileError`.
    public init(
        path: String, limits: ReadingLimits = ReadingLimits(), progress: Progress = { _ in true }
    ) throws(PackedFileError) {
        let content = try placing("`\(path)`") { () throws(PackedFileError) in
            try FileContent(
                path: path, limits: limits,
                check: { (prefix, size) throws(PackedFileError) in
                    _ = try SafetensorsReader.headerLength(prefix: prefix, fileByteCount: size)
                },
                progress: { progress($0 / 2) })
        }
        defer { withExtendedLifetime(content) {} }
        try self.init(bytes: content.bytes, source: "`\(path)`", limits: limits, progress: { progress(0.5 + $0 / 2) })
    }

    /// Reads and checks a file's content in memory.
    /// - Parameter source: what to call it in messages.
    /// - Throws: `PackedFileError`.
    public init(
        bytes: UnsafeRawBufferPointer, source: String, limits: ReadingLimits = ReadingLimits(), progress: Progress = { _ in true }
    ) throws(PackedFileError) {
        self = try placing(source) { () throws(PackedFileError) in
            try limits.checkFile(bytes.count)
            return try PackedFile(SafetensorsReader(bytes), limits, progress: progress)
        }
    }

    public init(bytes: [UInt8], source: String, progress: Progress = { _ in true }) throws(PackedFileError) {
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(PackedFileError) in try PackedFile(bytes: bytes, source: source, progress: progress) }
        }
        self = try result.get()
    }

    private init(_ tensors: SafetensorsReader, _ limits: ReadingLimits, progress: Progress) throws(PackedFileError) {
        try limits.checkTensors(tensors.header.tensors.count)
        let metadata = tensors.header.metadata
        try PackedFile.checkVersion(metadata)
        if let stored = metadata[Metadata.crc32] {
            try PackedFile.checkSum(stored, of: tensors.data, progress: { progress($0 / 2) })
        }
        guard let text = metadata[Metadata.layers] else { throw .badFormat("its metadata has no `layers`") }
        let entries = try decodeJSON([LayerEntry].self, text, "`layers`")
        let layers = try PackedFile.readLayers(entries, tensors, progress: { progress(0.5 + $0 / 2) })
        try limits.checkWeights(layers)
        self.init(
            name: metadata[Metadata.name] ?? "", producer: metadata[Metadata.producer] ?? "", layers: layers,
            relativeOutputErrors: Dictionary(
                entries.compactMap { entry in entry.relativeOutputError.map { (entry.name, $0) } },
                uniquingKeysWith: { first, _ in first }),
            record: metadata[Metadata.record].flatMap(PackedFile.readRecord))
        guard let graph = metadata[Metadata.graph] else { return }
        network = try placing("`graph`") { () throws(PackedFileError) in
            try PackedFile.readNetwork(graph, name: name, layers, tensors, limits)
        }
    }

    private static func checkVersion(_ metadata: [String: String]) throws(PackedFileError) {
        guard metadata[Metadata.format] == Metadata.multipoint else {
            let found = metadata[Metadata.format].map { "is `\($0)`" } ?? "is missing"
            throw .badFormat("not a multipoint file: `format` in its metadata \(found), `multipoint` expected")
        }
        let version = metadata[Metadata.version] ?? ""
        guard let major = version.split(separator: ".", omittingEmptySubsequences: false).first.flatMap({ Int($0) }) else {
            throw .badFormat("version `\(version)` in its metadata: a number such as `\(Metadata.currentVersion)` expected")
        }
        guard major == Metadata.majorVersion else {
            throw PackedFileError(
                .unsupported, "version \(version) of the format; this library reads version \(Metadata.majorVersion)")
        }
    }

    private static func checkSum(
        _ stored: String, of data: UnsafeRawBufferPointer, progress: Progress
    ) throws(PackedFileError) {
        guard stored.utf8.count == 8, stored.allSatisfy(\.isHexDigit), let expected = UInt32(stored, radix: 16) else {
            throw .badFormat("`crc32` in its metadata is `\(stored)`; 8 hexadecimal digits expected")
        }
        var sum = CRC32()
        let step = 1 << 24
        for start in stride(from: 0, to: data.count, by: step) {
            try advance(progress, start, of: data.count)
            sum.update(UnsafeRawBufferPointer(rebasing: data[start..<min(data.count, start + step)]))
        }
        guard sum.value == expected else {
            throw .badFormat("damaged: the data's crc32 is \(sum.text), its metadata says \(stored)")
        }
    }

    private static func readLayers(
        _ entries: [LayerEntry], _ tensors: SafetensorsReader, progress: Progress
    ) throws(PackedFileError) -> [Layer] {
        var layers: [Layer] = []
        var names: Set<String> = []
        var done = 0
        for entry in entries {
            guard names.insert(entry.name).inserted else { throw .badFormat("two layers are called `\(entry.name)`") }
            try advance(progress, done, of: tensors.data.count)
            let layer = try placing("layer `\(entry.name)`") { () throws(PackedFileError) in
                try LayerReader(entry: entry, tensors: tensors).layer()
            }
            // `validate` names the layer itself.
            do { try layer.validate() } catch { throw PackedFileError(error) }
            done += layer.storedByteCount
            layers.append(layer)
        }
        try advance(progress, 1, of: 1)
        return layers
    }

    /// A record is for people: one that makes no sense does not keep the file from being used.
    private static func readRecord(_ text: String) -> QuantizationRecord? {
        let record = try? decodeJSON(QuantizationRecord.self, text, nil)
        return record.flatMap { $0.isSane ? $0 : nil }
    }

    private static func readNetwork(
        _ text: String, name: String, _ layers: [Layer], _ tensors: SafetensorsReader, _ limits: ReadingLimits
    ) throws(PackedFileError) -> Network {
        let entry = try decodeJSON(GraphEntry.self, text, nil)
        try limits.checkNodes(entry.nodes.count)
        // Nodes that name the same tensor share its memory.
        var constants: [String: Tensor] = [:]
        let definition = try entry.definition(name: name) { (name) throws(PackedFileError) in
            if let known = constants[name] { return known }
            let tensor = try tensors.constant(name)
            constants[name] = tensor
            return tensor
        }
        let network: Network
        do { network = try Network(definition: definition, layers: layers) } catch { throw PackedFileError(error) }
        try limits.checkWeights(network, layers, constantElementCount: definition.constantElementCount)
        try limits.checkValues(network)
        return network
    }
}

/// - Throws: `.cancelled` if the callback says so.
func advance(_ progress: PackedFile.Progress, _ done: Int, of total: Int) throws(PackedFileError) {
    guard progress(total > 0 ? Double(done) / Double(total) : 1) else { throw PackedFileError(.cancelled, "cancelled") }
}

extension PackedFileError {
    /// What is wrong with a network or layer that a file describes.
    init(_ error: GraphError) {
        self.init(error.kind == .unsupported ? .unsupported : .badFormat, error.description)
    }
}
