import MultipointGraph
import MultipointQuantization
import MultipointRuntime
import PostTrainingQuantization
import SeededNumbers
import XCTest

final class BiasCorrectionTests: XCTestCase {
    private static let methods: [QuantizationOptions.Method] = [.greedy, .single(bits: 3), .ladder(.bitsPerWeight(6))]

    private func samples(_ network: Network, count: Int = 40) throws -> CalibrationArrays {
        var generator = SeededGenerator(seed: 6)
        let size = network.inputs[0].shape(batch: 1).reduce(1, *)
        return try CalibrationArrays([generator.normals(size * count).map { $0 + 0.5 }], of: network)
    }

    private func options(_ method: QuantizationOptions.Method, corrects: Bool) -> QuantizationOptions {
        var options = QuantizationOptions()
        (options.method, options.correctsBias) = (method, corrects)
        (options.bits, options.firstBits, options.lastBits, options.maximumPoints) = (3, 3, 3, 1)
        return options
    }

    /// Means of a value over samples and places, per channel, in Double.
    private func means(_ network: Network, _ calibration: CalibrationArrays, _ value: String, channels: Int) throws -> [Double] {
        let output = try Session(network: network, maximumBatch: calibration.sampleCount, outputs: [value]).run(
            calibration.batch(0..<calibration.sampleCount), batch: calibration.sampleCount)[0]
        let run = output.count / channels / calibration.sampleCount
        return (0..<channels).map { channel in
            (0..<calibration.sampleCount).reduce(0.0) { sum, sample in
                let first = (sample * channels + channel) * run
                return output[first..<first + run].reduce(sum) { $0 + Double($1) }
            } / Double(run * calibration.sampleCount)
        }
    }

    /// Σ |difference of means| over Σ |mean|.
    private func distance(
        _ packed: Network, _ network: Network, _ calibration: CalibrationArrays, _ value: String, _ channels: Int
    ) throws -> Double {
        let expected = try means(network, calibration, value, channels: channels)
        let found = try means(packed, calibration, value, channels: channels)
        return zip(found, expected).reduce(0) { $0 + abs($1.0 - $1.1) } / expected.reduce(0) { $0 + abs($1) }
    }

    /// Behind corrected layers every linear layer has the float network's means, a rectified one nearly; without correction not.
    func testMeansOfAllLayers() throws {
        let network = Network.residual(seed: 31)
        let calibration = try samples(network)
        for method in Self.methods {
            let corrected = try quantize(network, calibration: calibration, options: options(method, corrects: true)).network
            let plain = try quantize(network, calibration: calibration, options: options(method, corrects: false)).network
            for (value, channels) in [("grouped.out", 6), ("fc.out", 5)] {
                XCTAssertLessThan(try distance(corrected, network, calibration, value, channels), 1e-4, "\(method), \(value)")
                XCTAssertGreaterThan(try distance(plain, network, calibration, value, channels), 2e-3, "\(method), \(value)")
            }
            for value in ["stem.relu.out", "depthwise.relu.out", "add.relu.out"] {
                let found = try distance(corrected, network, calibration, value, 8)
                XCTAssertLessThan(found, 0.3 * (try distance(plain, network, calibration, value, 8)), "\(method), \(value)")
            }
        }
    }

    /// One Gemm and what may follow it: the new bias is b + (E[r] − E[r̂]) / P, in Double, r̂ being the result with the rounded weights
    /// and the input in 8 bits, P the part of the results that the activation does not cut off.
    func testBiasOfOneLayer() throws {
        let activations: [(MultipointGraph.Operation?, ClosedRange<Double>)] = [
            (nil, -.infinity...(.infinity)), (.relu, 0...(.infinity)), (.clip(minimum: -0.25, maximum: 0.5), -0.25...0.5),
        ]
        for (activation, limits) in activations {
            var builder = NetworkBuilder(seed: 32, input: [.batch, .fixed(6)])
            let result = builder.gemm("fc", from: "image", [3, 6])
            builder.output(activation.map { builder.node($0, [result], "activation") } ?? result)
            let network = builder.network
            let calibration = try samples(network)
            let x = try calibration.batch(0..<40)[0]
            // Of one layer a ladder has little to correct: its own weights' mean is in its bias already.
            let method = QuantizationOptions.Method.greedy
            let packed = try quantize(network, calibration: calibration, options: options(method, corrects: true)).network
            let layer = try XCTUnwrap(packed.layers["fc"]), original = try XCTUnwrap(network.layers["fc"])
            guard case .float(let w) = original.weights, case .packed(let points) = layer.weights else { return XCTFail() }
            let q = try XCTUnwrap(layer.inputQuantization)
            let rounded = LayerRows(points).weights
            for channel in 0..<3 {
                let bias = Double(original.bias?[channel] ?? 0)
                var (difference, inside) = (0.0, 0.0)
                for sample in 0..<40 {
                    var (y, z) = (bias, bias)
                    for k in 0..<6 {
                        let value = Double(x[sample * 6 + k])
                        let stored = min(255, max(0, (value / Double(q.scale)).rounded(.toNearestOrEven) + Double(q.zeroPoint)))
                        y += Double(w[channel * 6 + k]) * value
                        z += Double(rounded[channel * 6 + k]) * Double(q.scale) * (stored - Double(q.zeroPoint))
                    }
                    difference += min(limits.upperBound, max(limits.lowerBound, y)) - min(limits.upperBound, max(limits.lowerBound, z))
                    inside += y > limits.lowerBound && y < limits.upperBound ? 1 : 0
                }
                XCTAssertGreaterThan(inside, 4)
                let found = Double(try XCTUnwrap(layer.bias?[channel]))
                XCTAssertEqual(found, bias + difference / inside, accuracy: 1e-4, "\(String(describing: activation))")
                XCTAssertNotEqual(found, bias)
            }
        }
    }

    /// Two nodes of one layer have one bias: their means are taken together.
    func testSharedLayer() throws {
        var builder = NetworkBuilder(seed: 33, input: [.batch, .fixed(3), .fixed(5), .fixed(5)])
        let one = builder.convolution("shared", from: "image", [3, 3, 3, 3], ConvolutionAttributes(pads: [1, 1, 1, 1]))
        let relu = builder.node(.relu, [one], "relu")
        builder.output(builder.node(.layer("shared"), [relu], "again"))
        let calibration = try samples(builder.network)
        let packed = try quantize(builder.network, calibration: calibration, options: options(.greedy, corrects: true)).network
        XCTAssertNotEqual(packed.layers["shared"]?.bias, builder.network.layers["shared"]?.bias)
        XCTAssertTrue(try XCTUnwrap(packed.layers["shared"]?.bias).allSatisfy(\.isFinite))
    }

    func testWithoutCorrectionBiasesStay() throws {
        let network = Network.residual(seed: 34)
        let calibration = try samples(network)
        for method in Self.methods {
            let packed = try quantize(network, calibration: calibration, options: options(method, corrects: false)).network
            for (name, layer) in network.layers { XCTAssertEqual(packed.layers[name]?.bias, layer.bias, "\(method), \(name)") }
        }
    }
}
