import MultipointGraph
import MultipointRuntime
import MultipointQuantization

/// How often a network finds the same as another one on the calibration samples: for every place of every output, whether the channel
/// (dimension 1) with the largest value is the same. A classifier has one place a sample, a segmentation network one a pixel.
struct OutputAgreement<Inputs: CalibrationInputs> {
    private let calibration: Inputs
    private let threads: Int
    private let batch: Int
    /// For every batch and output: the channel at every place.
    private var expected: [[[Int]]] = []

    /// - Throws: `QuantizationError` if an output has no channels to compare.
    init(_ network: Network, _ calibration: Inputs, threads: Int) throws {
        for output in network.outputs {
            let shape = try network.shapes(batch: 1)[output.name] ?? []
            guard shape.count >= 2, shape[1] >= 2 else {
                throw QuantizationError(
                    "drop: output `\(output.name)` has the shape \(shape); agreement compares the largest of at least two channels in dimension 1")
            }
        }
        (self.calibration, self.threads) = (calibration, threads)
        batch = network.hasFixedBatch ? 1 : max(1, min(32, calibration.sampleCount))
        expected = try choices(network)
    }

    /// From 0 to 1.
    func measure(_ network: Network) throws -> Double {
        var (same, all) = (0, 0)
        for (found, expected) in zip(try choices(network), expected) {
            for (found, expected) in zip(found, expected) {
                same += zip(found, expected).count { $0 == $1 }
                all += expected.count
            }
        }
        return all > 0 ? Double(same) / Double(all) : 1
    }

    private func choices(_ network: Network) throws -> [[[Int]]] {
        let session = try Session(network: network, maximumBatch: batch, threads: threads)
        return try stride(from: 0, to: calibration.sampleCount, by: batch).map { start in
            let samples = start..<min(start + batch, calibration.sampleCount)
            let shapes = try network.shapes(batch: network.hasFixedBatch ? 1 : samples.count)
            return zip(network.outputs, try session.run(calibration.batch(samples), batch: samples.count)).map { output, values in
                largestChannels(values, shape: shapes[output.name] ?? [])
            }
        }
    }

    private func largestChannels(_ values: [Float], shape: [Int]) -> [Int] {
        guard shape.count >= 2, shape.reduce(1, *) == values.count else { return [] }
        let (channels, places) = (shape[1], shape.dropFirst(2).reduce(1, *))
        return (0..<shape[0] * places).map { index in
            let first = index / places * channels * places + index % places
            return (0..<channels).reduce(0) { values[first + $1 * places] > values[first + $0 * places] ? $1 : $0 }
        }
    }
}
