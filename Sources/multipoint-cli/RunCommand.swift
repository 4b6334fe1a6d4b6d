import ArgumentParser
import MultipointFormat
import MultipointGraph

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a network on arrays and write its outputs.")

    @Argument(help: "A packed file, or an ONNX network to run in float.") var model: String

    @Option(
        help: "Array (.npy) for an input of the network; once for every input, in its order.",
        completion: .file(extensions: ["npy"]))
    var input: [String]

    @Option(
        name: [.short, .long], help: "Array (.npy) to write; once for every output of the network, in its order.",
        completion: .file(extensions: ["npy"]))
    var output: [String]

    @OptionGroup(title: "Images") var preprocessing: PreprocessingOptions
    @OptionGroup var inputShapes: InputShapeOptions
    @OptionGroup var execution: ExecutionOptions

    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        try requireWritable(output, apartFrom: input + [model])
        let network = try ModelFile.readNetwork(model, inputShapes)
        guard output.count == network.outputs.count else {
            throw CommandError(
                "`\(model)` has \(network.outputs.count) outputs (\(network.outputs.map(\.name).joined(separator: ", "))); "
                    + "as many --output expected, found \(output.count)")
        }
        let images = try NetworkInputs(network, paths: input, preprocessing.preprocessing)
        let progress = ProgressLine()
        var runner = try NetworkRunner(network, images, maximumBatch: execution.batch, threads: execution.threads)
        let results = try runner.run { progress.show("running", $0) }
        progress.clear()
        for (path, result) in zip(output, results) { try result.write(to: path) }
        let written = zip(network.outputs, zip(output, results)).map { value, written in
            WrittenArray(output: value.name, path: written.0, shape: written.1.shape)
        }
        print(json ? try jsonText(written) : written.text)
    }
}

/// An output of the network in a file.
struct WrittenArray: Encodable {
    var output: String
    var path: String
    var shape: [Int]
}

extension [WrittenArray] {
    var text: String {
        map { "output `\($0.output)` \($0.shape.map(String.init).joined(separator: "×")): \($0.path)" }.joined(separator: "\n")
    }
}
