import MultipointGraph
import MultipointQuantization
import PostTrainingQuantization
import SeededNumbers
import XCTest

final class QuantizeLayersTests: XCTestCase {
    private func layers() -> [Layer] {
        var generator = SeededGenerator(seed: 7)
        return [
            Layer(name: "a", operation: .gemm, shape: [4, 30], weights: .float(generator.normals(120)), bias: [1, 2, 3, 4]),
            Layer(
                name: "b", operation: .convolution(ConvolutionAttributes(group: 2)), shape: [6, 2, 3, 3],
                weights: .float(generator.normals(108))),
        ]
    }

    private func options(_ method: QuantizationOptions.Method) -> QuantizationOptions {
        var options = QuantizationOptions()
        options.method = method
        return options
    }

    /// Nearest rounding with the largest weight kept, by hand: 127 steps from 0 to it.
    func testLayersAreRoundedForThemselves() throws {
        let packed = try quantizeLayers(layers(), options: options(.w8a8)).layers
        for (layer, original) in zip(packed, layers()) {
            guard case .packed(let weights) = layer.weights, case .float(let floats) = original.weights else { return XCTFail() }
            let result = weights.reconstruction()
            for channel in 0..<layer.channels {
                let row = floats[channel * layer.rowLength..<(channel + 1) * layer.rowLength]
                let step = (row.map(abs).max() ?? 0) / 127
                for (k, w) in row.enumerated() {
                    XCTAssertEqual(result[channel * layer.rowLength + k], (w / step).rounded(.toNearestOrEven) * step, accuracy: step * 1e-4)
                }
            }
            XCTAssertEqual(layer.bias, original.bias)
            XCTAssertEqual(layer.operation, original.operation)
            XCTAssertNil(layer.inputQuantization)
        }
    }

    func testGreedyPointsAreThoseOfTheMatrix() throws {
        let options = options(.greedy)
        let (packed, reports) = try quantizeLayers(layers(), options: options)
        XCTAssertEqual(reports.map(\.name), ["a", "b"])
        for (layer, original) in zip(packed, layers()) {
            guard case .float(let floats) = original.weights else { return XCTFail() }
            let expected = try packWeights(
                matrix: floats, channels: layer.channels, rowLength: layer.rowLength,
                options: PackingOptions(
                    bits: options.bits, maximumPoints: options.maximumPoints, epsilon: options.epsilon,
                    relativeEpsilon: options.relativeEpsilon))
            XCTAssertEqual(layer.weights, .packed(expected.weights))
        }
    }

    func testALayerWhoseSumsAreTooLongStaysInFloat() throws {
        let count = PackedWeights.maximumRowLength + 1
        let long = Layer(name: "long", operation: .gemm, shape: [1, count], weights: .float([Float](repeating: 1, count: count)))
        let (packed, reports) = try quantizeLayers([long] + layers(), options: options(.w8a8))
        XCTAssertEqual(packed.map(\.isPacked), [false, true, true])
        XCTAssertEqual(reports.map { $0.codebook == nil }, [true, false, false])
    }

    func testNamedLayersStayInFloat() throws {
        var options = options(.w8a8)
        options.floatLayers = ["b"]
        let (packed, reports) = try quantizeLayers(layers(), options: options)
        XCTAssertEqual(packed.map(\.isPacked), [true, false])
        XCTAssertEqual(packed[1], layers()[1])
        XCTAssertNil(reports[1].codebook)
        options.floatLayers = ["c"]
        XCTAssertThrowsError(try quantizeLayers(layers(), options: options)) { XCTAssertTrue("\($0)".contains("no layer `c`"), "\($0)") }
    }

    func testMethodsThatNeedInputsAreRefused() {
        for method in [QuantizationOptions.Method.ladder(.bitsPerWeight(4)), .single(bits: 4)] {
            XCTAssertThrowsError(try quantizeLayers(layers(), options: options(method)))
        }
    }

    func testItCanBeCancelled() {
        XCTAssertThrowsError(try quantizeLayers(layers(), options: options(.w8a8), progress: { _ in false })) {
            XCTAssertEqual(($0 as? QuantizationError)?.kind, .cancelled)
        }
    }
}
