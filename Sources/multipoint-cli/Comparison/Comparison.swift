import MultipointFormat
import MultipointGraph
import NumPyArrays
import PostTrainingQuantization

/// Packs one network by several methods and compares what comes out with the float network.
struct Comparison {
    let network: Network
    let calibration: NetworkInputs
    let images: NetworkInputs
    let labels: Labels?
    /// Layers that no method packs.
    let floatLayers: Set<String>
    let execution: ExecutionOptions
    private let statistics = CalibrationStatistics()
    /// The float network's outputs.
    private let reference: [NPYArray]
    private let referenceLogits: Logits?
    private let model: String

    /// Runs the float network.
    init(
        _ network: Network, model: String, calibration: NetworkInputs, images: NetworkInputs, labels: Labels?,
        floatLayers: Set<String>, execution: ExecutionOptions, progress: (String, Double) -> Void
    ) throws {
        (self.network, self.model) = (network, model)
        (self.calibration, self.images, self.labels, self.execution) = (calibration, images, labels, execution)
        self.floatLayers = floatLayers
        var runner = try NetworkRunner(network, images, maximumBatch: execution.batch, threads: execution.threads)
        reference = try runner.run { progress("float: running", $0) }
        referenceLogits = try labels == nil ? nil : Logits(reference.first, model: model)
    }

    var calibrationSeconds: Double { statistics.duration / .seconds(1) }

    func floatRow() throws -> ComparisonRow {
        var row = ComparisonRow(method: "float")
        row.fileBytes = try PackedFile(QuantizedNetwork(network: network, reports: []), method: .greedy).encoded().count
        try addClasses(referenceLogits, to: &row)
        return row
    }

    /// - Throws: what `quantize` and the runtime throw.
    func row(_ entry: ComparisonEntry, progress: (String, Double) -> Void) throws -> ComparisonRow {
        guard var options = entry.options else { return try floatRow() }
        options.threads = execution.threads
        options.floatLayers = floatLayers
        let (start, before) = (ContinuousClock.now, statistics.duration)
        let result = try quantize(
            network, calibration: calibration, options: options, linearAlgebra: .openBLAS, statistics: statistics
        ) { stage, fraction in
            progress("\(entry.text): \(stage)", fraction)
            return true
        }
        let seconds = (ContinuousClock.now - start - (statistics.duration - before)) / .seconds(1)
        var row = ComparisonRow(method: entry.text)
        row.seconds = seconds
        let file = PackedFile(result, method: options.method)
        addSize(file, to: &row)
        row.fileBytes = try file.encoded().count
        let logits = try run(result.network, &row.outputs) { progress("\(entry.text): running", $0 / 2) }
        _ = try run(result.network.unpacked, &row.weightsOnly) { progress("\(entry.text): running", 0.5 + $0 / 2) }
        try addClasses(logits, to: &row)
        return row
    }

    private func addSize(_ file: PackedFile, to row: inout ComparisonRow) {
        var (bits, weights) = (0.0, 0)
        for layer in file.layers {
            guard case .packed(let packed) = layer.weights, let count = elementCount(of: layer.shape) else { continue }
            bits += layer.bitsPerWeight * Double(count)
            weights += count
            guard let width = packed.levels.first?.bits else { continue }
            row.baseBits = min(row.baseBits?.lowerBound ?? width, width)...max(row.baseBits?.upperBound ?? width, width)
        }
        row.bitsPerWeight = weights > 0 ? bits / Double(weights) : nil
    }

    /// Runs a network over all images. Of its outputs only the differences are kept, and the logits where there are classes.
    private func run(
        _ network: Network, _ differences: inout [OutputDifference], progress: (Double) -> Void
    ) throws -> Logits? {
        var runner = try NetworkRunner(network, images, maximumBatch: execution.batch, threads: execution.threads)
        var found = self.network.outputs.map { OutputDifference(output: $0.name) }
        var first: [Float] = []
        let expected = reference.map(\.floats)
        var places = [Int](repeating: 0, count: expected.count)
        try runner.forEachBatch(progress: progress) { outputs in
            for (index, values) in outputs.enumerated() {
                found[index].add(values, expected[index][places[index]..<places[index] + values.count])
                places[index] += values.count
            }
            if referenceLogits != nil { first += outputs.first ?? [] }
        }
        differences = found
        guard referenceLogits != nil, let shape = reference.first?.shape else { return nil }
        return try Logits(NPYArray(shape: shape, elements: .float32(first)), model: model)
    }

    private func addClasses(_ logits: Logits?, to row: inout ComparisonRow) throws {
        guard let logits, let labels, let referenceLogits else { return }
        let result = try EvaluationResult(model: model, logits, labels, reference: referenceLogits, milliseconds: 0)
        (row.top1, row.top5) = (result.top1, result.top5)
        if row.method != "float" { row.agreement = result.agreement }
    }
}
