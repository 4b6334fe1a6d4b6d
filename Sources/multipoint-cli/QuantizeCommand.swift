import ArgumentParser
import MultipointFormat
import MultipointGraph
import MultipointQuantization
import ONNXImport
import PostTrainingQuantization

struct QuantizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize", abstract: "Pack the weights of an ONNX network, calibrated with sample images.")

    enum Method: String, CaseIterable, ExpressibleByArgument {
        case ladder, greedy, single, nearest, w8a8, subset, float
    }
    enum ChannelScale: String, CaseIterable, ExpressibleByArgument {
        case max, mse

        var scale: NearestRounding.Scale { self == .max ? .maximum : .meanSquaredError }
    }
    enum CodebookFamily: String, CaseIterable, ExpressibleByArgument {
        case odd, uniform, subset

        var family: Codebook.Family {
            switch self {
            case .odd: .odd
            case .uniform: .uniform
            case .subset: .subset
            }
        }

        var ladderFamily: RefinementLadder.Family {
            switch self {
            case .odd: .odd
            case .uniform: .zero
            case .subset: .subset
            }
        }
    }

    enum LadderScales: String, CaseIterable, ExpressibleByArgument { case integer, free }
    enum Sequence: String, CaseIterable, ExpressibleByArgument { case automatic, always, never }

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
            error asks for. float: weights as they are, in the same kind of file. Baselines to compare with: nearest: every weight to \
            the nearest of 2^bits − 1 equidistant values, one scale per channel; w8a8: the same with 8 bits and --channel-scales max; subset: the \
            published subset quantization, one scale per layer. Default: greedy if one of its options is given, else ladder.
            """)
    var method: Method?

    @Option(help: "ladder: bits per weight of all packed layers; scales, codebooks and numbers of points counted. Default: 4.25.")
    var budget: Double?

    @Option(help: "ladder: instead of --budget, size of the packed file at most, for example 800kB or 3MB (1 kB is 1000 bytes).")
    var size: ByteCount?

    @Option(
        help: """
            ladder: instead of --budget, the smallest file whose agreement with the float network on the calibration images (how often \
            the largest of an output's channels is the same) is within this of 1, for example 0.005.
            """)
    var maxDrop: Double?

    @Option(
        help: """
            ladder: how the scales of a channel's points relate. integer: in integer ratios, so that they run as one row. free: each for \
            itself; further points run as further rows.
            """)
    var ladder: LadderScales?

    @Option(
        help: """
            ladder, single: round layers for the inputs that the packed layers before them give: if that measures better, always or \
            never. Default: automatic.
            """)
    var sequential: Sequence?

    @Option(
        help: """
            Bits of a point: greedy 1 to 8, single 1 to 6, nearest 2 to 8, subset 2 to 4. Default: \(QuantizationOptions().bits).
            """)
    var bits: Int?
    @Option(
        help: """
            greedy, nearest, subset: bits in layers that read the input. Default: \(QuantizationOptions().firstBits); nearest: --bits; \
            subset: 8 (uniform, one scale per channel).
            """)
    var firstBits: Int?
    @Option(help: "The same in layers that give the output.") var lastBits: Int?
    @Option(
        help: """
            nearest: the scale of a channel. max: the largest weight becomes the largest integer. mse: the least squared error, which \
            clips. Default: mse.
            """)
    var channelScales: ChannelScale?
    @Flag(help: "subset: subsets also in the layers that read the input and give the output.") var allLayers = false

    @Option(
        help: """
            Values of a point: odd integers, all integers of a range (with a 0), or the subset of sums of two powers of two that suits \
            the layer best. ladder: default is what measures best for each layer. greedy: odd has 1 to 6 bits, uniform 2 to 8, subset 2 \
            to 4 (layers at the input and output are uniform then); default is odd where possible.
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

    @Flag(
        help: """
            Measure also what every layer's output error would be at other widths, and record it in the file for `multipoint report`.
            """)
    var record = false
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

    @Flag(
        help: """
            Pack every Conv, Gemm and MatMul with constant weights for itself, without running the network, which may have any other \
            operators. The file then holds weights only, for `multipoint export --granularity layer`; what reads it quantizes activations \
            as they come. Goes with greedy (then the default), nearest, w8a8 and subset, and needs no images.
            """)
    var layersOnly = false

    @OptionGroup var floatLayers: FloatLayerOptions

    @Option(help: "Threads; 0 is OMP_NUM_THREADS, or one per core.") var threads = 0

    @OptionGroup var inputShapes: InputShapeOptions

    @Option(name: [.short, .long], help: "The packed file to write.", completion: .file(extensions: ["multipoint"]))
    var output: String

    @Flag(help: "Print JSON.") var json = false

    @Option(
        help: """
            How progress shows on standard error. auto: one changing line, if that is a terminal. lines: a line of its own for every \
            change, such as "calibrating 25 %", for programs that read them.
            """)
    var progress: ProgressStyle = .auto

    func validate() throws {
        if let stranger = strangers.first {
            throw ValidationError("\(stranger) does not go with --method \(chosenMethod.rawValue)")
        }
        if [budget != nil, size != nil, maxDrop != nil].count(where: { $0 }) > 1 {
            throw ValidationError("of --budget, --size and --max-drop at most one is expected")
        }
        if layersOnly { try validateLayersOnly() }
        if chosenMethod != .float && !layersOnly && calibration.isEmpty {
            throw ValidationError("Missing expected argument '--calibration <calibration>'")
        }
        if allLayers, firstBits != nil || lastBits != nil {
            throw ValidationError("--all-layers leaves nothing for --first-bits and --last-bits")
        }
        if let limit, limit < 1 { throw ValidationError("--limit \(limit): at least 1 expected") }
        do { try options.validate() } catch { throw ValidationError(error.description) }
    }

    private func validateLayersOnly() throws {
        guard [.greedy, .nearest, .w8a8, .subset].contains(chosenMethod) else {
            throw ValidationError("--layers-only does not go with --method \(chosenMethod.rawValue), which runs the network")
        }
        let strangers = [
            ("--calibration", !calibration.isEmpty), ("--first-bits", firstBits != nil), ("--last-bits", lastBits != nil),
            ("--record", record),
        ]
        if let stranger = strangers.first(where: \.1)?.0 { throw ValidationError("\(stranger) does not go with --layers-only") }
    }

    /// Options that belong to some of the methods and are given.
    private var givenOptions: [(name: String, methods: [Method])] {
        let all: [(String, Bool, [Method])] = [
            ("--budget", budget != nil, [.ladder]), ("--size", size != nil, [.ladder]), ("--max-drop", maxDrop != nil, [.ladder]),
            ("--ladder", ladder != nil, [.ladder]), ("--sequential", sequential != nil, [.ladder, .single]),
            ("--bits", bits != nil, [.greedy, .single, .nearest, .subset]),
            ("--first-bits", firstBits != nil, [.greedy, .nearest, .subset]),
            ("--last-bits", lastBits != nil, [.greedy, .nearest, .subset]),
            ("--channel-scales", channelScales != nil, [.nearest]), ("--all-layers", allLayers, [.subset]),
            ("--codebook", codebook != nil, [.ladder, .greedy]), ("--epsilon", epsilon != nil, [.greedy]),
            ("--relative-epsilon", relativeEpsilon != nil, [.greedy]), ("--max-points", maxPoints != nil, [.greedy]),
        ]
        return all.filter(\.1).map { ($0.0, $0.2) }
    }

    /// The ladder, unless options ask for greedy points.
    var chosenMethod: Method {
        method ?? (layersOnly || !givenOptions.isEmpty && givenOptions.allSatisfy { $0.methods.contains(.greedy) } ? .greedy : .ladder)
    }

    /// Options that the method has no use for. `float` ignores them all.
    private var strangers: [String] {
        chosenMethod == .float ? [] : givenOptions.filter { !$0.methods.contains(chosenMethod) }.map(\.name)
    }

    var options: QuantizationOptions {
        var options = QuantizationOptions()
        switch chosenMethod {
        case .ladder:
            options.method = .ladder(maxDrop.map { .drop($0) } ?? .bitsPerWeight(budget ?? 4.25))
            options.ladderFamily = codebook?.ladderFamily
            options.foldsLadder = ladder != .free
        case .single: options.method = .single(bits: bits ?? options.bits)
        case .greedy: break
        case .nearest:
            let bits = bits ?? options.bits
            options.method = .nearest(
                bits: bits, scale: channelScales?.scale ?? .meanSquaredError,
                ends: firstBits == nil && lastBits == nil ? nil : .init(first: firstBits ?? bits, last: lastBits ?? bits))
        case .w8a8: options.method = .w8a8
        case .subset:
            options.method = .subset(
                bits: bits ?? options.bits, ends: allLayers ? nil : .init(first: firstBits ?? 8, last: lastBits ?? 8))
        case .float: options.keepsFloat = true
        }
        options.bits = chosenMethod == .greedy ? bits ?? options.bits : options.bits
        options.firstBits = firstBits ?? options.firstBits
        options.lastBits = lastBits ?? options.lastBits
        options.codebook = chosenMethod == .greedy ? codebook?.family : nil
        switch sequential {
        case .automatic, nil: options.sequence = .automatic
        case .always: options.sequence = .always
        case .never: options.sequence = .never
        }
        options.epsilon = epsilon ?? options.epsilon
        options.relativeEpsilon = relativeEpsilon ?? (options.epsilon > 0 ? 0 : options.relativeEpsilon)
        options.maximumPoints = maxPoints ?? options.maximumPoints
        options.activations = activations.choice
        options.correctsBias = biasCorrection
        options.threads = threads
        options.measuresCurves = record
        return options
    }

    /// The options, with a file size turned into what is left of it for the layers that are packed.
    private func options(for network: Network) throws -> QuantizationOptions {
        var options = options
        options.floatLayers = try floatLayers.layers(among: network.layerOrder)
        guard let size else { return options }
        let packed = packableLayers(network).subtracting(options.floatLayers)
        let overhead = try PackedFile.overhead(of: network, packing: packed, producer: producer)
        guard size.bytes > overhead else {
            throw CommandError("--size \(size.bytes) bytes: the file takes about \(overhead) bytes without any weights")
        }
        options.method = .ladder(.bytes(size.bytes - overhead))
        return options
    }

    private var producer: String { "multipoint \(MultipointCommand.version)" }

    /// Of the size asked for at most: how long the header gets is known only then, so a file that came out larger is made again with
    /// so much less for its layers.
    private func file(of network: Network, _ images: NetworkInputs, _ progress: ProgressLine) throws -> PackedFile {
        var options = try options(for: network)
        var excess = 0
        for _ in 0..<4 {
            let result = try quantize(network, calibration: images, options: options, linearAlgebra: .openBLAS) { stage, fraction in
                progress.show("\(stage)", fraction)
                return true
            }
            let file = PackedFile(result, method: options.method)
            guard let size, case .ladder(.bytes(let bytes)) = options.method else { return file }
            excess = try file.encoded().count - size.bytes
            if excess <= 0 { return file }
            options.method = .ladder(.bytes(max(1, bytes - excess - 64)))
        }
        throw CommandError("--size \(size?.bytes ?? 0) bytes: the file came out \(excess) bytes larger")
    }

    /// The layers of a model whose other nodes may be anything.
    private func layersFile(_ progress: ProgressLine) throws -> PackedFile {
        let found = try readLayers(path: model)
        for other in found.others { progress.note("left as it is: \(other.reason)") }
        guard !found.layers.isEmpty else {
            throw CommandError("`\(model)` has no Conv, Gemm or MatMul with constant weights that can be packed")
        }
        let all = found.layers.map(\.layer)
        var options = options
        options.floatLayers = try floatLayers.layers(among: all.map(\.name))
        let (layers, reports) = try quantizeLayers(all, options: options) {
            progress.show("packing", $0)
            return true
        }
        return PackedFile(
            name: model.split(separator: "/").last.map(String.init) ?? "", producer: producer, layers: layers,
            relativeOutputErrors: Dictionary(
                reports.filter { $0.codebook != nil }.map { ($0.name, $0.relativeOutputError) },
                uniquingKeysWith: { first, _ in first }))
    }

    private func networkFile(_ progress: ProgressLine) throws -> PackedFile {
        let network = try ModelFile.readNetwork(onnx: model, inputShapes)
        var images = NetworkInputs(network)
        if !calibration.isEmpty {
            images = try NetworkInputs(network, paths: calibration, preprocessing.preprocessing)
            if let limit { images.limit(to: limit) }
        }
        return try file(of: network, images, progress)
    }

    func run() throws {
        try requireWritable(output, apartFrom: calibration + [model])
        let progress = ProgressLine(self.progress)
        let file = try layersOnly ? layersFile(progress) : networkFile(progress)
        progress.clear()
        try file.write(to: output)
        let summary = ModelSummary(file, path: output, byteCount: try byteCount(ofFile: output))
        print(json ? try jsonText(summary) : summary.text)
    }
}
