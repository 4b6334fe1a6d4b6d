import ArgumentParser
import MultipointFormat
import MultipointGraph
import ONNXExport
import ONNXImport

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write a packed file as a model that another runtime runs.",
        discussion: """
            The ONNX model needs the library libmultipoint_ort.so, which teaches ONNX Runtime the operators multipoint.Network, \
            multipoint.Conv and multipoint.Gemm.
            """)

    enum Format: String, CaseIterable, ExpressibleByArgument { case onnx }
    enum Granularity: String, CaseIterable, ExpressibleByArgument { case network, layer }

    @Argument(help: "The packed file.", completion: .file(extensions: ["multipoint"])) var model: String

    @Argument(
        help: """
            The ONNX network that the file was packed from, for --granularity layer: its nodes stay what they are, but for the packed \
            layers. Without it the nodes are those of the packed network.
            """,
        completion: .file(extensions: ["onnx"]))
    var original: String?

    @Option(help: "What to write.") var format = Format.onnx

    @Option(help: "network: the whole network as one node. layer: one node for every packed layer, the others with ONNX Runtime.")
    var granularity = Granularity.network

    @Flag(
        help: """
            Leave the packed file where it is, in the folder of the ONNX model or below, and have the model refer to it (as ONNX \
            external data), instead of copying it into the model.
            """)
    var external = false

    @Option(name: [.short, .long], help: "The ONNX model to write.", completion: .file(extensions: ["onnx"])) var output: String

    @OptionGroup var inputShapes: InputShapeOptions

    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        if granularity == .network, original != nil {
            throw ValidationError("--granularity network has no use for the original network; did you mean --granularity layer?")
        }
    }

    func run() throws {
        try requireWritable(output, apartFrom: [model] + (original.map { [$0] } ?? []))
        let content = try fileContent(model)
        defer { withExtendedLifetime(content) {} }
        let packed = try PackedFile(bytes: content.bytes, source: "`\(model)`")
        let file = PackedConstant(name: fileName(model), place: try place(content))
        let exported = try exported(packed, file)
        try writeAtomically(exported.bytes, to: output)
        let summary = ExportSummary(
            path: output, multipointNodes: exported.nodes.layers, otherNodes: exported.nodes.others,
            packedFile: external ? model : nil, bytes: exported.bytes.count)
        print(json ? try jsonText(summary) : summary.text)
    }

    private func exported(_ packed: PackedFile, _ file: PackedConstant) throws -> (bytes: [UInt8], nodes: NodeCounts) {
        let version = MultipointCommand.version
        if let original { return try replaced(packed, file, in: original) }
        guard let network = packed.network else {
            throw CommandError(
                "`\(model)` holds weights only: give the ONNX network that they were packed from, and --granularity layer")
        }
        do {
            switch granularity {
            case .network:
                let bytes = try networkModel(of: network, file: file, producer: "multipoint", version: version)
                return (bytes, NodeCounts(layers: 1, others: 0))
            case .layer:
                let bytes = try layerModel(of: network, file: file, producer: "multipoint", version: version)
                let layers = network.nodes.count { if case .layer = $0.operation { true } else { false } }
                return (bytes, NodeCounts(layers: layers, others: network.nodes.count - layers))
            }
        } catch {
            throw CommandError("`\(model)`: \(error)")
        }
    }

    private func replaced(
        _ packed: PackedFile, _ file: PackedConstant, in original: String
    ) throws -> (bytes: [UInt8], nodes: NodeCounts) {
        let replacements = try LayerMatch(packed: packed, path: model, original: original, inputShapes: inputShapes).replacements()
        guard !replacements.isEmpty else { throw CommandError("`\(model)` has no packed layer") }
        let bytes = try fileContent(original)
        defer { withExtendedLifetime(bytes) {} }
        do {
            return try layerModel(
                replacing: replacements, in: Array(bytes.bytes), isMoved: try folderPath(of: original) != folderPath(of: output),
                file: file)
        } catch let error as ONNXExportError {
            throw CommandError("`\(original)`: \(error)")
        }
    }

    private func place(_ content: FileContent) throws -> PackedConstant.Place {
        guard external else { return .inside(Array(content.bytes)) }
        let folder = try folderPath(of: output), own = try folderPath(of: model) + "/" + fileName(model)
        let prefix = folder.hasSuffix("/") ? folder : folder + "/"
        guard own.hasPrefix(prefix) else {
            throw CommandError("--external: `\(model)` is not in the folder of `\(output)`, nor below it, as ONNX asks of external data")
        }
        return .beside(location: String(own.dropFirst(prefix.count)), byteCount: content.bytes.count)
    }
}

/// What `export` wrote.
struct ExportSummary: Encodable {
    var path: String
    var multipointNodes: Int
    var otherNodes: Int
    /// Nil if it is in the model.
    var packedFile: String?
    var bytes: Int

    var text: String {
        "\(path): \(multipointNodes) multipoint nodes, \(otherNodes) others; \(bytes) bytes"
            + (packedFile.map { ", and \($0) beside it" } ?? "")
    }
}
