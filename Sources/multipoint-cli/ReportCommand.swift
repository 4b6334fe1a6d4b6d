import ArgumentParser
import MultipointFormat
import MultipointGraph

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Make a page (HTML) that shows a packed file: sizes, errors, weights, layer by layer.",
        discussion: """
            The page is one file and needs no network. Output errors at other widths are shown where the file has them (quantize \
            --record).
            """)

    @Argument(help: "The packed file.", completion: .file(extensions: ["multipoint"]))
    var file: String

    @Option(
        help: "The network that was packed: its weights are shown beside the packed ones.", completion: .file(extensions: ["onnx"]))
    var original: String?

    @OptionGroup var inputShapes: InputShapeOptions

    @Option(name: [.short, .long], help: "The page to write.", completion: .file(extensions: ["html"]))
    var output: String

    func run() throws {
        try requireWritable(output, apartFrom: [file] + (original.map { [$0] } ?? []))
        let content = try fileContent(file)
        defer { withExtendedLifetime(content) {} }
        let packed = try PackedFile(bytes: content.bytes, source: "`\(file)`")
        let network = try original.map { try ModelFile.readNetwork(onnx: $0, inputShapes) }
        let model = try ReportModel(
            packed, path: file, byteCount: content.bytes.count, original: network, originalPath: original ?? "")
        try writeAtomically(Array(ReportPage(model: model).html.text.utf8), to: output)
        print("report of `\(file)`, \(packed.layers.count) layers: \(output)")
    }
}
