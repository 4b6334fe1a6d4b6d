import ArgumentParser
import MultipointGraph
import ONNXImport

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Say whether an ONNX network will run, and what of it in 8 bits, before any work.",
        discussion: """
            For every operator: how many nodes run in 8 bits once the network is packed, how many in float, how many take no time \
            because they are computed or merged into others beforehand, and how many are not supported. The network is compiled, with \
            weights that mean nothing, to find out. Exit status 1 if it does not run.
            """)

    @Argument(help: "The network.", completion: .file(extensions: ["onnx"])) var model: String
    @OptionGroup var inputShapes: InputShapeOptions
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let definition = try readONNX(path: model, inputShapes: inputShapes.shapes)
        let examination: Examination
        do { examination = try Examination(definition) } catch { throw CommandError("`\(model)`: \(error.description)") }
        let diagnosis = Diagnosis(examination, definition, model: model)
        print(json ? try jsonText(diagnosis) : diagnosis.text)
        if !diagnosis.runs { throw ExitCode.failure }
    }
}
