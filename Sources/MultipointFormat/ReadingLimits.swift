import MultipointGraph

/// How much a packed file may ask of the process that reads it. Files come from anywhere, and what no limit stops, a few bytes can
/// ask for.
public struct ReadingLimits: Equatable, Sendable {
    /// Bytes of the file, all of which are read into memory.
    public var fileByteCount: Int
    /// Tensors in the file.
    public var tensorCount: Int
    /// Nodes of the graph, which are also the longest path through it.
    public var nodeCount: Int
    /// Elements of a layer's weights, and of any value of the network for a batch of 1.
    public var elementCount: Int
    /// Bytes that all weights take when decoded: one for each weight of each row, four for each float.
    /// Nil: 64 MiB and 64 for each byte of the layers' tensors in the file.
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
        // Far from overflow: a layer has at most 2³¹ weights, and a row at most 255 points.
        var (stored, decoded) = (0, 0)
        for layer in layers {
            let count = layer.channels * layer.rowLength
            guard count <= elementCount else {
                throw .limit("layer `\(layer.name)`: \(count) weights; the limit on elements is \(elementCount)")
            }
            stored += layer.storedByteCount
            decoded += layer.decodedByteCount
        }
        let limit = weightByteCount ?? (64 << 20) + 64 * stored
        guard decoded <= limit else {
            throw .limit("the weights of all layers take \(decoded) bytes decoded; the limit on weight bytes is \(limit)")
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

extension Layer {
    /// Bytes of the weights as they are executed. The rows of an 8-bit layer may be twice as many.
    fileprivate var decodedByteCount: Int {
        switch weights {
        case .float(let values): 4 * values.count
        case .packed(let packed):
            packed.ladder != nil
                ? packed.channels * packed.rowLength
                : packed.points.reduce(0) { $0 + max(1, Int($1)) } * packed.rowLength
        }
    }
}
