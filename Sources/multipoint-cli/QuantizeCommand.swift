import ArgumentParser
import MultipointFormat
import MultipointGraph
import MultipointQuantization
import PostTrainingQuantization

struct QuantizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize", abstract: "Pack the weights of an ONNX network, calibrated with sample images.")

    enum Method: String, CaseIterable, ExpressibleByArgument { case greedy, float }
    enum CodebookFamily: String, CaseIterable, ExpressibleByArgument {
        case odd, uniform, subset

        var family: Codebook.Family {
            switch self {
            case .odd: .odd
            case .uniform: .uniform
            case .subset: .subset
            }
        }
    }

    @Argument(help: "The trained network.", completion: .file(extensions: ["onnx"]))
    var model: String

    @Option(
        help: "Images (.npy) that the network sees in use; a few hundred. Once for every input of the network, in its order.",
        completion: .file(extensions: ["npy"]))
    var calibration: [String] = []

    @OptionGroup(title: "Images") var preprocessing: PreprocessingOptions

    @Option(help: "Use only the first images.") var limit: Int?

    @Option(help: "Bits of a point, 1 to 8.") var bits = QuantizationOptions().bits
    @Option(help: "Bits in layers that read the input.") var firstBits = QuantizationOptions().firstBits
    @Option(help: "Bits in layers that give the output.") var lastBits = QuantizationOptions().lastBits

    @Option(
        help: """
            Values of a point: odd integers (1 to 6 bits), all from −Q to Q (2 to 8 bits), or the subset of sums of two powers of \
            two that suits the layer best (2 to 4 bits; layers at the input and output take all from −Q to Q). Default: odd \
            where possible.
            """)
    var codebook: CodebookFamily?

    @Option(help: "Add points to a channel while its output error E[((w − ŵ)·x)²] is above this.")
    var epsilon = QuantizationOptions().epsilon

    @Option(
        help: """
            Add points while the output error is above this part of the channel's output power. Default: \
            \(QuantizationOptions().relativeEpsilon), or 0 if --epsilon is given. With both 0 every channel gets --max-points.
            """)
    var relativeEpsilon: Double?

    @Option(help: "Points that a channel has at most.") var maxPoints = QuantizationOptions().maximumPoints

    @Option(help: "greedy packs every layer; float keeps the weights as they are, in the same kind of file.")
    var method = Method.greedy

    @Option(help: "Threads; 0 is OMP_NUM_THREADS, or one per core.") var threads = 0

    @Option(name: [.short, .long], help: "The packed file to write.", completion: .file(extensions: ["multipoint"]))
    var output: String

    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        if method == .greedy && calibration.isEmpty {
            throw ValidationError("Missing expected argument '--calibration <calibration>'")
        }
        if let limit, limit < 1 { throw ValidationError("--limit \(limit): at least 1 expected") }
        do { try options.validate() } catch { throw ValidationError(error.description) }
    }

    var options: QuantizationOptions {
        var options = QuantizationOptions()
        (options.bits, options.firstBits, options.lastBits) = (bits, firstBits, lastBits)
        options.codebook = codebook?.family
        options.epsilon = epsilon
        options.relativeEpsilon = relativeEpsilon ?? (epsilon > 0 ? 0 : options.relativeEpsilon)
        options.maximumPoints = maxPoints
        options.keepsFloat = method == .float
        options.threads = threads
        return options
    }

    func run() throws {
        try requireWritable(output)
        let network = try ModelFile.readNetwork(onnx: model)
        var images = NetworkInputs(network)
        if !calibration.isEmpty {
            images = try NetworkInputs(network, paths: calibration, preprocessing.preprocessing)
            if let limit { images.limit(to: limit) }
        }
        let progress = ProgressLine()
        let result = try quantize(network, calibration: images, options: options) { stage, fraction in
            progress.show(stage == .calibrating ? "calibrating" : "packing", fraction)
            return true
        }
        progress.clear()
        let file = PackedFile(
            network: result.network, producer: "multipoint \(MultipointCommand.version)",
            relativeOutputErrors: Dictionary(
                result.reports.filter { $0.codebook != nil }.map { ($0.name, $0.relativeOutputError) },
                uniquingKeysWith: { first, _ in first }))
        try file.write(to: output)
        let summary = ModelSummary(file, path: output, byteCount: try byteCount(ofFile: output))
        print(json ? try jsonText(summary) : summary.text)
    }
}
