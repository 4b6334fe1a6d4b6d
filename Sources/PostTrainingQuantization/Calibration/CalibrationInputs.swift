import MultipointGraph
import MultipointQuantization

/// Sample inputs of a network. They may be read several times.
public protocol CalibrationInputs {
    /// How many there are, each one entry of a batch.
    var sampleCount: Int { get }
    /// The samples of a range as one batch: for every input of the network, in its order, dense C-order floats.
    func batch(_ samples: Range<Int>) throws -> [[Float]]
}

/// Sample inputs in memory.
public struct CalibrationArrays: CalibrationInputs, Sendable {
    public let sampleCount: Int
    /// For every input of the network, all samples one after the other.
    private let inputs: [[Float]]
    private let sampleSizes: [Int]

    /// - Parameter inputs: for every input of the network, in its order, all samples one after the other.
    /// - Throws: `QuantizationError` if they do not make up whole samples, or not equally many.
    public init(_ inputs: [[Float]], of network: Network) throws(QuantizationError) {
        guard inputs.count == network.inputs.count else {
            throw QuantizationError("calibration: \(network.inputs.count) inputs expected, found \(inputs.count)")
        }
        var sizes: [Int] = []
        for (input, values) in zip(network.inputs, inputs) {
            let shape = input.shape(batch: 1)
            guard let size = elementCount(of: shape), size > 0, values.count % size == 0 else {
                throw QuantizationError(
                    "calibration: \(values.count) values of input `\(input.name)` do not make up samples of shape \(shape)")
            }
            sizes.append(size)
        }
        let counts = zip(inputs, sizes).map { $0.count / $1 }
        guard let count = counts.first, counts.allSatisfy({ $0 == count }) else {
            throw QuantizationError("calibration: the inputs have \(counts) samples; equally many are expected")
        }
        self.inputs = inputs
        sampleCount = count
        sampleSizes = sizes
    }

    public func batch(_ samples: Range<Int>) throws -> [[Float]] {
        guard samples.lowerBound >= 0, samples.upperBound <= sampleCount else {
            throw QuantizationError("calibration: samples \(samples) of \(sampleCount) asked for")
        }
        return zip(inputs, sampleSizes).map { values, size in
            Array(values[samples.lowerBound * size..<samples.upperBound * size])
        }
    }
}

extension CalibrationInputs {
    /// Some of the samples, evenly spread, in batches for the network.
    func spread(over network: Network, maximumSamples: Int) throws -> [(inputs: [[Float]], count: Int)] {
        let count = min(sampleCount, maximumSamples)
        return try batches((0..<count).map { $0 * sampleCount / count }, for: network)
    }

    /// Samples by their numbers, in batches of at most 32, or of one where the network has a fixed batch.
    func batches(_ samples: [Int], for network: Network) throws -> [(inputs: [[Float]], count: Int)] {
        let size = network.hasFixedBatch ? 1 : 32
        return try stride(from: 0, to: samples.count, by: size).map { start in
            let chosen = samples[start..<min(samples.count, start + size)]
            var inputs = [[Float]](repeating: [], count: network.inputs.count)
            for sample in chosen {
                for (index, values) in try batch(sample..<sample + 1).enumerated() { inputs[index] += values }
            }
            return (inputs, chosen.count)
        }
    }
}
