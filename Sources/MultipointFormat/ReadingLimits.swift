import MultipointGraph

/// How much a packed file may ask of the process that reads it. Files come from anywhere, and what no limit stops, a few bytes can
/// ask for.
///
/// Tensors and nodes are counted when the JSON that lists them is decoded, which takes up to 32 bytes of memory for each of its own:
/// that much `fileByteCount` bounds, and safetensors' own limit of 100 MB on a file's header, where all of its JSON is.
public struct ReadingLimits: Equatable, Sendable {
    /// Bytes of the file, all of which are read into memory.
    public var fileByteCount: Int
    /// Tensors in the file.
    public var tensorCount: Int
    /// Nodes of the graph, which are also the longest path through it.
    public var nodeCount: Int
    /// Elements of a layer's weights, and of any value of the network for a batch of 1.
    public var elementCount: Int
    /// Bytes that all weights and constants of the network take when decoded: one for each weight of each row, four for each float.
    /// Nil: 64 MiB and 64 for each byte of the layers' tensors, and of the graph's constants, in the file.
    public var weightByteCount: Int?

    public init(
        fileByteCount: Int = 8 << 30, tensorCount: Int = 100_000, nodeCount: Int = 50_000, elementCount: Int = Int(Int32.max),
        weightByteCount: Int? = nil
    ) {
        self.fileByteCount = fileByteCount
        self.tensorCount = tensorCount
        self.nodeCount = nodeCount
        self.elementCount = elementCount
        self.weightByteCount = weightByteCount
    }
}

extension ReadingLimits {
    func checkFile(_ byteCount: Int) throws(PackedFileError) {
        guard byteCount <= fileByteCount else {
            throw .limit("the file has \(byteCount) bytes; the limit on file bytes is \(fileByteCount)")
        }
    }

    func checkTensors(_ count: Int) throws(PackedFileError) {
        guard count <= tensorCount else { throw .limit("the file has \(count) tensors; the limit on tensors is \(tensorCount)") }
    }

    func checkNodes(_ count: Int) throws(PackedFileError) {
        guard count <= nodeCount else { throw .limit("\(count) nodes; the limit on nodes is \(nodeCount)") }
    }

    /// Before anything is decoded.
    /// - Parameter layers: have passed `Layer.validate`.
    func checkWeights(_ layers: [Layer]) throws(PackedFileError) {
        var decoded = 0
        for layer in layers { decoded += try checkedByteCount(layer) }
        try checkWeights(decoded, stored: layers.reduce(0) { $0 + $1.storedByteCount }, "the weights of all layers")
    }

    /// What the graph made is not in the file: layers of constants, constants that were computed, indices.
    /// - Parameters:
    ///   - layers: the file's.
    ///   - constantElementCount: the elements of the graph's constants in the file.
    func checkWeights(_ network: Network, _ layers: [Layer], constantElementCount: Int) throws(PackedFileError) {
        var decoded = network.constantByteCount
        for (_, layer) in network.layers.sorted(by: { $0.key < $1.key }) { decoded += try checkedByteCount(layer) }
        let stored = layers.reduce(4 * constantElementCount) { $0 + $1.storedByteCount }
        try checkWeights(decoded, stored: stored, "the weights and constants of the network")
    }

    private func checkedByteCount(_ layer: Layer) throws(PackedFileError) -> Int {
        let count = layer.channels * layer.rowLength
        guard count <= elementCount else {
            throw .limit("layer `\(layer.name)`: \(count) weights; the limit on elements is \(elementCount)")
        }
        return layer.decodedByteCount
    }

    private func checkWeights(_ decoded: Int, stored: Int, _ what: String) throws(PackedFileError) {
        let limit = weightByteCount ?? (64 << 20) + 64 * stored
        guard decoded <= limit else {
            throw .limit("\(what) take \(decoded) bytes decoded; the limit on weight bytes is \(limit)")
        }
    }

    /// Values that 32-bit indices do not reach are refused without being asked for here.
    func checkValues(_ network: Network) throws(PackedFileError) {
        guard elementCount < Int32.max else { return }
        let shapes: [String: [Int]]
        do { shapes = try network.shapes(batch: 1) } catch { throw PackedFileError(error) }
        for (name, shape) in shapes.sorted(by: { $0.key < $1.key }) {
            let count = MultipointGraph.elementCount(of: shape) ?? .max
            guard count <= elementCount else {
                throw .limit("value `\(name)` of shape \(shape) has \(count) elements; the limit on elements is \(elementCount)")
            }
        }
    }
}

extension Network {
    /// Bytes of constants, and of the indices of Gather.
    fileprivate var constantByteCount: Int {
        let constants = constants.values.reduce(0) { $0 + ($1.floats == nil ? 8 : 4) * $1.count }
        return nodes.reduce(constants) {
            if case .gather(let indices, shape: _, axis: _) = $1.operation { $0 + MemoryLayout<Int>.stride * indices.count } else { $0 }
        }
    }
}

extension Layer {
    /// Bytes of the weights as they are executed. The rows of an 8-bit layer may be twice as many.
    ///
    /// Far from overflow: a layer has at most 2³¹ weights, and a row at most 255 points.
    fileprivate var decodedByteCount: Int {
        switch weights {
        case .float(let values): return 4 * values.count
        case .packed(let packed):
            let depth = group > 1 ? packed.largestRowCount : 1
            // One convolution for each row of the channel that has most, with zeros in the other channels.
            if depth > 1 { return depth * packed.channels * packed.rowLength }
            return packed.ladder != nil
                ? packed.channels * packed.rowLength
                : packed.points.reduce(0) { $0 + max(1, Int($1)) } * packed.rowLength
        }
    }
}

extension PackedWeights {
    /// Rows that the channel with most points may be executed as: a vector beyond ±64 takes two.
    fileprivate var largestRowCount: Int {
        let magnitudes = levels.map { $0.codebook.reduce(0) { max($0, abs(Int($1))) } }
        let depth = Int(points.max() ?? 0)
        if let ladder {
            let largest = zip(magnitudes.dropFirst(), ladder).reduce(magnitudes.first ?? 0) { $0 * $1.1 + $1.0 }
            return largest > 64 ? 2 : 1
        }
        return magnitudes.prefix(depth).reduce(0) { $0 + ($1 > 64 ? 2 : 1) }
    }
}
