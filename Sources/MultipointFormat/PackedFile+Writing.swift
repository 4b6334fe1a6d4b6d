import MultipointGraph

extension PackedFile {
    /// The file's bytes. The same content always gives the same bytes.
    /// - Throws: `PackedFileError` for layers or a network that contradict themselves.
    public func encoded() throws(PackedFileError) -> [UInt8] {
        var writer = SafetensorsWriter()
        for layer in layers { try PackedFile.add(layer, to: &writer) }
        var metadata = [
            Metadata.format: Metadata.multipoint, Metadata.version: Metadata.currentVersion, Metadata.name: name,
            Metadata.producer: producer,
        ]
        metadata[Metadata.layers] = try encodeJSON(
            layers.map { LayerEntry($0, relativeOutputError: relativeOutputErrors[$0.name]) }, "`layers`")
        if let record, record.isSane { metadata[Metadata.record] = try encodeJSON(record, "`quantization`") }
        if let network {
            try checkLayers(of: network)
            let graph = try GraphEntry(network.definition()) { (proposedName, tensor) throws(PackedFileError) in
                try PackedFile.add(tensor, like: proposedName, to: &writer)
            }
            metadata[Metadata.graph] = try encodeJSON(graph, "`graph`")
        }
        writer.metadata = metadata
        return try writer.encoded(checksumKey: Metadata.crc32)
    }

    /// Writes the file under a temporary name in the same folder and renames it when it is complete: at no time is half a file
    /// at `path`, and a failure leaves what was there.
    /// - Throws: `PackedFileError`.
    public func write(to path: String) throws(PackedFileError) {
        let bytes = try placing("`\(path)`") { () throws(PackedFileError) in try encoded() }
        try writeAtomically(bytes, to: path)
    }

    private func checkLayers(of network: Network) throws(PackedFileError) {
        let names = Set(layers.map(\.name))
        for case .layer(let name) in network.nodes.map(\.operation) where !names.contains(name) {
            throw .badFormat("the network uses layer `\(name)`, which is not among the file's layers")
        }
    }

    private static func add(_ layer: Layer, to writer: inout SafetensorsWriter) throws(PackedFileError) {
        do { try layer.validate() } catch { throw PackedFileError(error) }
        let names = TensorNames(layer: layer.name)
        switch layer.weights {
        case .float(let values): try writer.add(names.weight, .f32, shape: layer.shape, elements: values)
        case .packed(let packed):
            // Its properties may have been changed since it was made.
            let checked: PackedWeights
            do {
                checked = try PackedWeights(
                    rowLength: packed.rowLength, points: packed.points, levels: packed.levels, ladder: packed.ladder,
                    scales: packed.scales)
            } catch {
                throw .badFormat("layer `\(layer.name)`: \(error.description)")
            }
            try add(checked, names, to: &writer)
        }
        if let bias = layer.bias { try writer.add(names.bias, .f32, shape: [bias.count], elements: bias) }
    }

    private static func add(
        _ packed: PackedWeights, _ names: TensorNames, to writer: inout SafetensorsWriter
    ) throws(PackedFileError) {
        try writer.add(names.points, .u8, shape: [packed.channels], packed.points)
        for (index, level) in packed.levels.enumerated() {
            let packing = BitPacking(bits: level.bits, vectorLength: packed.rowLength)
            let vectors = packed.vectorCount(level: index)
            try writer.add(
                names.codes(index), .u8, shape: [vectors, packing.vectorByteCount],
                level.codes.withUnsafeBytes { packing.pack($0, vectors: vectors) })
            try writer.add(names.codebook(index), .i8, shape: [level.codebook.count], elements: level.codebook)
        }
        try writer.add(names.scales, .f32, shape: [packed.scales.count], elements: packed.scales)
    }

    /// - Returns: the name under which it is stored.
    private static func add(
        _ tensor: Tensor, like proposedName: String, to writer: inout SafetensorsWriter
    ) throws(PackedFileError) -> String {
        guard elementCount(of: tensor.shape) == tensor.count else {
            throw .badFormat("constant `\(proposedName)`: \(tensor.count) elements do not fit shape \(tensor.shape)")
        }
        var name = proposedName
        var number = 1
        while writer.names.contains(name) {
            number += 1
            name = "\(proposedName)_\(number)"
        }
        switch tensor.elements {
        case .float(let values): try writer.add(name, .f32, shape: tensor.shape, elements: values)
        case .int64(let values): try writer.add(name, .i64, shape: tensor.shape, elements: values)
        }
        return name
    }
}
