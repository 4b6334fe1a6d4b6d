import DNNL
import MultipointGraph
import MultipointRuntime
import SeededNumbers
import XCTest

/// Plans against int64 and float64 loops over random layers.
final class ExactnessTests: XCTestCase {
    private func bytes(_ count: Int, _ generator: inout SeededGenerator) -> [UInt8] {
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: [UInt8](repeating: 255, count: count)
        case 1: (0..<count).map { _ in Bool.random(using: &generator) ? 255 : 0 }
        default: (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
        }
    }

    private func run<Result: BitwiseCopyable>(
        _ plan: Plan, _ input: [UInt8], residual: [Float]? = nil, as type: Result.Type
    ) throws -> [Result] {
        let count = plan.destinationShape.reduce(1, *)
        let size = MemoryLayout<Result>.size
        // One byte off any alignment, between guards.
        let source = UnsafeMutableRawPointer.allocate(byteCount: input.count + 1, alignment: 64)
        let destination = UnsafeMutableRawPointer.allocate(byteCount: count * size + 17, alignment: 64)
        let addend = UnsafeMutableRawPointer.allocate(byteCount: (residual?.count ?? 0) * 4 + 1, alignment: 64)
        defer {
            source.deallocate()
            destination.deallocate()
            addend.deallocate()
        }
        (source + 1).copyMemory(from: input, byteCount: input.count)
        if let residual { (addend + 1).copyMemory(from: residual, byteCount: residual.count * 4) }
        destination.initializeMemory(as: UInt8.self, repeating: 0xA5, count: count * size + 17)
        try plan.execute(
            source: source + 1, residual: residual == nil ? nil : addend + 1, destination: destination + 1, workspace: nil)
        XCTAssertEqual(destination.load(as: UInt8.self), 0xA5, "wrote before the destination")
        for offset in (1 + count * size)..<(count * size + 17) {
            XCTAssertEqual(destination.load(fromByteOffset: offset, as: UInt8.self), 0xA5, "wrote behind the destination")
        }
        return (0..<count).map { (destination + 1).loadUnaligned(fromByteOffset: $0 * size, as: type) }
    }

    /// Raw sums: those of a channel's rows, grouped by scale, are the exact integer sums of its vectors.
    func testRowSumsAreExact() throws {
        var generator = SeededGenerator(seed: 1)
        for number in 0..<300 {
            let random = RandomLayer(&generator)
            let prepared = PreparedLayer(random.layer)
            let rows = try XCTUnwrap(prepared.rows)
            let reference = ReferenceLayer(random.packed)
            let input = bytes(random.inputShape.reduce(1, *), &generator)
            let plan = try Plan(
                prepared, sourceShape: random.inputShape,
                source: .init(type: .uint8, layout: .dense, quantization: random.layer.inputQuantization),
                destination: .init(type: .int32, layout: .dense), threads: Int.random(in: 1...2, using: &generator))
            let sums = try run(plan, input, as: Int32.self)
            let positions = plan.destinationShape.dropFirst(2).reduce(1, *)
            let channelShape = [plan.destinationShape[0], random.layer.channels] + plan.destinationShape.dropFirst(2)
            var mismatches = 0
            ReferenceLayer.forEachOutput(random, input, Int64(random.layer.inputQuantization?.zeroPoint ?? 0), channelShape) {
                index, channel, pairs in
                let (batch, position) = (index / (random.layer.channels * positions), index % positions)
                var found: [Double: Int64] = [:]
                for row in 0..<rows.count where Int(rows.channels[row]) == channel {
                    found[Double(rows.scales[row]), default: 0] += Int64(sums[(batch * rows.count + row) * positions + position])
                }
                var expected: [Double: Int64] = [:]
                for vector in reference.vectors[channel] {
                    expected[vector.scale, default: 0] += pairs.reduce(0) { $0 + vector.entries[$1.0] * $1.1 }
                }
                if expected.isEmpty { expected = [1: 0] }
                if found != expected { mismatches += 1 }
            }
            XCTAssertEqual(mismatches, 0, "layer \(number): \(random.layer.shape) \(random.attributes) \(plan.implementations)")
            XCTAssertTrue(rows.values.allSatisfy { abs(Int($0)) <= 64 })
        }
    }

    /// Float results within 1e-5 · (|bias| + s_x · Σ|a| · Σ|q| · |x − z|); u8 results within one step.
    func testResultsMatchDoubleArithmetic() throws {
        var generator = SeededGenerator(seed: 2)
        for number in 0..<300 {
            let random = RandomLayer(&generator)
            let prepared = PreparedLayer(random.layer)
            let quantization = try XCTUnwrap(random.layer.inputQuantization)
            let activations: [Elementwise?] = [
                nil, .relu, .leakyRelu(alpha: 0.1), .clip(minimum: 0, maximum: 6), .sigmoid, .hardSigmoid(alpha: 0.2, beta: 0.5),
                .hardSwish, .swish(alpha: 1), .mish, .gelu, .geluTanh, .elu(alpha: 1), .tanh, .softplus,
            ]
            let activation = activations[Int.random(in: 0..<activations.count, using: &generator)]
            let layout: Layout = Bool.random(using: &generator) ? .dense : .channelsLast
            let output = AffineQuantization(scale: 0.05, zeroPoint: UInt8.random(in: 0...255, using: &generator))
            let input = bytes(random.inputShape.reduce(1, *), &generator)
            let source = Plan.Port(type: .uint8, layout: .dense, quantization: quantization)
            let withResidual = Bool.random(using: &generator)
            let port = { (type: ElementType) in
                Plan.Port(type: type, layout: layout, quantization: type == .uint8 ? output : nil)
            }
            let make = { (type: ElementType) in
                try Plan(
                    prepared, sourceShape: random.inputShape, source: source, residual: withResidual ? port(.float32) : nil,
                    destination: port(type), activation: activation, threads: 1 + number % 2)
            }
            let plan = try make(.float32)
            let count = plan.destinationShape.reduce(1, *)
            let residual = withResidual ? (0..<count).map { _ in Float.random(in: -2...2, using: &generator) } : nil
            let floats = try run(plan, input, residual: residual, as: Float.self)
            let stored = try run(make(.uint8), input, residual: residual, as: UInt8.self)
            let order = memoryOrder(plan.destinationShape, layout)
            let reference = ReferenceLayer(random.packed)
            var worst = 0.0
            var worstStep = 0
            ReferenceLayer.forEachOutput(random, input, Int64(quantization.zeroPoint), plan.destinationShape) { index, channel, pairs in
                var (value, bound) = (Double(random.layer.bias?[channel] ?? 0), abs(Double(random.layer.bias?[channel] ?? 0)))
                for vector in reference.vectors[channel] {
                    let scale = Double(quantization.scale) * vector.scale
                    value += scale * Double(pairs.reduce(0) { $0 + vector.entries[$1.0] * $1.1 })
                    bound += scale * Double(pairs.reduce(0) { $0 + abs(vector.entries[$1.0] * $1.1) })
                }
                let place = order(index)
                if let residual {
                    value += Double(residual[place])
                    bound += abs(Double(residual[place]))
                }
                let real = (activation?.exact ?? { $0 })(value)
                // Exponentials are themselves only good to some 1e-6 in float.
                let isExponential = ![nil, .relu, .leakyRelu(alpha: 0.1), .clip(minimum: 0, maximum: 6)].contains(activation)
                let tolerance = 1e-5 * bound + (isExponential ? 2e-6 : 1e-30)
                worst = max(worst, abs(Double(floats[place]) - real) / tolerance)
                let step = min(255, max(0, (real / Double(output.scale)).rounded(.toNearestOrEven) + Double(output.zeroPoint)))
                worstStep = max(worstStep, abs(Int(stored[place]) - Int(step)))
            }
            let what = """
                layer \(number): \(random.layer.shape), input \(random.inputShape), \(random.attributes), \(prepared.execution), \
                residual \(withResidual), \(activation), \(layout), \(plan.implementations)
                """
            XCTAssertLessThanOrEqual(worst, 1, what)
            XCTAssertLessThanOrEqual(worstStep, 1, what)
        }
    }

    /// Layers kept in float, with float inputs, against float64 loops.
    func testFloatLayersMatchDoubleArithmetic() throws {
        var generator = SeededGenerator(seed: 3)
        for number in 0..<200 {
            let random = RandomLayer(&generator)
            let weights = (0..<random.layer.shape.reduce(1, *)).map { _ in Float.random(in: -1...1, using: &generator) }
            var layer = random.layer
            layer.weights = .float(weights)
            let layout: Layout = Bool.random(using: &generator) ? .dense : .channelsLast
            let withResidual = Bool.random(using: &generator)
            let port = Plan.Port(type: .float32, layout: layout)
            let plan = try Plan(
                PreparedLayer(layer), sourceShape: random.inputShape, source: .init(type: .float32, layout: .dense),
                residual: withResidual ? port : nil, destination: port, activation: .relu, threads: 1 + number % 2)
            // Small integers, so that the loop over bytes serves here too.
            let input = (0..<random.inputShape.reduce(1, *)).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let count = plan.destinationShape.reduce(1, *)
            let residual = withResidual ? (0..<count).map { _ in Float.random(in: -200...200, using: &generator) } : nil
            let source = input.map { Float($0) - 128 }.flatMap { withUnsafeBytes(of: $0, Array.init) }
            let found = try run(plan, source, residual: residual, as: Float.self)
            let order = memoryOrder(plan.destinationShape, layout)
            var worst = 0.0
            ReferenceLayer.forEachOutput(random, input, 128, plan.destinationShape) { index, channel, pairs in
                let start = channel * random.layer.rowLength
                let place = order(index)
                let addends = [Double(layer.bias?[channel] ?? 0), Double(residual?[place] ?? 0)]
                    + pairs.map { Double(weights[start + $0.0]) * Double($0.1) }
                let bound = addends.reduce(0) { $0 + abs($1) }
                worst = max(worst, abs(Double(found[place]) - max(0, addends.reduce(0, +))) / (1e-5 * bound + 1e-30))
            }
            XCTAssertLessThanOrEqual(
                worst, 1,
                "layer \(number): \(layer.shape), input \(random.inputShape), \(random.attributes), residual \(withResidual), \(layout), \(plan.implementations)")
        }
    }

    /// The place in memory of the element with a C-order index.
    private func memoryOrder(_ shape: [Int], _ layout: Layout) -> (Int) -> Int {
        guard layout == .channelsLast, shape.count == 4 else { return { $0 } }
        let (channels, positions) = (shape[1], shape[2] * shape[3])
        return { index in
            let (batch, channel, position) = (index / (channels * positions), index / positions % channels, index % positions)
            return (batch * positions + position) * channels + channel
        }
    }
}
