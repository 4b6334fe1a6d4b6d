import DNNL
import MultipointGraph
import MultipointQuantization
import MultipointRuntime

/// What `quantize` is doing.
public enum QuantizationStage: String, Sendable, CustomStringConvertible {
    /// Running the float network.
    case calibrating
    /// Measuring how much the network's output changes with the range of each activation.
    case choosingRanges = "choosing ranges"
    case packing
    /// Measuring how much the network's output changes with each layer.
    case probing
    /// Rounding the layers for the inputs that the packed layers before them give.
    case rounding
    /// Looking for the least budget.
    case searching
    /// Measuring what quantization changes in the means of the layers' results.
    case correctingBiases = "correcting biases"

    public var description: String { rawValue }
}

/// Packs the layers of a float network: runs it on sample inputs, learns the ranges of the values that layers read and the second
/// moments of their patches, chooses what range of each value 8 bits cover, rounds the weights as `options` say, and lets the layers'
/// biases take up the mean of what all that changes.
///
/// Layers with more than `PackedWeights.maximumRowLength` weights in a channel, layers that no node uses and those that `options`
/// names stay in float.
/// - Parameters:
///   - network: has only float layers.
///   - linearAlgebra: for output-aware rounding.
///   - statistics: filled by the first call that gets it, and used instead of calibrating by the next ones.
///   - progress: called now and then with the stage and its fraction done; false cancels.
/// - Throws: `QuantizationError`, or what the float network or `calibration` throws.
public func quantize(
    _ network: Network, calibration: some CalibrationInputs, options: QuantizationOptions = QuantizationOptions(),
    linearAlgebra: LinearAlgebra = .plain, statistics: CalibrationStatistics? = nil,
    progress: (QuantizationStage, Double) -> Bool = { _, _ in true }
) throws -> QuantizedNetwork {
    try options.validate()
    for layer in network.layers.values {
        try layer.validate()
        if layer.isPacked { throw QuantizationError("layer `\(layer.name)` is packed already") }
    }
    try options.requireFloatLayers(among: network.layerOrder)
    if options.keepsFloat {
        return QuantizedNetwork(network: network, reports: network.layerOrder.map(LayerReport.float))
    }
    guard calibration.sampleCount > 0 else { throw QuantizationError("calibration: at least one sample is expected, found none") }
    let threads = try resolvedThreads(options.threads)
    try requireThreads(threads)
    return try Threads.with(threads) {
        var quantization = try NetworkQuantization(network, calibration, options, linearAlgebra, threads: threads)
        return try quantization.run(statistics, progress)
    }
}

/// The layers that `quantize` packs: those that a node uses and whose sums fit 32 bits.
public func packableLayers(_ network: Network) -> Set<String> {
    let uses = LayerUses(network)
    return Set(network.layerOrder.filter {
        uses.inputs[$0] != nil && (network.layers[$0]?.rowLength ?? .max) <= PackedWeights.maximumRowLength
    })
}

/// The state of one call of `quantize`.
struct NetworkQuantization<Inputs: CalibrationInputs> {
    let network: Network
    let calibration: Inputs
    let options: QuantizationOptions
    let linearAlgebra: LinearAlgebra
    let threads: Int
    let uses: LayerUses
    let shapes: [String: [Int]]
    /// Layers to pack, in the order of the network.
    let names: [String]
    var histograms: [String: ActivationHistogram] = [:]
    /// What 8 bits cover of each value.
    var ranges: [String: ActivationRange] = [:]
    var packings: [String: Packing] = [:]
    /// Biases that take up the mean of what rounding changes.
    var biases: [String: [Float]] = [:]
    /// Layers rounded at several widths, of which `allocate` chooses; empty for the greedy method.
    var rounded: [String: RoundedLayer] = [:]
    var curves: [String: ErrorCurves] = [:]

    init(
        _ network: Network, _ calibration: Inputs, _ options: QuantizationOptions, _ linearAlgebra: LinearAlgebra, threads: Int
    ) throws {
        self.network = network
        self.calibration = calibration
        self.options = options
        self.linearAlgebra = linearAlgebra
        self.threads = threads
        let uses = LayerUses(network)
        self.uses = uses
        shapes = try network.shapes(batch: 1)
        let packed = packableLayers(network).subtracting(options.floatLayers)
        names = network.layerOrder.filter(packed.contains)
    }

    mutating func run(
        _ statistics: CalibrationStatistics?, _ progress: (QuantizationStage, Double) -> Bool
    ) throws -> QuantizedNetwork {
        if let statistics, Set(statistics.moments.keys) == Set(names) {
            histograms = statistics.histograms
            for name in names {
                if let layer = network.layers[name], let moment = statistics.moments[name] { try take(layer, moment, progress) }
            }
        } else {
            try calibrate(statistics, progress)
        }
        ranges = try ActivationChoice(activations: options.activations).ranges(
            histograms, probe: { try activationProbe() }, progress: { progress(.choosingRanges, $0) })
        try packRounded(progress)
        return try result { progress(.correctingBiases, $0) }
    }

    private func activationProbe() throws -> ActivationProbe {
        try ActivationProbe(
            network, calibration, results: LayerResults(network, shapes: shapes).values.values.flatMap(\.self),
            maximumSamples: options.maximumProbes, threads: threads)
    }

    /// Without the mean where no bias takes it up: errors then count in full.
    func used(_ moment: SecondMoment) -> SecondMoment { options.correctsBias ? moment : moment.withoutMean }

    private mutating func calibrate(
        _ statistics: CalibrationStatistics?, _ progress: (QuantizationStage, Double) -> Bool
    ) throws {
        let start = ContinuousClock.now
        let calibrationRun = CalibrationRun(network: network, shapes: shapes, uses: uses, threads: threads)
        let groups = try layerGroups(calibrationRun)
        let ranged = LayerResults(network, shapes: shapes).storedValues(uses, layers: names)
        let energies = ChannelEnergies(network, shapes: shapes)
        for value in ranged {
            histograms[value] = ActivationHistogram(energies: energies[value], run: energies.channels(value).run)
        }
        for (index, group) in groups.enumerated() {
            var accumulators: [String: SecondMomentAccumulator] = [:]
            for (layer, patches) in group {
                accumulators[layer.name] = try SecondMomentAccumulator(
                    layer: layer, expectedPositions: calibrationRun.positions(layer, samples: calibration.sampleCount),
                    maximumPatches: patches, matrixMultiply: multiply)
            }
            try calibrationRun.run(
                calibration, accumulators: &accumulators, ranges: &histograms, ranged: index == 0 ? ranged : []
            ) { progress(.calibrating, (Double(index) + $0) / Double(groups.count)) }
            if groups.count == 1 {
                statistics?.duration = ContinuousClock.now - start
            }
            for (layer, _) in group {
                // Taken out of the dictionary, so that the moments of packed layers are freed one by one.
                guard var accumulator = accumulators.removeValue(forKey: layer.name) else { continue }
                let moment = try accumulator.finish()
                if groups.count == 1 { statistics?.moments[layer.name] = moment }
                try take(layer, moment, progress)
            }
        }
        if groups.count == 1 { statistics?.histograms = histograms }
    }

    /// Rounds or packs a layer, whose inputs are known now.
    private mutating func take(
        _ layer: Layer, _ measured: SecondMoment, _ progress: (QuantizationStage, Double) -> Bool
    ) throws {
        let moment = used(measured)
        if let found = try roundedLayer(layer, moment) {
            rounded[layer.name] = found
        } else {
            packings[layer.name] = try pack(layer, moment)
        }
        if options.measuresCurves {
            do {
                curves[layer.name] = try ErrorCurves(layer, moment, rounded: rounded[layer.name], multiply, threads: threads)
            } catch {
                throw QuantizationError("layer `\(layer.name)`: \(error)", kind: error.kind)
            }
        }
        let done = packings.count + rounded.count
        guard progress(.packing, Double(done) / Double(names.count)) else { throw QuantizationError.cancelled }
    }

    func multiply(_ product: MatrixProduct) throws {
        try BlockedProduct.multiply(product, threads: threads)
    }

    /// Layers whose second moments fit the budget together, with the number of patches for each. A layer that exceeds it alone
    /// keeps as many patches as fit instead of their moment.
    private func layerGroups(_ run: CalibrationRun) throws -> [[(layer: Layer, patches: Int)]] {
        var groups: [[(layer: Layer, patches: Int)]] = []
        var room = 0
        for name in names {
            guard let layer = network.layers[name] else { continue }
            let positions = try run.positions(layer, samples: calibration.sampleCount)
            var patches = options.maximumPatches
            func bytes() -> Int {
                SecondMomentAccumulator.byteCount(layer: layer, expectedPositions: positions, maximumPatches: patches)
            }
            if bytes() > options.momentBytes {
                patches = max(1, min(patches, layer.rowLength - 1, options.momentBytes / (4 * layer.group * layer.rowLength)))
            }
            if groups.isEmpty || bytes() > room {
                groups.append([])
                room = options.momentBytes
            }
            groups[groups.count - 1].append((layer, patches))
            room -= min(room, bytes())
        }
        return groups
    }

    private func pack(_ layer: Layer, _ moment: SecondMoment) throws(QuantizationError) -> Packing {
        guard case .float(let weights) = layer.weights else { throw QuantizationError("layer `\(layer.name)` is packed already") }
        var packing = options.packing(uses.position(layer.name))
        packing.threads = threads
        do {
            if let baseline = try options.method.baseline(uses.position(layer.name)) {
                return try baseline.pack(layer, moment, multiply, threads: threads)
            }
            return try packWeights(
                matrix: weights, channels: layer.channels, rowLength: layer.rowLength, options: packing, secondMoment: moment,
                matrixMultiply: multiply)
        } catch {
            throw QuantizationError("layer `\(layer.name)`: \(error)", kind: error.kind)
        }
    }

    /// What the packings make, with corrected biases.
    func result(_ progress: (Double) -> Bool) throws -> QuantizedNetwork {
        var result = result()
        if options.correctsBias {
            try BiasCorrection(original: network, calibration: calibration, names: names, shapes: shapes, threads: threads)
                .correct(&result.network, progress: progress)
        }
        return result
    }

    func result() -> QuantizedNetwork {
        var result = network
        for (value, range) in ranges { result.quantization[value] = range.quantization }
        let outputs = LayerResults(network, shapes: shapes)
        for (name, packing) in packings {
            result.layers[name]?.weights = .packed(packing.weights)
            if let bias = biases[name] { result.layers[name]?.bias = bias }
            result.layers[name]?.inputQuantization = inputQuantization(name)
        }
        let read = Set(names.flatMap { uses.inputs[$0] ?? [] })
        for (name, values) in outputs.values where values.allSatisfy(read.contains) {
            let wanted = Set(values.map { ranges[$0]?.quantization })
            if wanted.count == 1, let quantization = wanted.first { result.layers[name]?.outputQuantization = quantization }
        }
        return QuantizedNetwork(network: result, reports: network.layerOrder.map(report))
    }

    /// Nodes that share a layer share its quantization: their ranges are joined.
    private func inputQuantization(_ layer: String) -> AffineQuantization {
        var range = ActivationRange()
        for value in uses.inputs[layer] ?? [] { range.formUnion(ranges[value] ?? ActivationRange()) }
        return range.quantization
    }

    private func report(_ name: String) -> LayerReport {
        var report = packings[name].map { LayerReport(name: name, packing: $0) } ?? .float(name)
        report.curves = curves[name]
        return report
    }
}
