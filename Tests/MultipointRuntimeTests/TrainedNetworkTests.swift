import Foundation
import MultipointFormat
import MultipointGraph
import MultipointRuntime
import SeededNumbers
import XCTest

/// Compiled networks with trained weights, from packed files: the digits network of `Trained/`, and any others that the environment
/// names,
///
///     MULTIPOINT_NETWORKS=a.multipoint:b.multipoint=images.npy
///
/// each with the first two images of a float32 array [N, …], as the network takes them, or else with noise over the range that its
/// input is quantized to.
final class TrainedNetworkTests: XCTestCase {
    func testLadder() throws { try check("ladder.multipoint", Digits.load("ladder"), [Digits.images(2)], batch: 2) }

    /// Greedy points with free scales: extra rows in most layers, and a pass that sums them.
    func testGreedyPoints() throws { try check("greedy.multipoint", Digits.load("greedy"), [Digits.images(2)], batch: 2) }

    /// One channel's bias off by a tenth of a step shows in that layer's result, and nowhere else.
    func testSmallDifferencesShow() throws {
        let network = try Digits.load("ladder")
        var other = network
        let layer = "block2_conv1"
        let results = try network.layerResults(shapes: network.shapes(batch: 2))
        let value = try XCTUnwrap(results.first { $0.layer == layer }).value
        let scale = try XCTUnwrap(network.quantization[value] ?? network.layers["block2_conv2"]?.inputQuantization).scale
        other.layers[layer]?.bias?[3] += scale / 10
        let comparison = try NetworkComparison(network, reference: other, inputs: [Digits.images(2)], batch: 2, threads: 1)
        XCTAssertEqual(comparison.differences.filter { !$0.isAccepted }.map(\.value), [value])
    }

    func testNetworksOfTheEnvironment() throws {
        for entry in (ProcessInfo.processInfo.environment["MULTIPOINT_NETWORKS"] ?? "").split(separator: ":") {
            let parts = entry.split(separator: "=", maxSplits: 1).map(String.init)
            let network = try XCTUnwrap(PackedFile(path: parts[0]).network, "\(parts[0]) holds no network")
            let batch = network.hasFixedBatch ? 1 : 2
            let sizes = network.inputs.map { $0.shape(batch: batch).reduce(1, *) }
            var inputs = zip(network.inputs, sizes).map { noise($1, network.quantization[$0.name]) }
            if parts.count > 1 {
                XCTAssertEqual(inputs.count, 1, "\(parts[0]): one input expected where images are given")
                let values = try NPY(path: parts[1]).floats
                guard values.count >= sizes[0] else {
                    return XCTFail("\(parts[1]): \(sizes[0]) values expected, found \(values.count)")
                }
                inputs[0] = Array(values[..<sizes[0]])
            }
            try check(parts[0], network, inputs, batch: batch)
        }
    }

    private func check(_ name: String, _ network: Network, _ inputs: [[Float]], batch: Int) throws {
        XCTAssertTrue(network.layers.values.contains(where: \.isPacked), "\(name): no packed layer")
        for threads in 1...2 {
            let comparison = try NetworkComparison(network, inputs: inputs, batch: batch, threads: threads)
            print("\(name), \(threads) threads: \(comparison.summary(of: network))")
            comparison.assertAccepted(name)
            XCTAssertEqual(Set(network.layerOrder).subtracting(comparison.layers), [], "\(name): layers without a comparison")
        }
    }

    private func noise(_ count: Int, _ quantization: AffineQuantization?) -> [Float] {
        var generator = SeededGenerator(seed: 1)
        let range = quantization.map { -Float($0.zeroPoint) * $0.scale...Float(255 - $0.zeroPoint) * $0.scale }
        return (0..<count).map { _ in Float.random(in: range ?? -1...1, using: &generator) }
    }
}

extension NetworkComparison {
    fileprivate func summary(of network: Network) -> String {
        let (bytes, floats) = (differences.filter { $0.quantization != nil }, differences.filter { $0.quantization == nil })
        func text(_ all: [Difference], _ unit: String) -> String {
            guard let worst = all.max(by: { $0.largest < $1.largest }) else { return "0" }
            let elements = all.reduce(0) { $0 + $1.counts.found }
            let distance = String(format: "%.5g", worst.largest)
            return "\(all.count) with \(elements) elements, largest distance \(distance) \(unit) (`\(worst.value)`)"
        }
        return "\(layers.count) of \(network.layers.count) layers, \(differences.count) values compared; in 8 bits "
            + text(bytes, "steps") + "; in float " + text(floats, "of the largest")
    }
}

/// The digits network of Examples/digits, packed by
///
///     multipoint quantize digits.onnx --calibration calibration_images.npy --scale 0.0625 --output ladder.multipoint
///     multipoint quantize digits.onnx --calibration calibration_images.npy --scale 0.0625 --bits 3 --output greedy.multipoint
enum Digits {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

    static func load(_ name: String) throws -> Network {
        try XCTUnwrap(PackedFile(path: folder.appendingPathComponent("Trained/\(name).multipoint").path).network)
    }

    /// Held-out images, dense, as the network takes them.
    static func images(_ count: Int) throws -> [Float] {
        let array = try NPY(path: folder.appendingPathComponent("../../Examples/digits/heldout_images.npy").path)
        return array.floats.prefix(count * 64).map { $0 / 16 }
    }
}

/// A NumPy array of bytes or floats in C order.
private struct NPY {
    let floats: [Float]

    init(path: String) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        // Format version 1: magic and version in 8 bytes, the header's length in 2, the header.
        let length = 10 + Int(data[8]) + 256 * Int(data[9])
        let header = String(decoding: data[10..<length], as: UTF8.self)
        XCTAssertTrue(header.contains("'fortran_order': False"), "\(path): C order expected")
        let values = data[length...]
        if header.contains("'|u1'") {
            floats = values.map(Float.init)
        } else {
            XCTAssertTrue(header.contains("'<f4'"), "\(path): float32 or uint8 expected, found \(header)")
            floats = values.withUnsafeBytes { bytes in
                (0..<(bytes.count / 4)).map { bytes.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self) }
            }
        }
    }
}
