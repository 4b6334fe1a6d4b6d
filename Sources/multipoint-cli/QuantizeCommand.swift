import ArgumentParser
import MultipointFormat
import MultipointGraph
import MultipointQuantization
import PostTrainingQuantization

struct QuantizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize", abstract: "Pack the weights of an ONNX network, calibrated with sample images.")

    enum Method: String, CaseIterable, ExpressibleByArgument { case ladder, greedy, single, float }
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

    @Option(
        help: """
            ladder: a refinement ladder for every channel, rounded for the least output error, widths allocated within --budget. \
            single: one point of --bits for every channel, rounded alike. greedy: points with free scales, as many as the output \
            error asks for. float: weights as they are, in the same kind of file. Default: greedy if one of its options is given, \
            else ladder.
            """)
    var method: Method?

    @Option(help: "ladder: bits per weight of all packed layers; scales, codebooks and numbers of points counted. Default: 4.25.")
    var budget: Double?

    @Option(help: "single, greedy: bits of a point, 1 to 8. Default: \(QuantizationOptions().bits).") var bits: Int?
    @Option(help: "greedy: bits in layers that read the input. Default: \(QuantizationOptions().firstBits).") var firstBits: Int?
    @Option(help: "greedy: bits in layers that give the output. Default: \(QuantizationOptions().lastBits).") var lastBits: Int?

    @Option(
        help: """
            greedy: values of a point: odd integers (1 to 6 bits), all from −Q to Q (2 to 8 bits), or the subset of sums of two powers of \
            two that suits the layer best (2 to 4 bits; layers at the input and output take all from −Q to Q). Default: odd \
            where possible.
            """)
    var codebook: CodebookFamily?

    @Option(help: "greedy: add points to a channel while its output error E[((w − ŵ)·x)²] is above this.")
    var epsilon: Double?

    @Option(
        help: """
            greedy: add points while the output error is above this part of the channel's output power. Default: \
            \(QuantizationOptions().relativeEpsilon), or 0 if --epsilon is given. With both 0 every channel gets --max-points.
            """)
    var relativeEpsilon: Double?

    @Option(help: "greedy: points that a channel has at most. Default: \(QuantizationOptions().maximumPoints).")
    var maxPoints: Int?

    @Option(
        help: """
            Which range of an activation its 8 bits cover. min-max: all that the images give. percentile:P: without the outermost \
            (100 − P) %, such as percentile:99.99. mse: the one with the least mean squared error. output-aware: the same, every \
            channel counted as its errors reach the outputs. best: for each activation that of these which changes the outputs least.
            """)
    var activations: ActivationOption = ActivationOption(QuantizationOptions().activations)

    @Flag(
        inversion: .prefixedNo, help: "Let the layers' biases take up the mean of what quantization changes in their results.")
    var biasCorrection = true

    @Option(help: "Threads; 0 is OMP_NUM_THREADS, or one per core.") var threads = 0

    @Option(name: [.short, .long], help: "The packed file to write.", completion: .file(extensions: ["multipoint"]))
    var output: String

    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        if let stranger = strangers.first {
            throw ValidationError("\(stranger) does not go with --method \(chosenMethod.rawValue)")
        }
        if chosenMethod != .float && calibration.isEmpty {
            throw ValidationError("Missing expected argument '--calibration <calibration>'")
        }
        if let limit, limit < 1 { throw ValidationError("--limit \(limit): at least 1 expected") }
        do { try options.validate() } catch { throw ValidationError(error.description) }
    }

    /// Options that belong to some of the methods and are given.
    private var givenOptions: [(name: String, methods: [Method])] {
        let all: [(String, Bool, [Method])] = [
            ("--budget", budget != nil, [.ladder]), ("--bits", bits != nil, [.greedy, .single]),
            ("--first-bits", firstBits != nil, [.greedy]), ("--last-bits", lastBits != nil, [.greedy]),
            ("--codebook", codebook != nil, [.greedy]), ("--epsilon", epsilon != nil, [.greedy]),
            ("--relative-epsilon", relativeEpsilon != nil, [.greedy]), ("--max-points", maxPoints != nil, [.greedy]),
        ]
        return all.filter(\.1).map { ($0.0, $0.2) }
    }

    /// The ladder, unless options ask for greedy points.
    var chosenMethod: Method {
        method ?? (!givenOptions.isEmpty && givenOptions.allSatisfy { $0.methods.contains(.greedy) } ? .greedy : .ladder)
    }

    /// Options that the method has no use for. `float` ignores them all.
    private var strangers: [String] {
        chosenMethod == .float ? [] : givenOptions.filter { !$0.methods.contains(chosenMethod) }.map(\.name)
    }

    var options: QuantizationOptions {
        var options = QuantizationOptions()
        switch chosenMethod {
        case .ladder: options.method = .ladder(.bitsPerWeight(budget ?? 4.25))
        case .single: options.method = .single(bits: bits ?? options.bits)
        case .greedy: break
        case .float: options.keepsFloat = true
        }
        options.bits = chosenMethod == .greedy ? bits ?? options.bits : options.bits
        options.firstBits = firstBits ?? options.firstBits
        options.lastBits = lastBits ?? options.lastBits
        options.codebook = codebook?.family
        options.epsilon = epsilon ?? options.epsilon
        options.relativeEpsilon = relativeEpsilon ?? (options.epsilon > 0 ? 0 : options.relativeEpsilon)
        options.maximumPoints = maxPoints ?? options.maximumPoints
        options.activations = activations.choice
        options.correctsBias = biasCorrection
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
        let result = try quantize(network, calibration: images, options: options, linearAlgebra: .openBLAS) { stage, fraction in
            progress.show("\(stage)", fraction)
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
