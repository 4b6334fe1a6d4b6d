import ArgumentParser
import MultipointFormat

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Describe a packed file: its layers, what they take, how they will run.")

    @Argument(help: "The packed file.", completion: .file(extensions: ["multipoint"]))
    var file: String

    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let content = try PackedFile(path: file)
        var summary = ModelSummary(content, path: file, byteCount: try byteCount(ofFile: file))
        summary.memory = content.network.flatMap(ModelSummary.Memory.init)
        print(json ? try jsonText(summary) : summary.text)
    }
}
