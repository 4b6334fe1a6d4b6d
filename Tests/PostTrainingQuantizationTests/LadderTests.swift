import MultipointGraph
import MultipointQuantization
import MultipointRuntime
import SeededNumbers
import XCTest

@testable import PostTrainingQuantization

/// The methods with output-aware rounding and an allocation of widths.
final class LadderTests: XCTestCase {
    private func samples(_ network: Network, seed: UInt64 = 1, count: Int = 48) throws -> CalibrationArrays {
        var generator = SeededGenerator(seed: seed)
        let size = network.inputs[0].shape(batch: 1).reduce(1, *)
        return try CalibrationArrays([generator.normals(size * count)], of: network)
    }

    private func options(_ method: QuantizationOptions.Method, _ change: (inout QuantizationOptions) -> Void = { _ in })
        -> QuantizationOptions
    {
        var options = QuantizationOptions()
        options.method = method
        change(&options)
        return options
    }

    /// Relative error of the outputs, float weights against packed ones.
    private func distance(_ network: Network, _ packed: Network, _ calibration: CalibrationArrays) throws -> Double {
        func outputs(_ network: Network) throws -> [Float] {
            let session = try Session(network: network, maximumBatch: calibration.sampleCount)
            return try session.run(calibration.batch(0..<calibration.sampleCount), batch: calibration.sampleCount)[0]
        }
        let (a, b) = (try outputs(network), try outputs(packed))
        let square = { (values: [Double]) in values.reduce(0) { $0 + $1 * $1 } }
        return (square(zip(a, b).map { Double($0) - Double($1) }) / square(a.map { Double($0) })).squareRoot()
    }

    /// Bytes of the packed layers by the file's definition.
    private func byteCount(_ network: Network) -> Int {
        network.layers.values.reduce(0) { sum, layer in
            guard case .packed(let packed) = layer.weights else { return sum }
            let codes = packed.levels.reduce(0) { sum, level in
                sum + level.codebook.count + level.codes.count / packed.rowLength * ((packed.rowLength * level.bits + 7) / 8)
            }
            return sum + codes + packed.points.count + 4 * packed.scales.count
        }
    }

    /// The budget is kept and used; more budget is nearer to the float network; rows fold.
    func testBudgets() throws {
        let network = Network.residual(seed: 21)
        let calibration = try samples(network)
        let weights = network.layers.values.reduce(0) { $0 + $1.shape.reduce(1, *) }
        var last = Double.infinity
        for bits in [4.5, 6, 8] {
            let result = try quantize(network, calibration: calibration, options: options(.ladder(.bitsPerWeight(bits))))
            XCTAssertLessThanOrEqual(Double(byteCount(result.network)) * 8, bits * Double(weights))
            // With 8 bits every channel may have all that it can use.
            XCTAssertGreaterThan(Double(byteCount(result.network)) * 8, (min(bits, 6.4) - 0.7) * Double(weights))
            let found = try distance(network, result.network, calibration)
            XCTAssertLessThan(found, last)
            last = found
            for layer in result.network.layers.values {
                guard case .packed(let packed) = layer.weights else { return XCTFail(layer.name) }
                XCTAssertEqual(LayerRows(packed).count, packed.channels, layer.name)
            }
        }
        XCTAssertLessThan(last, 0.1)
        let bytes = try quantize(network, calibration: calibration, options: options(.ladder(.bytes(500))))
        XCTAssertLessThanOrEqual(byteCount(bytes.network), 500)
        XCTAssertThrowsError(try quantize(network, calibration: calibration, options: options(.ladder(.bytes(20))))) {
            XCTAssertTrue("\($0)".contains("a budget of 20 bytes"), "\($0)")
        }
    }

    /// Free scales: further points are further rows; at the widths that they take they come about as near as the ladder does.
    func testFreeScales() throws {
        let network = Network.residual(seed: 22)
        let calibration = try samples(network)
        let free = try quantize(network, calibration: calibration, options: options(.ladder(.bitsPerWeight(8))) { $0.foldsLadder = false })
        let rows = free.network.layers.values.reduce(0) { sum, layer in
            guard case .packed(let packed) = layer.weights else { return sum }
            XCTAssertNil(packed.ladder)
            return sum + LayerRows(packed).count - packed.channels
        }
        XCTAssertGreaterThan(rows, 0)
        XCTAssertLessThan(try distance(network, free.network, calibration), 0.25)
        XCTAssertThrowsError(
            try quantize(
                network, calibration: calibration,
                options: options(.ladder(.bitsPerWeight(8))) { ($0.foldsLadder, $0.ladderFamily) = (false, .subset) })
        ) { XCTAssertTrue("\($0)".contains("free scales are odd"), "\($0)") }
    }

    /// A family that is asked for is taken; of a layer most of whose weights are 0 the ladder with zero is the natural choice.
    func testFamilies() throws {
        var builder = NetworkBuilder(seed: 23, input: [.batch, .fixed(4), .fixed(6), .fixed(6)])
        let padded = ConvolutionAttributes(pads: [1, 1, 1, 1])
        let dense = builder.convolution("dense", from: "image", [8, 4, 3, 3], padded)
        let pruned = builder.convolution("pruned", from: builder.node(.relu, [dense], "relu"), [16, 8, 3, 3], padded)
        builder.output(pruned)
        var network = builder.network
        guard case .float(var weights)? = network.layers["pruned"]?.weights else { return XCTFail() }
        for i in weights.indices where i % 10 != 0 { weights[i] = 0 }
        network.layers["pruned"]?.weights = .float(weights)
        let calibration = try samples(network)
        func codebooks(_ family: RefinementLadder.Family?) throws -> [[Int8]] {
            try quantize(network, calibration: calibration, options: options(.ladder(.bitsPerWeight(4))) { $0.ladderFamily = family })
                .reports.map { $0.codebook ?? [] }
        }
        for codebook in try codebooks(.odd) { XCTAssertTrue(codebook.allSatisfy { $0 & 1 != 0 }) }
        for codebook in try codebooks(.zero) { XCTAssertEqual(codebook, (-codebook.count / 2..<codebook.count / 2).map { Int8($0) }) }
        XCTAssertTrue(try codebooks(nil)[1].contains(0), "weights of 0 want a 0")
    }

    /// The change of the output with a layer replaced, found by running the rest of the network only, is that of running all of it.
    func testSensitivity() throws {
        for batch in [ValueInfo.Dimension.batch, .fixed(1)] {
            let network = Network.residual(seed: 24, batch: batch)
            let calibration = try samples(network, count: 40)
            let sensitivity = try OutputSensitivity(network, calibration, maximumSamples: 40, threads: 1)
            func halved(_ name: String) -> Layer? {
                guard var layer = network.layers[name], case .float(let weights) = layer.weights else { return nil }
                layer.weights = .float(weights.enumerated().map { $0.offset % 2 == 0 ? $0.element : $0.element * 0.5 })
                return layer
            }
            let outputs = try run(network, calibration)
            var seen: [String] = []
            try sensitivity.changes(inOrder: LayerUses(network).order, replacement: halved) { name, change in
                seen.append(name)
                var changed = network
                changed.layers[name] = halved(name)
                let other = try run(changed, calibration)
                let expected = zip(outputs, other).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
                    / outputs.reduce(0.0) { $0 + Double($1) * Double($1) }
                XCTAssertEqual(change, expected, accuracy: 1e-4 * expected, name)
                XCTAssertEqual(try sensitivity.change(to: changed), expected, accuracy: 1e-4 * expected, name)
            }
            XCTAssertEqual(seen, ["stem", "depthwise", "pointwise", "grouped", "fc"])
        }
    }

    private func run(_ network: Network, _ calibration: CalibrationArrays) throws -> [Float] {
        let batch = network.hasFixedBatch ? 1 : calibration.sampleCount
        let session = try Session(network: network, maximumBatch: batch, threads: 1)
        return try stride(from: 0, to: calibration.sampleCount, by: batch).flatMap {
            try session.run(calibration.batch($0..<$0 + batch), batch: batch)[0]
        }
    }

    /// What is known before a node, piece by piece, is what the whole network computes.
    func testSegmentsComputeWhatTheNetworkDoes() throws {
        let network = Network.residual(seed: 25)
        let calibration = try samples(network, count: 37)
        var run = try SegmentedRun(network, calibration, samples: Array(0..<37), threads: 1)
        let names = network.nodes.map(\.output)
        let session = try Session(network: network, maximumBatch: 37, threads: 1, outputs: names)
        let whole = Dictionary(
            zip(names, try session.run(calibration.batch(0..<37), batch: 37)), uniquingKeysWith: { first, _ in first })
        for node in [0, 2, 3, 5, 6, 8] {
            let found = try run.advance(to: node, in: network)
            XCTAssertEqual(run.position, node)
            for input in network.nodes[node].inputs where input != "image" {
                let values = found.flatMap { $0[input] ?? [] }
                let expected = try XCTUnwrap(whole[input])
                XCTAssertEqual(values.count, expected.count)
                for (a, b) in zip(values, expected) { XCTAssertEqual(a, b, accuracy: 1e-4) }
            }
        }
        let rest = try run.finish(network, computing: ["fc.out"]).flatMap { $0["fc.out"] ?? [] }
        for (a, b) in zip(rest, try XCTUnwrap(whole["fc.out"])) { XCTAssertEqual(a, b, accuracy: 1e-4) }
    }

    /// Rounding in order makes up for what the layers before it do: with few bits and weights alone it comes nearer.
    func testRoundingInOrder() throws {
        let network = Network.residual(seed: 26)
        let calibration = try samples(network, count: 96)
        func left(_ sequence: QuantizationOptions.Sequence) throws -> Double {
            let result = try quantize(
                network, calibration: calibration, options: options(.single(bits: 3)) { ($0.sequence, $0.correctsBias) = (sequence, true) })
            return try distance(network, result.network.unpacked, calibration)
        }
        let (always, never, automatic) = (try left(.always), try left(.never), try left(.automatic))
        XCTAssertLessThan(always, never)
        XCTAssertEqual(automatic, min(always, never), accuracy: 0.03 * never)
    }

    /// Agreement counts places whose largest channel is the same.
    func testAgreement() throws {
        var builder = NetworkBuilder(seed: 27, input: [.batch, .fixed(3), .fixed(5), .fixed(4)])
        builder.output(builder.convolution("map", from: "image", [4, 3, 1, 1]))
        let network = builder.network
        let calibration = try samples(network, count: 35)
        let agreement = try OutputAgreement(network, calibration, threads: 1)
        XCTAssertEqual(try agreement.measure(network), 1)
        var changed = network
        changed.layers["map"]?.bias = [0.4, -0.3, 0.2, 0]
        let (a, b) = (try run(network, calibration), try run(changed, calibration))
        var same = 0
        for sample in 0..<35 {
            for place in 0..<20 {
                func largest(_ values: [Float]) -> Int {
                    (0..<4).max { values[(sample * 4 + $0) * 20 + place] < values[(sample * 4 + $1) * 20 + place] } ?? -1
                }
                if largest(a) == largest(b) { same += 1 }
            }
        }
        XCTAssertLessThan(same, 700)
        XCTAssertEqual(try agreement.measure(changed), Double(same) / 700, accuracy: 1e-9)
    }

    /// The permitted drop is kept, with less than the most bits; without channels to compare there is an error that names the output.
    func testPermittedDrop() throws {
        let network = Network.residual(seed: 28)
        let calibration = try samples(network, count: 60)
        let agreement = try OutputAgreement(network, calibration, threads: 1)
        let loose = try quantize(network, calibration: calibration, options: options(.ladder(.drop(0.3))))
        XCTAssertGreaterThanOrEqual(try agreement.measure(loose.network), 0.7)
        let strict = try quantize(network, calibration: calibration, options: options(.ladder(.drop(0.05))))
        XCTAssertGreaterThanOrEqual(try agreement.measure(strict.network), 0.95)
        XCTAssertLessThan(byteCount(loose.network), byteCount(strict.network))

        var builder = NetworkBuilder(seed: 29, input: [.batch, .fixed(3), .fixed(5), .fixed(4)])
        builder.output(builder.convolution("heat", from: "image", [1, 3, 1, 1]))
        XCTAssertThrowsError(
            try quantize(builder.network, calibration: samples(builder.network), options: options(.ladder(.drop(0.1))))
        ) { XCTAssertTrue("\($0)".contains("output `heat.out`"), "\($0)") }
    }

    /// Channels of zeros have no points; a layer that no sample reaches is packed all the same.
    func testDeadChannelsAndLayers() throws {
        var network = Network.residual(seed: 30)
        guard case .float(var weights)? = network.layers["stem"]?.weights else { return XCTFail() }
        for k in 0..<18 { weights[18 + k] = 0 }
        network.layers["stem"]?.weights = .float(weights)
        // Nothing comes through this rectifier.
        network.layers["depthwise"]?.bias = [Float](repeating: -1e4, count: 8)
        let result = try quantize(network, calibration: samples(network), options: options(.ladder(.bitsPerWeight(6))))
        guard case .packed(let stem)? = result.network.layers["stem"]?.weights else { return XCTFail() }
        XCTAssertEqual(stem.points[1], 0)
        XCTAssertGreaterThan(stem.points[0], 0)
        for layer in result.network.layers.values { try layer.validate() }
        XCTAssertLessThan(try distance(network, result.network, samples(network)), 0.2)
    }

    /// What a softmax or sigmoid that gives an output reads is compared, also where layers come after it.
    func testHeadsBeforeLastLayers() throws {
        for last in [Operation.sigmoid, .relu] {
            var builder = NetworkBuilder(seed: 31, input: [.batch, .fixed(3), .fixed(6), .fixed(6)])
            let padded = ConvolutionAttributes(pads: [1, 1, 1, 1])
            let body = builder.node(.relu, [builder.convolution("body", from: "image", [8, 3, 3, 3], padded)], "relu")
            let scores = builder.node(.sigmoid, [builder.convolution("scores", from: body, [4, 8, 1, 1])], "sigmoid")
            builder.output(scores)
            builder.output(builder.node(last, [builder.convolution("boxes", from: scores, [2, 4, 1, 1])], "last"))
            let network = builder.network
            let calibration = try samples(network)
            for method in [QuantizationOptions.Method.ladder(.bitsPerWeight(6)), .single(bits: 4)] {
                let result = try quantize(network, calibration: calibration, options: options(method))
                XCTAssertLessThan(try distance(network, result.network, calibration), 0.1)
            }
        }
    }

    /// A layer of zeros, and one whose weights no subset refines, are layers like others.
    func testLayersThatNoSubsetSuits() throws {
        var network = Network.residual(seed: 32)
        network.layers["grouped"]?.weights = .float([Float](repeating: 0, count: 6 * 4 * 9))
        guard let count = network.layers["stem"]?.shape.reduce(1, *) else { return XCTFail() }
        network.layers["stem"]?.weights = .float((0..<count).map { [4, -2, 1, 0, -1, 2, -4][$0 % 7] })
        for bits in [3, 5.6, 9, 16] {
            let result = try quantize(network, calibration: samples(network), options: options(.ladder(.bitsPerWeight(bits))) {
                $0.maximumProbes = 8
            })
            guard case .packed(let zeros)? = result.network.layers["grouped"]?.weights else { return XCTFail() }
            XCTAssertEqual(zeros.points, [UInt8](repeating: 0, count: 6))
        }
    }

    /// More budget never makes a small layer worse, whatever codebooks take of it.
    func testSmallLayersUseTheirBudget() throws {
        var builder = NetworkBuilder(seed: 33, input: [.batch, .fixed(10)])
        builder.output(builder.gemm("fc", from: "image", [5, 10]))
        let calibration = try samples(builder.network)
        var last = Double.infinity
        for bits in [8.0, 10, 12, 14, 16, 18, 20] {
            let result = try quantize(builder.network, calibration: calibration, options: options(.ladder(.bitsPerWeight(bits))))
            let found = try distance(builder.network, result.network, calibration)
            XCTAssertLessThan(found, 1.05 * last, "\(bits) bits")
            last = found
        }
        XCTAssertLessThan(last, 0.1)
    }
}
