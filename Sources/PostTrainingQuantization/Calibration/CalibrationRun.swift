import DNNL
import MultipointGraph
import MultipointQuantization
import MultipointRuntime

/// One pass of the float network over the calibration inputs that looks at the values that layers read.
struct CalibrationRun {
    let network: Network
    /// For a batch of one.
    let shapes: [String: [Int]]
    let uses: LayerUses
    let threads: Int

    /// Float bytes of looked-at values that a batch may have.
    private static var batchBytes: Int { 256 << 20 }
    private static var largestBatch: Int { 32 }

    /// Output positions of a layer over all samples.
    func positions(_ layer: Layer, samples: Int) throws(QuantizationError) -> Int {
        var positions = 0
        for value in uses.inputs[layer.name] ?? [] {
            positions += try PatchGeometry(layer, inputShape: shape(value)).positions
        }
        let (total, overflow) = positions.multipliedReportingOverflow(by: samples)
        return overflow ? Int.max : total
    }

    private func shape(_ value: String) -> [Int] { shapes[value] ?? [] }

    /// Feeds the accumulators of `layers` and, if wanted, counts the values of `ranged`.
    /// - Parameters:
    ///   - accumulators: keyed by layer.
    ///   - progress: called with the fraction done after every batch; false cancels.
    func run(
        _ inputs: some CalibrationInputs, accumulators: inout [String: SecondMomentAccumulator],
        ranges: inout [String: ActivationHistogram], ranged: [String], progress: (Double) -> Bool
    ) throws {
        let values = Array(Set(ranged + accumulators.keys.flatMap { uses.inputs[$0] ?? [] })).sorted()
        let provided = Set(network.inputs.map(\.name))
        let computed = values.filter { !provided.contains($0) }
        let batch = batchSize(values, samples: inputs.sampleCount)
        let session = computed.isEmpty
            ? nil
            : try Session(network: network.computing(computed), maximumBatch: batch, threads: threads, outputs: computed)
        for start in stride(from: 0, to: inputs.sampleCount, by: batch) {
            let samples = start..<min(start + batch, inputs.sampleCount)
            let arrays = try inputs.batch(samples)
            try check(arrays, samples)
            var activations = Dictionary(zip(network.inputs.map(\.name), arrays)) { first, _ in first }
            if let session {
                activations.merge(zip(computed, try session.run(arrays, batch: samples.count))) { _, new in new }
            }
            try include(activations, of: ranged, in: &ranges)
            try accumulate(activations, batch: samples.count, &accumulators)
            guard progress(Double(samples.upperBound) / Double(inputs.sampleCount)) else { throw QuantizationError.cancelled }
        }
    }

    /// Bounds the memory of the looked-at values. A network with a fixed batch takes one sample at a time.
    private func batchSize(_ values: [String], samples: Int) -> Int {
        if network.hasFixedBatch { return 1 }
        let bytes = values.reduce(4) { $0 + 4 * (elementCount(of: shape($1)) ?? 0) }
        return max(1, min(CalibrationRun.largestBatch, samples, CalibrationRun.batchBytes / bytes))
    }

    /// Samples are where numbers enter that nobody has looked at.
    private func check(_ arrays: [[Float]], _ samples: Range<Int>) throws(QuantizationError) {
        guard arrays.count == network.inputs.count else {
            throw QuantizationError("calibration: \(network.inputs.count) inputs expected, found \(arrays.count)")
        }
        for (input, values) in zip(network.inputs, arrays) {
            let shape = input.shape(batch: samples.count)
            guard elementCount(of: shape) == values.count, let size = elementCount(of: input.shape(batch: 1)), size > 0 else {
                throw QuantizationError("calibration: \(values.count) values of input `\(input.name)` do not make up shape \(shape)")
            }
            if let index = values.firstIndex(where: { !$0.isFinite }) {
                throw QuantizationError(
                    "calibration sample \(samples.lowerBound + index / size): element \(index % size) of input `\(input.name)` is \(values[index]); finite numbers are expected")
            }
        }
    }

    private func include(
        _ activations: [String: [Float]], of names: [String], in ranges: inout [String: ActivationHistogram]
    ) throws(QuantizationError) {
        for name in names {
            guard let values = activations[name] else { continue }
            do throws(QuantizationError) {
                try values.withUnsafeBufferPointer { (values) throws(QuantizationError) in
                    try ranges[name, default: ActivationHistogram()].include(values)
                }
            } catch {
                throw QuantizationError("value `\(name)`: \(error)", kind: error.kind)
            }
        }
    }

    private func accumulate(
        _ activations: [String: [Float]], batch: Int, _ accumulators: inout [String: SecondMomentAccumulator]
    ) throws {
        let shapes = network.hasFixedBatch ? shapes : try network.shapes(batch: batch)
        for (layer, values) in uses.inputs where accumulators[layer] != nil {
            for value in values {
                guard let activation = activations[value], let shape = shapes[value] else { continue }
                try activation.withUnsafeBufferPointer { try accumulators[layer]?.add($0, shape: shape) }
            }
        }
    }
}

extension QuantizationError {
    static var cancelled: QuantizationError { QuantizationError("cancelled by the caller", kind: .cancelled) }
}

extension Network {
    /// The part of the network that some of its values need.
    func computing(_ values: [String]) -> Network {
        var needed = Set(values)
        var result = self
        result.nodes = []
        for node in nodes.reversed() where needed.contains(node.output) {
            result.nodes.append(node)
            needed.formUnion(node.inputs)
        }
        result.nodes.reverse()
        result.outputs = values.map { value in outputs.first { $0.name == value } ?? ValueInfo(name: value, shape: []) }
        let layers = Set(
            result.nodes.compactMap { if case .layer(let name) = $0.operation { name } else { nil } })
        result.layers = self.layers.filter { layers.contains($0.key) }
        result.layerOrder = layerOrder.filter(layers.contains)
        return result
    }
}
