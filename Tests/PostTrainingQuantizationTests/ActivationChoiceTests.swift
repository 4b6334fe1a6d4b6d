import MultipointGraph
import MultipointQuantization
import MultipointRuntime
@testable import PostTrainingQuantization
import SeededNumbers
import XCTest

final class ActivationChoiceTests: XCTestCase {
    /// Mostly near 0, with a few values far out.
    private func samples(_ network: Network, count: Int = 16) throws -> CalibrationArrays {
        var generator = SeededGenerator(seed: 5)
        let size = network.inputs[0].shape(batch: 1).reduce(1, *)
        let values = (0..<size * count).map { generator.normal() * ($0 % 997 == 0 ? 20 : 1) }
        return try CalibrationArrays([values], of: network)
    }

    private func quantized(
        _ network: Network, _ calibration: CalibrationArrays, _ activations: QuantizationOptions.Activations,
        _ change: (inout QuantizationOptions) -> Void = { _ in }
    ) throws -> Network {
        var options = QuantizationOptions()
        options.activations = activations
        change(&options)
        return try quantize(network, calibration: calibration, options: options).network
    }

    /// x̂ by the definition of `AffineQuantization`.
    private func rounded(_ x: Float, _ q: AffineQuantization) -> Float {
        let stored = min(255, max(0, (Double(x) / Double(q.scale)).rounded(.toNearestOrEven) + Double(q.zeroPoint)))
        return Float((stored - Double(q.zeroPoint)) * Double(q.scale))
    }

    private func squaredDistance(_ a: [Float], _ b: [Float]) -> Double {
        zip(a, b).reduce(0) { $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1)) }
    }

    private static let choices: [QuantizationOptions.Activations] = [.minMax, .percentile(99.99), .meanSquaredError, .outputAware, .best]

    /// Percentiles and squared errors of the input, from the samples themselves.
    func testRangesOfTheInput() throws {
        let network = Network.residual(seed: 21)
        let calibration = try samples(network)
        let image = try calibration.batch(0..<16)[0]
        let sorted = image.sorted()
        let percentile = try XCTUnwrap(quantized(network, calibration, .percentile(99)).quantization["image"])
        let cut = sorted.count / 100
        let (low, high) = (sorted[cut], sorted[sorted.count - 1 - cut])
        XCTAssertEqual(percentile.scale, (high - low) / 255, accuracy: 2e-3 * percentile.scale * 20)
        let errors = try Self.choices.map { choice in
            let q = try XCTUnwrap(quantized(network, calibration, choice).quantization["image"])
            return squaredDistance(image, image.map { rounded($0, q) })
        }
        for error in errors { XCTAssertLessThanOrEqual(errors[2], 1.02 * error) }
    }

    /// A tensor without negative values keeps zero point 0, and a layer takes its input as its value says.
    func testZeroPointsAndLayers() throws {
        let network = Network.residual(seed: 22)
        let calibration = try samples(network)
        for choice in [QuantizationOptions.Activations.percentile(99.99), .outputAware, .best] {
            for method in [.single(bits: 4)] + (choice == .best ? [.ladder(.bitsPerWeight(6))] : []) as [QuantizationOptions.Method] {
                let result = try quantized(network, calibration, choice) { $0.method = method }
                for value in ["stem.relu.out", "depthwise.relu.out", "add.relu.out"] {
                    XCTAssertEqual(result.quantization[value]?.zeroPoint, 0, "\(choice), \(value)")
                }
                XCTAssertEqual(result.layers["stem"]?.inputQuantization, result.quantization["image"])
                XCTAssertEqual(result.layers["pointwise"]?.inputQuantization, result.quantization["depthwise.relu.out"])
                XCTAssertEqual(result.layers["pointwise"]?.outputQuantization, result.quantization["add.relu.out"])
                XCTAssertEqual(result.layers["fc"]?.inputQuantization, result.quantization["flatten.out"])
                for layer in result.layers.values { try layer.validate() }
            }
        }
    }

    /// Neither batches nor threads change a range.
    func testDeterminism() throws {
        let open = Network.residual(seed: 23), fixed = Network.residual(seed: 23, batch: .fixed(1))
        let calibration = try samples(open)
        for choice in [QuantizationOptions.Activations.outputAware] {
            let whole = try quantized(open, calibration, choice) { $0.threads = 1 }.quantization["image"]
            XCTAssertEqual(try quantized(open, calibration, choice) { $0.threads = 2 }.quantization["image"], whole)
            XCTAssertEqual(try quantized(fixed, samples(fixed), choice).quantization["image"], whole)
        }
    }

    /// `best` takes the candidate that changes the results behind least, here measured with rounded inputs in the test.
    func testBestOfTheInput() throws {
        let network = Network.residual(seed: 24)
        let calibration = try samples(network)
        let values = ["stem.relu.out", "depthwise.relu.out", "add.relu.out", "grouped.out", "fc.out"]
        let session = try Session(network: network, maximumBatch: 16, outputs: values)
        let image = try calibration.batch(0..<16)[0]
        let expected = try session.run([image], batch: 16)
        func change(_ q: AffineQuantization) throws -> Double {
            let found = try session.run([image.map { rounded($0, q) }], batch: 16)
            return zip(found, expected).reduce(0) { sum, pair in
                let power = pair.1.reduce(0.0) { $0 + Double($1) * Double($1) }
                return sum + squaredDistance(pair.0, pair.1) / power
            }
        }
        let candidates = try Self.choices.dropLast().map { try XCTUnwrap(quantized(network, calibration, $0).quantization["image"]) }
        let changes = try candidates.map(change)
        let best = try XCTUnwrap(quantized(network, calibration, .best).quantization["image"])
        XCTAssertTrue(candidates.contains(best))
        XCTAssertLessThanOrEqual(try change(best), 1.05 * (try XCTUnwrap(changes.min())))

        let probe = try ActivationProbe(network, calibration, results: Array(values.dropLast()), maximumSamples: 16, threads: 1)
        let others = candidates + [AffineQuantization(scale: 0.01, zeroPoint: 100), AffineQuantization(scale: 0.5, zeroPoint: 128)]
        for (found, expected) in zip(try probe.changes(rounding: "image", others), try others.map(change)) {
            XCTAssertEqual(found, expected, accuracy: 1e-3 * expected)
        }
        // Behind the last layer there is nothing; a value in the middle changes only what follows it.
        XCTAssertEqual(try probe.changes(rounding: "fc.out", candidates), candidates.map { _ in 0 })
        XCTAssertTrue(try probe.changes(rounding: "add.relu.out", candidates).allSatisfy { $0 > 0 })
    }

    /// Worked by hand: two 1 × 1 convolutions of two channels, the sum of the second and its input, means of 2 × 2 places.
    func testChannelEnergies() throws {
        var builder = NetworkBuilder(seed: 25, input: [.batch, .fixed(2), .fixed(2), .fixed(2)])
        let first = builder.convolution("first", from: "image", [2, 2, 1, 1])
        let relu = builder.node(.relu, [first], "relu")
        let second = builder.convolution("second", from: relu, [2, 2, 1, 1])
        let sum = builder.node(.add, [second, relu], "sum")
        let pool = builder.node(.globalAveragePool, [sum], "pool")
        let flat = builder.node(.flatten(axis: 1), [pool], "flat")
        builder.output(builder.gemm("fc", from: flat, [2, 2]))
        builder.network.layers["first"]?.weights = .float([1, 0, 2, 3])
        builder.network.layers["second"]?.weights = .float([1, 2, 0, 1])
        builder.network.layers["fc"]?.weights = .float([2, 0, 0, 4])
        let energies = try ChannelEnergies(builder.network, shapes: builder.network.shapes(batch: 1))
        XCTAssertEqual(energies["fc.out"], [1, 1])
        XCTAssertEqual(energies["flat.out"], [4, 16])
        // The mean of four: 1/16 of each square.
        XCTAssertEqual(energies["sum.out"], [0.25, 1])
        // Through the second layer 0.25 · 1 and 0.25 · 4 + 1 · 1, and past it.
        XCTAssertEqual(energies["relu.out"], [0.25 + 0.25, 1 + 1 + 1])
        XCTAssertEqual(energies["first.out"], [0.25, 1.5])
        XCTAssertEqual(energies["image"], [0.25 * 1 + 1.5 * 4, 1.5 * 9])
        XCTAssertEqual(energies["nowhere"], [])
    }

    /// Strides, taps, groups, concatenation and flattened images, against the change of a network without activations when noise
    /// is added to one channel of the input: the mean over many signs is exact.
    func testEnergiesOfLinearNetworks() throws {
        var builder = NetworkBuilder(seed: 26, input: [.batch, .fixed(4), .fixed(8), .fixed(8)])
        let strided = builder.convolution("a", from: "image", [4, 2, 2, 2], ConvolutionAttributes(strides: [2, 2], group: 2))
        let plain = builder.convolution("b", from: strided, [3, 4, 1, 1])
        let joined = builder.node(.concat(axis: 1), [plain, strided], "concat")
        let flat = builder.node(.flatten(axis: 1), [joined], "flat")
        builder.output(builder.gemm("fc", from: flat, [6, 112]))
        let network = builder.network
        let found = try ChannelEnergies(network, shapes: network.shapes(batch: 1))["image"]
        let session = try Session(network: network, maximumBatch: 64)
        let zero = try session.run([[Float](repeating: 0, count: 256)], batch: 1)[0]
        var generator = SeededGenerator(seed: 27)
        for channel in 0..<4 {
            var power = 0.0
            for _ in 0..<4 {
                var image = [Float](repeating: 0, count: 64 * 256)
                for sample in 0..<64 { for place in 0..<64 { image[sample * 256 + channel * 64 + place] = generator.normal() } }
                let output = try session.run([image], batch: 64)[0]
                power += output.indices.reduce(0.0) { $0 + Double(output[$1] - zero[$1 % 6]) * Double(output[$1] - zero[$1 % 6]) }
            }
            // Not all signs of the weights are independent: only about.
            XCTAssertEqual(power / (256 * 64) / found[channel], 1, accuracy: 0.35, "channel \(channel)")
        }
    }
}
