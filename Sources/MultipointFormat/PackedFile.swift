import MultipointGraph

/// The content of a packed file, version 1: layers and, where the file has one, the network that they belong to.
///
/// `README.md` beside this source describes the bytes.
public struct PackedFile: Equatable, Sendable {
    /// The model's name; empty if it has none.
    public var name: String
    /// The program that made the file; empty if it does not say.
    public var producer: String
    /// In the order of the file; names are unique.
    public var layers: [Layer]
    /// Its layers are the ones above. Nil in a weights-only file.
    public var network: Network?
    /// By layer name, what a quantizer measured: E[‖(w − ŵ)·x‖²] / E[‖w·x‖²] over calibration inputs x. For people; nothing depends on it.
    public var relativeOutputErrors: [String: Double]
    /// What else the quantizer measured. Nil where the file has nothing of the kind, or nothing that can be understood.
    public var record: QuantizationRecord?

    public init(
        name: String = "", producer: String = "", layers: [Layer], network: Network? = nil,
        relativeOutputErrors: [String: Double] = [:], record: QuantizationRecord? = nil
    ) {
        self.name = name
        self.producer = producer
        self.layers = layers
        self.network = network
        self.relativeOutputErrors = relativeOutputErrors
        self.record = record
    }

    /// A file of a whole network.
    public init(
        network: Network, producer: String, relativeOutputErrors: [String: Double] = [:], record: QuantizationRecord? = nil
    ) {
        self.init(
            name: network.name, producer: producer, layers: network.layerOrder.compactMap { network.layers[$0] }, network: network,
            relativeOutputErrors: relativeOutputErrors, record: record)
    }
}

/// The keys and values of `__metadata__`.
enum Metadata {
    static let format = "format", version = "version", producer = "producer", name = "name", crc32 = "crc32"
    static let layers = "layers", graph = "graph", record = "quantization"
    /// What `format` says.
    static let multipoint = "multipoint"
    /// What this version writes. Readers accept every minor version of the same major one.
    static let currentVersion = "1.0"
    static let majorVersion = 1
}
