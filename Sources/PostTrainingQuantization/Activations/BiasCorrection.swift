import MultipointGraph
import MultipointQuantization
import MultipointRuntime

/// Makes up for the mean of what quantization changes in a layer's results: its own weights and inputs, and those of all layers
/// before it. Per channel the difference between the float network's mean result and the packed network's goes into the bias
/// (Nagel, van Baalen, Blankevoort, Welling: "Data-Free Quantization through Weight Equalization and Bias Correction",
/// arXiv 1906.04721, section 4.2, with samples). Layers are corrected in their order, each behind corrected ones.
///
/// The result is what the next layer reads, behind a residual addition and a rectifier: what a rectifier cuts off is no error. A
/// change of the bias moves only the part of the results that is not cut off, so the difference is divided by that part.
struct BiasCorrection<Inputs: CalibrationInputs> {
    let original: Network
    let calibration: Inputs
    /// In the order of the network.
    let names: [String]
    /// For a batch of one.
    let shapes: [String: [Int]]
    let threads: Int

    private static var largestBatch: Int { 32 }
    /// Float bytes of results that a batch may have.
    private static var batchBytes: Int { 256 << 20 }
    /// A part of the results that is cut off less than this says too little.
    private static var leastPart: Double { 0.1 }

    /// - Parameter progress: called with the fraction done; false cancels.
    func correct(_ packed: inout Network, progress: (Double) -> Bool) throws {
        let results = results
        let expected = try means(original, results)
        for (index, name) in names.enumerated() {
            let own = results.filter { $0.layer == name }
            guard let wanted = expected[name], let found = try means(packed, own)[name], let layer = packed.layers[name] else {
                continue
            }
            let bias = layer.bias ?? [Float](repeating: 0, count: layer.channels)
            let corrected = bias.indices.map { c in
                Float(Double(bias[c]) + (wanted.values[c] - found.values[c]) / max(Self.leastPart, wanted.moving[c]))
            }
            if corrected.allSatisfy(\.isFinite) { packed.layers[name]?.bias = corrected }
            guard progress(Double(index + 1) / Double(names.count)) else { throw QuantizationError.cancelled }
        }
    }

    /// What is compared: the value that holds a layer's result, or where an activation bends it otherwise than a rectifier does, the
    /// layer's own output.
    private struct Result {
        var layer: String
        var value: String
        /// The results that are not cut off.
        var limits: ClosedRange<Float>?
    }

    private var results: [Result] {
        let all = LayerResults(original, shapes: shapes)
        let producers = Dictionary(original.nodes.map { ($0.output, $0.operation) }) { first, _ in first }
        var own: [String: [String]] = [:]
        for node in original.nodes { if case .layer(let name) = node.operation { own[name, default: []].append(node.output) } }
        return names.flatMap { name -> [Result] in
            let values = all.values[name] ?? []
            let results = values.compactMap { value -> Result? in
                switch producers[value] {
                case .elementwise(.relu): Result(layer: name, value: value, limits: Float.leastNonzeroMagnitude...Float.infinity)
                case .elementwise(.clip(let low, let high)) where low < high:
                    Result(layer: name, value: value, limits: low.nextUp...max(low.nextUp, high.nextDown))
                case .layer, .binary(.add): Result(layer: name, value: value)
                default: nil
                }
            }
            return results.count == values.count ? results : (own[name] ?? []).map { Result(layer: name, value: $0) }
        }
    }

    private func means(_ network: Network, _ results: [Result]) throws -> [String: ResultMeans] {
        let values = results.map(\.value)
        let bytes = values.reduce(4) { $0 + 4 * (elementCount(of: shapes[$1] ?? []) ?? 0) }
        let batch = network.hasFixedBatch ? 1 : max(1, min(Self.largestBatch, calibration.sampleCount, Self.batchBytes / bytes))
        let session = try Session(network: network.computing(values), maximumBatch: batch, threads: threads, outputs: values)
        var means: [String: ResultMeans] = [:]
        for start in stride(from: 0, to: calibration.sampleCount, by: batch) {
            let samples = start..<min(start + batch, calibration.sampleCount)
            let outputs = try session.run(calibration.batch(samples), batch: samples.count)
            for (result, output) in zip(results, outputs) {
                guard let layer = network.layers[result.layer] else { continue }
                let run = layer.operation == .gemm ? 1 : (shapes[result.value] ?? []).dropFirst(2).reduce(1, *)
                means[result.layer, default: ResultMeans(channels: layer.channels)].add(output, run: max(1, run), limits: result.limits)
            }
        }
        return means.mapValues(\.divided)
    }
}

/// Per channel, over samples and places.
private struct ResultMeans {
    var values: [Double]
    /// The part of the results that follows the bias.
    var moving: [Double]
    private var count = 0

    init(channels: Int) {
        values = [Double](repeating: 0, count: channels)
        moving = values
    }

    mutating func add(_ all: [Float], run: Int, limits: ClosedRange<Float>?) {
        let channels = values.count
        all.withUnsafeBufferPointer { all in
            var channel = 0
            for start in stride(from: 0, to: all.count, by: run) {
                var (sum, inside) = (0.0, 0)
                for value in all[start..<min(start + run, all.count)] {
                    sum += Double(value)
                    if limits?.contains(value) != false { inside += 1 }
                }
                values[channel] += sum
                moving[channel] += Double(inside)
                channel = channel + 1 == channels ? 0 : channel + 1
            }
        }
        count += all.count / max(1, channels)
    }

    var divided: ResultMeans {
        var result = self
        let count = Double(max(1, count))
        (result.values, result.moving) = (values.map { $0 / count }, moving.map { $0 / count })
        return result
    }
}
