import ArgumentParser
import MultipointGraph

struct CompareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare", abstract: "Pack a network by several methods and compare sizes, accuracies and outputs.",
        discussion: """
            Every row is one method; the float network comes first and is what the others are compared with. SNR is the power of the \
            float network's output over that of the difference, once with 8-bit activations as the packed network runs, once with \
            the rounded weights alone. Nothing is written.

            Methods for --entry:
              float                           as it is
              w8a8                            8 bits, scales per channel
              nearest:BITS[:max|mse]          nearest rounding, 2 to 8 bits
              greedy:BITS[:RELATIVE-EPSILON]  greedy points (ends: 7 bits)
              subset:BITS                     subsets, 2 to 4 bits (ends: 8)
              subset:BITS:all                 the same, subsets in all layers
              single:BITS                     one output-aware point
              ladder:BITS-PER-WEIGHT          refinement ladder in a budget
              ladder:BITS:odd|uniform|subset  the same, all layers of a family
              ladder:BITS:free                points with free scales

            max: a channel's largest weight becomes the largest integer; mse (default): the scale with the least squared error. Ends: \
            layers that read the input or give the output.
            """)

    @Argument(help: "The trained network.", completion: .file(extensions: ["onnx"]))
    var model: String

    @Option(
        help: "Images (.npy) to calibrate with; a few hundred. Once for every input of the network, in its order.",
        completion: .file(extensions: ["npy"]))
    var calibration: [String]

    @Option(
        help: "Images (.npy) to compare on. Once for every input of the network, in its order.",
        completion: .file(extensions: ["npy"]))
    var images: [String]

    @Option(
        help: "Class numbers (.npy) of the images. Without them (detection, segmentation) every output is compared for itself.",
        completion: .file(extensions: ["npy"]))
    var labels: String?

    @OptionGroup(title: "Images") var preprocessing: PreprocessingOptions
    @Option(help: "Calibrate with the first images only.") var limit: Int?

    @Option(
        name: .customLong("entry"),
        help: ArgumentHelp(
            "A method, such as ladder:3.5; may be repeated. Default: \(ComparisonEntry.standard.joined(separator: ", ")).",
            valueName: "method"),
        transform: ComparisonEntry.init)
    var entries: [ComparisonEntry] = []

    @OptionGroup var floatLayers: FloatLayerOptions
    @OptionGroup var inputShapes: InputShapeOptions
    @OptionGroup var execution: ExecutionOptions

    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit \(limit): at least 1 expected") }
    }

    func run() throws {
        let network = try ModelFile.readNetwork(onnx: model, inputShapes)
        var samples = try NetworkInputs(network, paths: calibration, preprocessing.preprocessing)
        if let limit { samples.limit(to: limit) }
        let progress = ProgressLine()
        let comparison = try Comparison(
            network, model: model, calibration: samples,
            images: NetworkInputs(network, paths: images, preprocessing.preprocessing), labels: labels.map { try Labels(path: $0) },
            floatLayers: floatLayers.layers(among: network.layerOrder), execution: execution, progress: progress.show)
        var rows = [try comparison.floatRow()]
        let chosen = try entries.isEmpty ? ComparisonEntry.standard.map(ComparisonEntry.init) : entries
        for entry in chosen where entry.options != nil {
            do {
                rows.append(try comparison.row(entry, progress: progress.show))
            } catch {
                // A method that cannot do this network does not take the others' results away.
                var row = ComparisonRow(method: entry.text)
                row.failure = "\(error)"
                rows.append(row)
            }
        }
        progress.clear()
        let result = ComparisonResult(
            model: model, images: comparison.images.imageCount, calibrationImages: samples.imageCount,
            calibrationSeconds: comparison.calibrationSeconds, rows: rows)
        print(json ? try jsonText(result) : result.text)
        // One that was asked for by name and failed is a failure.
        if !entries.isEmpty, rows.contains(where: { $0.failure != nil }) { throw ExitCode.failure }
    }
}
