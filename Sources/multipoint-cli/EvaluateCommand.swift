import ArgumentParser
import MultipointGraph
import NumPyArrays

struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Measure networks on images; compare further networks with the first.")

    @Argument(help: "Packed files, or ONNX networks that run in float.") var models: [String]

    @Option(
        help: "Images (.npy). Once for every input of the networks, in their order.", completion: .file(extensions: ["npy"]))
    var images: [String]
    @Option(
        help: """
            Class numbers (.npy, one-dimensional; int64, int32 or uint8). Without them (detection, segmentation) every output is \
            compared for itself.
            """,
        completion: .file(extensions: ["npy"]))
    var labels: String?

    @OptionGroup(title: "Images") var preprocessing: PreprocessingOptions
    @OptionGroup var inputShapes: InputShapeOptions
    @OptionGroup var execution: ExecutionOptions

    @Flag(help: "Run packed layers with their weights as floats: activations are not rounded to 8 bits.") var weightsOnly = false

    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let images = try images.map { try ImageArray(path: $0, preprocessing.preprocessing) }
        let labels = try labels.map { try Labels(path: $0) }
        let progress = ProgressLine()
        var results: [EvaluationResult] = []
        var reference: (logits: Logits?, outputs: [NPYArray])?
        for model in models {
            var network = try ModelFile.readNetwork(model, inputShapes)
            if weightsOnly { network = network.unpacked }
            var runner = try NetworkRunner(
                network, NetworkInputs(network, images), maximumBatch: execution.batch, threads: execution.threads)
            try runner.warmUp()
            let outputs = try runner.run { progress.show(model, $0) }
            let milliseconds = runner.milliseconds / Double(max(1, runner.imageCount))
            if let labels {
                let logits = try Logits(outputs.first, model: model)
                results.append(
                    try EvaluationResult(
                        model: model, logits, labels, reference: reference?.logits, milliseconds: milliseconds))
                reference = reference ?? (logits, [])
            } else {
                results.append(
                    try EvaluationResult(
                        model: model, Array(zip(network.outputs.map(\.name), outputs)), images: runner.imageCount,
                        reference: reference?.outputs, milliseconds: milliseconds))
                reference = reference ?? (nil, outputs)
            }
        }
        progress.clear()
        print(json ? try jsonText(results) : results.text)
    }
}
