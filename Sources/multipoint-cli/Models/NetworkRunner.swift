import MultipointGraph
import MultipointRuntime
import NumPyArrays

/// Runs a network over all of its inputs, batch by batch.
struct NetworkRunner {
    private let network: Network
    private let inputs: NetworkInputs
    private let batch: Int
    private let session: Session
    private var duration = Duration.zero

    init(_ network: Network, _ inputs: NetworkInputs, maximumBatch: Int, threads: Int) throws {
        self.network = network
        self.inputs = inputs
        batch = network.hasFixedBatch ? 1 : max(1, min(maximumBatch, inputs.sampleCount))
        session = try Session(network: network, maximumBatch: batch, threads: threads)
    }

    var imageCount: Int { inputs.imageCount }

    private var batches: [Range<Int>] {
        stride(from: 0, to: inputs.sampleCount, by: batch).map { $0..<min($0 + batch, inputs.sampleCount) }
    }

    /// Runs the first batch and the last, which may be smaller, so that everything is compiled.
    func warmUp() throws {
        for samples in [batches.first, batches.last].compactMap(\.self) {
            _ = try session.run(inputs.batch(samples), batch: samples.count)
        }
    }

    /// - Parameters:
    ///   - progress: is told the fraction done.
    ///   - body: gets every output of a batch.
    mutating func forEachBatch(progress: (Double) -> Void, _ body: ([[Float]]) -> Void) throws {
        for samples in batches {
            let arrays = try inputs.batch(samples)
            let start = ContinuousClock.now
            let outputs = try session.run(arrays, batch: samples.count)
            duration += ContinuousClock.now - start
            body(outputs)
            progress(Double(samples.upperBound) / Double(inputs.sampleCount))
        }
    }

    /// - Parameter progress: is told the fraction done.
    /// - Returns: every output, all batches one after the other.
    mutating func run(progress: (Double) -> Void) throws -> [NPYArray] {
        var results = [[Float]](repeating: [], count: network.outputs.count)
        try forEachBatch(progress: progress) { outputs in
            for (index, output) in outputs.enumerated() { results[index] += output }
        }
        let shapes = try network.shapes(batch: 1)
        return zip(network.outputs, results).map { output, values in
            var shape = shapes[output.name] ?? []
            // Outputs grow with the batch along their first dimension; a scalar per batch becomes a vector.
            shape = [(shape.first ?? 1) * inputs.sampleCount] + shape.dropFirst()
            return NPYArray(shape: shape, elements: .float32(values))
        }
    }

    /// Spent in the network by `run` so far, without reading and preparing images.
    var milliseconds: Double { duration / .milliseconds(1) }
}
