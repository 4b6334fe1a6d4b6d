import MultipointGraph
import MultipointQuantization
import MultipointRuntime
import PostTrainingQuantization
import SeededNumbers
import XCTest

final class QuantizeTests: XCTestCase {
    private let sampleCount = 20

    private func samples(_ network: Network, seed: UInt64 = 1, count: Int = 20) throws -> CalibrationArrays {
        var generator = SeededGenerator(seed: seed)
        let size = network.inputs[0].shape(batch: 1).reduce(1, *)
        return try CalibrationArrays([generator.normals(size * count)], of: network)
    }

    private func options(_ change: (inout QuantizationOptions) -> Void = { _ in }) -> QuantizationOptions {
        var options = QuantizationOptions()
        change(&options)
        return options
    }

    /// Values of the float network over all samples.
    private func activations(_ network: Network, _ calibration: CalibrationArrays, _ names: [String]) throws -> [String: [Float]] {
        let batch = network.hasFixedBatch ? 1 : calibration.sampleCount
        let session = try Session(network: network, maximumBatch: batch, outputs: names)
        var result: [String: [Float]] = [:]
        for start in stride(from: 0, to: calibration.sampleCount, by: batch) {
            let outputs = try session.run(calibration.batch(start..<start + batch), batch: batch)
            for (name, values) in zip(names, outputs) { result[name, default: []] += values }
        }
        return result
    }

    /// ŵ by the definition of `PackedWeights`.
    private func decoded(_ packed: PackedWeights) -> [Double] {
        var result = [Double](repeating: 0, count: packed.channels * packed.rowLength)
        var (scale, row) = (0, [Int](repeating: 0, count: packed.levels.count))
        for channel in 0..<packed.channels {
            for level in 0..<Int(packed.points[channel]) {
                for k in 0..<packed.rowLength {
                    let code = packed.levels[level].codes[row[level] * packed.rowLength + k]
                    result[channel * packed.rowLength + k] +=
                        Double(packed.scales[scale]) * Double(packed.levels[level].codebook[Int(code)])
                }
                scale += 1
                row[level] += 1
            }
        }
        return result
    }

    /// Sum of squares of the layer's result (bias left out) with other weights, by its definition in Double.
    private func power(_ layer: Layer, _ weights: [Double], _ x: [Float], _ shape: [Int]) throws -> Double {
        if case .convolution(let attributes) = layer.operation { return power(layer, attributes, weights, x, shape) }
        var total = 0.0
        for row in 0..<x.count / layer.rowLength {
            for channel in 0..<layer.channels {
                var y = 0.0
                for k in 0..<layer.rowLength { y += weights[channel * layer.rowLength + k] * Double(x[row * layer.rowLength + k]) }
                total += y * y
            }
        }
        return total
    }

    private func power(_ layer: Layer, _ a: ConvolutionAttributes, _ weights: [Double], _ x: [Float], _ shape: [Int]) -> Double {
        let (inputs, rows, columns) = (layer.shape[1], layer.shape[2], layer.shape[3])
        let height = (shape[2] + a.pads[0] + a.pads[2] - rows) / a.strides[0] + 1
        let width = (shape[3] + a.pads[1] + a.pads[3] - columns) / a.strides[1] + 1
        var total = 0.0
        for n in 0..<shape[0] {
            for o in 0..<layer.channels {
                let first = n * shape[1] + o / (layer.channels / a.group) * inputs
                for place in 0..<height * width {
                    let (top, left) = (place / width * a.strides[0] - a.pads[0], place % width * a.strides[1] - a.pads[1])
                    var y = 0.0
                    for k in 0..<layer.rowLength {
                        let (h, v) = (top + k / columns % rows, left + k % columns)
                        guard (0..<shape[2]).contains(h), (0..<shape[3]).contains(v) else { continue }
                        let plane = first + k / (rows * columns)
                        y += weights[o * layer.rowLength + k] * Double(x[(plane * shape[2] + h) * shape[3] + v])
                    }
                    total += y * y
                }
            }
        }
        return total
    }

    /// Every method gives the same with what another call measured as with samples of its own.
    func testStatisticsOfAnotherCall() throws {
        let network = Network.residual(seed: 12)
        let calibration = try samples(network)
        let statistics = CalibrationStatistics()
        let methods: [QuantizationOptions.Method] = [
            .greedy, .nearest(bits: 4, scale: .maximum), .subset(bits: 3), .single(bits: 3), .ladder(.bitsPerWeight(6)),
        ]
        for method in methods {
            let options = options { $0.method = method }
            let shared = try quantize(network, calibration: calibration, options: options, statistics: statistics)
            let own = try quantize(network, calibration: calibration, options: options)
            XCTAssertEqual(shared.network, own.network)
            XCTAssertEqual(shared.reports, own.reports)
        }
        XCTAssertGreaterThan(statistics.duration, .zero)
        // Where the moments do not fit together nothing is kept.
        let small = CalibrationStatistics()
        let options = options { $0.momentBytes = 4000 }
        let result = try quantize(network, calibration: calibration, options: options, statistics: small)
        XCTAssertEqual(result.network, try quantize(network, calibration: calibration, options: options, statistics: small).network)
        XCTAssertEqual(small.duration, .zero)
    }

    func testWidthsOfBaselines() throws {
        let network = Network.residual(seed: 13)
        let calibration = try samples(network)
        func bits(_ method: QuantizationOptions.Method) throws -> [Int?] {
            try quantize(network, calibration: calibration, options: options { $0.method = method }).reports.map(\.codebook?.count.trailingZeroBitCount)
        }
        XCTAssertEqual(try bits(.w8a8), [8, 8, 8, 8, 8])
        XCTAssertEqual(try bits(.nearest(bits: 3, scale: .meanSquaredError)), [3, 3, 3, 3, 3])
        XCTAssertEqual(try bits(.nearest(bits: 3, scale: .maximum, ends: .init(first: 5, last: 6))), [5, 3, 3, 3, 6])
        XCTAssertEqual(try bits(.subset(bits: 2)), [8, 2, 2, 2, 8])
        XCTAssertEqual(try bits(.subset(bits: 4, ends: nil)), [4, 4, 4, 4, 4])
        for method in [.nearest(bits: 9, scale: .maximum), .subset(bits: 5), .subset(bits: 3, ends: .init(first: 1, last: 8))]
            as [QuantizationOptions.Method]
        {
            XCTAssertThrowsError(try options { $0.method = method }.validate())
        }
    }

    func testEveryLayerIsPackedInItsWidth() throws {
        let network = Network.residual(seed: 1)
        let result = try quantize(network, calibration: samples(network), options: options { $0.correctsBias = false })
        XCTAssertEqual(result.reports.map(\.name), ["stem", "depthwise", "pointwise", "grouped", "fc"])
        XCTAssertEqual(result.reports.map(\.bits), [7, 4, 4, 4, 7])
        XCTAssertEqual(result.reports.map(\.isOdd), [false, true, true, true, false])
        for report in result.reports {
            let layer = try XCTUnwrap(result.network.layers[report.name])
            guard case .packed(let packed) = layer.weights else { return XCTFail("\(report.name) is not packed") }
            try layer.validate()
            XCTAssertEqual(packed.levels.first?.codebook, report.codebook)
            XCTAssertEqual(report.channelsByPoints.reduce(0, +), layer.channels)
            for (points, channels) in report.channelsByPoints.enumerated() {
                XCTAssertEqual(packed.points.count(where: { Int($0) == points }), channels)
            }
            XCTAssertEqual(layer.bias, network.layers[report.name]?.bias)
        }
    }

    /// Input quantization is that of the float network's extremes, on the layer and on the value.
    func testRangesAgainstTheFloatNetwork() throws {
        let network = Network.residual(seed: 2)
        let calibration = try samples(network)
        let result = try quantize(network, calibration: calibration, options: options { $0.activations = .minMax })
        let inputs = [
            "stem": "image", "depthwise": "stem.relu.out", "pointwise": "depthwise.relu.out", "grouped": "add.relu.out",
            "fc": "flatten.out",
        ]
        // Every value that is stored, whoever reads it; not what is fused away, nor the output.
        let others = ["grouped.out", "pool.out"]
        var values = try activations(network, calibration, inputs.values.filter { $0 != "image" } + others)
        values["image"] = try calibration.batch(0..<sampleCount)[0]
        XCTAssertEqual(Set(result.network.quantization.keys), Set(inputs.values).union(others))
        for value in others {
            let found = try XCTUnwrap(result.network.quantization[value])
            let (low, high) = (min(0, try XCTUnwrap(values[value]?.min())), max(0, try XCTUnwrap(values[value]?.max())))
            XCTAssertEqual(found.scale, (high - low) / 255, accuracy: 1e-5 * found.scale)
        }
        for (layer, value) in inputs {
            let (low, high) = (min(0, try XCTUnwrap(values[value]?.min())), max(0, try XCTUnwrap(values[value]?.max())))
            let found = try XCTUnwrap(result.network.layers[layer]?.inputQuantization)
            XCTAssertEqual(found, result.network.quantization[value])
            XCTAssertEqual(found.scale, (high - low) / 255, accuracy: 1e-5 * found.scale)
            XCTAssertEqual(Float(found.zeroPoint), -low / found.scale, accuracy: 0.51)
        }
        XCTAssertEqual(result.network.layers["depthwise"]?.inputQuantization?.zeroPoint, 0)
    }

    /// A layer's output scale is that of the value that its consumer reads, after activation and residual addition; where the
    /// consumer is not a layer there is none.
    func testOutputQuantization() throws {
        let network = Network.residual(seed: 3)
        let result = try quantize(network, calibration: samples(network)).network
        XCTAssertEqual(result.layers["stem"]?.outputQuantization, result.quantization["stem.relu.out"])
        XCTAssertEqual(result.layers["depthwise"]?.outputQuantization, result.quantization["depthwise.relu.out"])
        XCTAssertEqual(result.layers["pointwise"]?.outputQuantization, result.quantization["add.relu.out"])
        XCTAssertNil(result.layers["grouped"]?.outputQuantization)
        XCTAssertNil(result.layers["fc"]?.outputQuantization)
    }

    /// Of two layers that an addition joins only the later has the sum's scale; the other's result is an operand.
    func testOutputQuantizationOfJoinedLayers() throws {
        var builder = NetworkBuilder(seed: 4, input: [.batch, .fixed(2), .fixed(4), .fixed(4)])
        let left = builder.convolution("left", from: "image", [3, 2, 1, 1])
        let right = builder.convolution("right", from: "image", [3, 2, 1, 1])
        let sum = builder.node(.add, [left, right], "add")
        builder.output(builder.convolution("after", from: builder.node(.relu, [sum], "relu"), [3, 3, 1, 1]))
        let result = try quantize(builder.network, calibration: samples(builder.network)).network
        XCTAssertNil(result.layers["left"]?.outputQuantization)
        XCTAssertEqual(result.layers["right"]?.outputQuantization, result.quantization["relu.out"])
        XCTAssertEqual(result.layers["right"]?.outputQuantization?.zeroPoint, 0)
    }

    /// The reported error is that of the packed weights on all float inputs of the layer.
    func testReportedErrors() throws {
        let network = Network.residual(seed: 5)
        let calibration = try samples(network)
        let result = try quantize(network, calibration: calibration, options: options { $0.bits = 2 })
        let inputs = [
            "stem": "image", "depthwise": "stem.relu.out", "pointwise": "depthwise.relu.out", "grouped": "add.relu.out",
            "fc": "flatten.out",
        ]
        var values = try activations(network, calibration, inputs.values.filter { $0 != "image" })
        values["image"] = try calibration.batch(0..<sampleCount)[0]
        let shapes = try network.shapes(batch: sampleCount)
        for report in result.reports {
            let layer = try XCTUnwrap(network.layers[report.name])
            guard case .float(let w) = layer.weights, case .packed(let packed)? = result.network.layers[report.name]?.weights else {
                return XCTFail(report.name)
            }
            let value = try XCTUnwrap(inputs[report.name])
            let (x, shape) = (try XCTUnwrap(values[value]), try XCTUnwrap(shapes[value]))
            let error = try power(layer, zip(w, decoded(packed)).map { Double($0) - $1 }, x, shape)
            let expected = try error / power(layer, w.map(Double.init), x, shape)
            XCTAssertEqual(report.relativeOutputError, expected, accuracy: 1e-3 * expected + 1e-9, report.name)
            XCTAssertGreaterThan(expected, 0)
        }
    }

    /// More bits and more points bring the outputs nearer to the float network's.
    func testOutputsApproachTheFloatNetwork() throws {
        let network = Network.residual(seed: 6)
        let calibration = try samples(network, count: 64)
        let expected = try XCTUnwrap(activations(network, calibration, ["fc.out"])["fc.out"])
        func distance(_ change: (inout QuantizationOptions) -> Void) throws -> Float {
            let packed = try quantize(network, calibration: calibration, options: options(change)).network
            let found = try XCTUnwrap(activations(packed, calibration, ["fc.out"])["fc.out"])
            let square = { (values: [Float]) in values.reduce(0) { $0 + $1 * $1 } }
            return (square(zip(expected, found).map { $0 - $1 }) / square(expected)).squareRoot()
        }
        let coarse = try distance { ($0.bits, $0.maximumPoints) = (2, 1) }
        let two = try distance { ($0.bits, $0.maximumPoints, $0.relativeEpsilon) = (2, 2, 0) }
        let fine = try distance { ($0.bits, $0.maximumPoints) = (7, 1) }
        XCTAssertLessThan(two, 0.7 * coarse)
        XCTAssertLessThan(fine, 0.5 * two)
        XCTAssertLessThan(fine, 0.03)
    }

    /// The rule decides the number of points.
    func testThresholds() throws {
        let network = Network.residual(seed: 7)
        let calibration = try samples(network)
        for report in try quantize(network, calibration: calibration, options: options { $0.relativeEpsilon = 0 }).reports {
            XCTAssertEqual(report.channelsByPoints, [0, 0, 0, 0, report.channelsByPoints.last], report.name)
        }
        let loose = try quantize(network, calibration: calibration, options: options { $0.relativeEpsilon = 1e6 })
        for report in loose.reports { XCTAssertEqual(report.channelsByPoints, [0, report.channelsByPoints.last]) }
        let strict = options { ($0.bits, $0.relativeEpsilon, $0.maximumPoints) = (3, 1e-4, 255) }
        for report in try quantize(network, calibration: calibration, options: strict).reports {
            XCTAssertLessThanOrEqual(report.relativeOutputError, 1.001e-4, report.name)
        }
    }

    /// Measuring the layers in several passes gives what one pass gives; twice the same gives the same.
    func testPassesDoNotMatter() throws {
        let network = Network.residual(seed: 8)
        let calibration = try samples(network)
        let whole = try quantize(network, calibration: calibration)
        var calibrations = 0
        let parts = try quantize(network, calibration: calibration, options: options { $0.momentBytes = 300_000 }) { stage, fraction in
            if stage == .calibrating { calibrations += 1 }
            return true
        }
        XCTAssertGreaterThan(calibrations, 1)
        XCTAssertEqual(parts.network, whole.network)
        XCTAssertEqual(parts.reports, whole.reports)
        XCTAssertEqual(try quantize(network, calibration: calibration).network, whole.network)
    }

    /// With hardly any memory few patches are looked at; the result is still a good one.
    func testTinyMemoryAndFewPatches() throws {
        let network = Network.residual(seed: 9)
        for change in [{ $0.momentBytes = 2000 }, { $0.maximumPatches = 7 }] as [(inout QuantizationOptions) -> Void] {
            for report in try quantize(network, calibration: samples(network), options: options(change)).reports {
                XCTAssertLessThan(report.relativeOutputError, 0.02, report.name)
            }
        }
    }

    func testFirstAndLastLayers() throws {
        var builder = NetworkBuilder(seed: 10, input: [.batch, .fixed(4), .fixed(6), .fixed(6)])
        let half = builder.node(.slice(starts: [0], ends: [2], axes: [1], steps: [1]), ["image"], "slice")
        let a = builder.convolution("a", from: half, [4, 2, 3, 3])
        let b = builder.convolution("b", from: builder.node(.relu, [a], "relu"), [4, 4, 1, 1])
        let c = builder.convolution("c", from: b, [4, 4, 1, 1])
        let d = builder.convolution("d", from: b, [4, 4, 1, 1])
        builder.output(builder.node(.concat(axis: 1), [c, builder.node(.sigmoid, [d], "sigmoid")], "concat"))
        let e = builder.convolution("e", from: "image", [2, 4, 1, 1])
        builder.output(e)
        let reports = try quantize(
            builder.network, calibration: samples(builder.network),
            options: options { ($0.bits, $0.firstBits, $0.lastBits, $0.codebook) = (3, 6, 8, .odd) }).reports
        XCTAssertEqual(reports.map(\.bits), [6, 3, 8, 8, 8])
        XCTAssertEqual(reports.map(\.isOdd), [true, true, false, false, false])
    }

    /// Inner layers get subsets of their own, which run as any other codebook does; the first and the last one are uniform.
    func testSubsetCodebooks() throws {
        let network = Network.residual(seed: 17)
        let calibration = try samples(network)
        let expected = try XCTUnwrap(activations(network, calibration, ["fc.out"])["fc.out"])
        for (bits, points, distance) in [(2, 1, Float(0.6)), (3, 1, 0.3), (4, 1, 0.15), (3, 3, 0.05)] {
            let result = try quantize(
                network, calibration: calibration,
                options: options { ($0.codebook, $0.bits, $0.maximumPoints, $0.relativeEpsilon) = (.subset, bits, points, 0) })
            XCTAssertEqual(result.reports.map(\.bits), [7, bits, bits, bits, 7])
            for report in result.reports {
                guard case .packed(let packed)? = result.network.layers[report.name]?.weights else { return XCTFail(report.name) }
                XCTAssertEqual(packed.levels.count, points)
                XCTAssertEqual(packed.levels.first?.codebook, report.codebook)
                guard !report.isUniform else { continue }
                // Few enough bits for one row a point.
                XCTAssertEqual(LayerRows(packed).count, points * packed.channels)
            }
            let found = try XCTUnwrap(activations(result.network, calibration, ["fc.out"])["fc.out"])
            let square = { (values: [Float]) in values.reduce(0) { $0 + $1 * $1 } }
            let relative = (square(zip(expected, found).map { $0 - $1 }) / square(expected)).squareRoot()
            XCTAssertLessThan(relative, distance, "\(bits) bits, \(points) points")
        }
        let narrow = try quantize(
            network, calibration: calibration,
            options: options { ($0.codebook, $0.bits, $0.firstBits, $0.lastBits) = (.subset, 2, 1, 4) })
        XCTAssertEqual(narrow.reports.map(\.isUniform), [false, false, false, false, true])
        XCTAssertEqual(narrow.reports[0].codebook, [-1, 1])
    }

    /// Two nodes that share a layer: its range covers both inputs.
    func testSharedLayer() throws {
        var builder = NetworkBuilder(seed: 11, input: [.batch, .fixed(3), .fixed(5), .fixed(5)])
        let one = builder.convolution("shared", from: "image", [3, 3, 3, 3], ConvolutionAttributes(pads: [1, 1, 1, 1]))
        let relu = builder.node(.relu, [one], "relu")
        builder.output(builder.node(.layer("shared"), [relu], "again"))
        let calibration = try samples(builder.network)
        let result = try quantize(builder.network, calibration: calibration, options: options { $0.activations = .minMax })
        let image = try calibration.batch(0..<sampleCount)[0]
        let after = try XCTUnwrap(activations(builder.network, calibration, ["relu.out"])["relu.out"])
        let (low, high) = (try XCTUnwrap(image.min()), max(try XCTUnwrap(image.max()), try XCTUnwrap(after.max())))
        let found = try XCTUnwrap(result.network.layers["shared"]?.inputQuantization)
        XCTAssertEqual(found.scale, (high - low) / 255, accuracy: 1e-5 * found.scale)
        XCTAssertNil(result.network.layers["shared"]?.outputQuantization, "its results have different ranges")
    }

    /// A network that fixes its batch is calibrated with one sample at a time.
    func testFixedBatch() throws {
        let open = Network.residual(seed: 12), fixed = Network.residual(seed: 12, batch: .fixed(1))
        let a = try quantize(open, calibration: samples(open)), b = try quantize(fixed, calibration: samples(fixed))
        XCTAssertEqual(a.reports.map(\.codebook), b.reports.map(\.codebook))
        for (a, b) in zip(a.reports, b.reports) {
            XCTAssertEqual(a.relativeOutputError, b.relativeOutputError, accuracy: 1e-3 * a.relativeOutputError + 1e-9)
        }
    }

    /// Gemm over every position of a sequence.
    func testGemmOverSeveralAxes() throws {
        var builder = NetworkBuilder(seed: 13, input: [.batch, .fixed(7), .fixed(12)])
        let hidden = builder.gemm("hidden", from: "image", [16, 12])
        builder.output(builder.gemm("out", from: builder.node(.relu, [hidden], "relu"), [3, 16]))
        let calibration = try samples(builder.network)
        let result = try quantize(builder.network, calibration: calibration, options: options { ($0.firstBits, $0.lastBits) = (8, 8) })
        let expected = try XCTUnwrap(activations(builder.network, calibration, ["out.out"])["out.out"])
        let found = try XCTUnwrap(activations(result.network, calibration, ["out.out"])["out.out"])
        let largest = try XCTUnwrap(expected.map(abs).max())
        for (a, b) in zip(found, expected) { XCTAssertEqual(a, b, accuracy: 0.03 * largest) }
    }

    func testKeepsFloat() throws {
        let network = Network.residual(seed: 14)
        let result = try quantize(network, calibration: samples(network, count: 0), options: options { $0.keepsFloat = true })
        XCTAssertEqual(result.network, network)
        XCTAssertEqual(result.reports.map(\.codebook), [nil, nil, nil, nil, nil])
    }

    /// The named layers are those of the network, and what is left is packed by every method.
    func testFloatLayers() throws {
        let network = Network.residual(seed: 14)
        let calibration = try samples(network)
        let names = network.layerOrder
        for method in [QuantizationOptions.Method.greedy, .ladder(.bitsPerWeight(5)), .w8a8, .single(bits: 4)] {
            for kept in [Set([names[0]]), [names[1], names[4]], Set(names)] {
                let result = try quantize(network, calibration: calibration, options: options { ($0.method, $0.floatLayers) = (method, kept) })
                for name in names {
                    let layer = try XCTUnwrap(result.network.layers[name])
                    XCTAssertEqual(layer.isPacked, !kept.contains(name), name)
                    if kept.contains(name) { XCTAssertEqual(layer.weights, network.layers[name]?.weights, name) }
                }
                let expected = try XCTUnwrap(activations(network, calibration, ["fc.out"])["fc.out"])
                let found = try XCTUnwrap(activations(result.network, calibration, ["fc.out"])["fc.out"])
                let largest = try XCTUnwrap(expected.map(abs).max())
                for (a, b) in zip(found, expected) { XCTAssertEqual(a, b, accuracy: (kept.count == names.count ? 1e-5 : 0.5) * largest) }
            }
        }
    }

    func testProgressAndCancelling() throws {
        let network = Network.residual(seed: 15)
        let calibration = try samples(network, count: 70)
        var fractions: [QuantizationStage: [Double]] = [:]
        _ = try quantize(network, calibration: calibration) { stage, fraction in
            fractions[stage, default: []].append(fraction)
            return true
        }
        for stage in [QuantizationStage.calibrating, .packing, .correctingBiases] {
            let found = try XCTUnwrap(fractions[stage])
            XCTAssertGreaterThan(found.count, 1)
            XCTAssertEqual(found, found.sorted())
            XCTAssertEqual(found.last, 1)
        }
        for stage in [QuantizationStage.calibrating, .packing, .correctingBiases] {
            XCTAssertThrowsError(try quantize(network, calibration: calibration) { now, _ in now != stage }) {
                XCTAssertEqual(($0 as? QuantizationError)?.kind, .cancelled)
            }
        }
    }

    func testWhatIsRefused() throws {
        let network = Network.residual(seed: 16)
        let size = 2 * 9 * 8
        func assertRefused(_ message: String, _ body: () throws -> Any) {
            XCTAssertThrowsError(try body()) { XCTAssertTrue("\($0)".contains(message), "\($0)") }
        }
        assertRefused("at least one sample") { try quantize(network, calibration: samples(network, count: 0)) }
        for strange in [Float.nan, -.infinity] {
            var values = [Float](repeating: 0.5, count: size * 40)
            values[size * 37 + 5] = strange
            assertRefused("calibration sample 37: element 5 of input `image` is \(strange)") {
                try quantize(network, calibration: CalibrationArrays([values], of: network))
            }
        }
        assertRefused("145 values of input `image` do not make up samples") {
            try CalibrationArrays([[Float](repeating: 0, count: size + 1)], of: network)
        }
        assertRefused("1 inputs expected, found 2") { try CalibrationArrays([[], []], of: network) }
        let packed = try quantize(network, calibration: samples(network)).network
        assertRefused("packed already") { try quantize(packed, calibration: samples(network)) }
        let options: [((inout QuantizationOptions) -> Void, String)] = [
            ({ $0.bits = 0 }, "bits: "), ({ $0.firstBits = 9 }, "first bits: "), ({ $0.lastBits = -1 }, "last bits: "),
            ({ ($0.bits, $0.codebook) = (8, .odd) }, "1 to 6"), ({ ($0.bits, $0.codebook) = (5, .subset) }, "2 to 4"),
            ({ $0.maximumPoints = 0 }, "maximum points"),
            ({ $0.epsilon = .nan }, "epsilon"), ({ $0.relativeEpsilon = -1 }, "relative epsilon"),
            ({ $0.maximumPatches = 0 }, "maximum patches"), ({ $0.momentBytes = 0 }, "moment bytes"), ({ $0.threads = -1 }, "threads"),
            ({ $0.activations = .percentile(50) }, "percentile"), ({ $0.activations = .percentile(100.5) }, "percentile"),
            ({ $0.activations = .percentile(.nan) }, "percentile"),
            ({ $0.floatLayers = ["fc", "conv99"] }, "float layers: there is no layer `conv99`"),
        ]
        for (change, message) in options {
            assertRefused(message) { try quantize(network, calibration: samples(network), options: self.options(change)) }
        }
    }

    /// Inputs that do not keep to the protocol are noticed.
    func testCalibrationOfTheWrongShape() throws {
        struct Short: CalibrationInputs {
            let sampleCount = 3
            func batch(_ samples: Range<Int>) throws -> [[Float]] { [[1, 2, 3]] }
        }
        let network = Network.residual(seed: 17)
        XCTAssertThrowsError(try quantize(network, calibration: Short())) {
            XCTAssertTrue("\($0)".contains("3 values of input `image`"), "\($0)")
        }
    }

    /// Activations that overflow are an error, not a scale.
    func testOverflowingNetwork() throws {
        var network = Network.residual(seed: 18)
        network.layers["stem"]?.weights = .float([Float](repeating: 3e38, count: 8 * 18))
        XCTAssertThrowsError(try quantize(network, calibration: samples(network))) {
            XCTAssertTrue("\($0)".contains("value `stem.relu.out`"), "\($0)")
        }
    }
}

extension LayerReport {
    fileprivate var bits: Int? { codebook?.count.trailingZeroBitCount }
    fileprivate var isOdd: Bool { codebook?.allSatisfy { $0 & 1 != 0 } ?? false }
    /// −Q, …, Q and a spare 0.
    fileprivate var isUniform: Bool {
        guard let codebook else { return false }
        let largest = Int(codebook.max() ?? 0)
        return codebook == (-largest...largest).map { Int8($0) } + [0]
    }
}
