import MultipointFormat
import MultipointGraph
import MultipointRuntime

/// What `inspect` tells about a packed file. Encoded as it is for JSON.
struct ModelSummary: Encodable, Equatable {
    var path: String
    var name: String
    var producer: String
    var inputs: [Value]
    var outputs: [Value]
    var layers: [LayerSummary]
    var totals: Totals
    /// Told by `inspect` of a file with a network.
    var memory: Memory?

    struct Value: Encodable, Equatable {
        var name: String
        var shape: [Dimension]

        init(_ info: ValueInfo) {
            name = info.name
            shape = info.shape.map(Dimension.init)
        }
    }

    /// A number, "N" for the batch, or "?" where a network that does not run states no size.
    enum Dimension: Encodable, Equatable, CustomStringConvertible {
        case size(Int), batch, unknown

        init(_ dimension: ValueInfo.Dimension) {
            switch dimension {
            case .batch: self = .batch
            case .fixed(0): self = .unknown
            case .fixed(let size): self = .size(size)
            }
        }

        var description: String {
            switch self {
            case .size(let size): "\(size)"
            case .batch: "N"
            case .unknown: "?"
            }
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            if case .size(let size) = self { try container.encode(size) } else { try container.encode(description) }
        }
    }

    /// What a session for one image and one thread holds, in bytes.
    struct Memory: Encodable, Equatable {
        /// Activations, conversions and scratch memory.
        var arenaBytes: Int
        /// Weights and biases as the convolutions read them.
        var weightBytes: Int

        /// Nil if this machine cannot run the network.
        init?(_ network: Network) {
            guard let session = try? Session(network: network, maximumBatch: 1, threads: 1) else { return nil }
            (arenaBytes, weightBytes) = (session.arenaByteCount, session.weightByteCount)
        }
    }

    struct Totals: Encodable, Equatable {
        var weights: Int
        var packedWeights: Int
        /// Of all layers' tensors.
        var bytes: Int
        /// Of the packed layers, scales and codebooks counted; nil if there are none.
        var packedBitsPerWeight: Double?
        var fileBytes: Int
    }

    init(_ file: PackedFile, path: String, byteCount: Int) {
        self.path = path
        name = file.name
        producer = file.producer
        inputs = (file.network?.inputs ?? []).map(Value.init)
        outputs = (file.network?.outputs ?? []).map(Value.init)
        layers = file.layers.map { LayerSummary($0, relativeOutputError: file.relativeOutputErrors[$0.name]) }
        let packed = layers.filter { !$0.isFloat }
        let packedWeights = packed.reduce(0) { $0 + $1.weights }
        let packedBits = packed.reduce(0) { $0 + $1.bitsPerWeight * Double($1.weights) }
        totals = Totals(
            weights: layers.reduce(0) { $0 + $1.weights }, packedWeights: packedWeights,
            bytes: layers.reduce(0) { $0 + $1.bytes },
            packedBitsPerWeight: packedWeights > 0 ? packedBits / Double(packedWeights) : nil,
            fileBytes: byteCount)
    }
}

struct LayerSummary: Encodable, Equatable {
    var name: String
    var `operator`: String
    var shape: [Int]
    var weights: Int
    var isFloat: Bool
    /// Width of each level's codes.
    var bits: [Int]
    /// Number of channels with 0, 1, 2, … points.
    var channelsByPoints: [Int]
    /// The int8 rows that are multiplied, those beyond one per channel, and those that stand for several points.
    var rows: Int
    var extraRows: Int
    var foldedRows: Int
    var bytes: Int
    var bitsPerWeight: Double
    var relativeOutputError: Double?
    var inputScale: Float?
    var inputZeroPoint: Int?
    var execution: String

    init(_ layer: Layer, relativeOutputError: Double?) {
        let prepared = PreparedLayer(layer)
        name = layer.name
        if case .convolution = layer.operation { self.operator = "Conv" } else { self.operator = "Gemm" }
        shape = layer.shape
        weights = elementCount(of: layer.shape) ?? 0
        isFloat = !layer.isPacked
        (bits, channelsByPoints) = ([], [])
        if case .packed(let packed) = layer.weights {
            bits = packed.levels.map(\.bits)
            channelsByPoints = [Int](repeating: 0, count: Int(packed.points.max() ?? 0) + 1)
            for points in packed.points { channelsByPoints[Int(points)] += 1 }
        }
        rows = prepared.rows?.count ?? 0
        extraRows = prepared.rows?.extraCount ?? 0
        foldedRows = prepared.rows?.foldedCount ?? 0
        bytes = layer.storedByteCount
        bitsPerWeight = layer.bitsPerWeight
        self.relativeOutputError = relativeOutputError
        inputScale = layer.inputQuantization?.scale
        inputZeroPoint = (layer.inputQuantization?.zeroPoint).map { Int($0) }
        execution = prepared.execution
    }
}
