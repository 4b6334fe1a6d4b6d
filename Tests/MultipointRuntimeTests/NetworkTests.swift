import DNNL
import Glibc
import MultipointGraph
import XCTest

@testable import MultipointRuntime

/// Every value that a compiled network keeps, against the network's own operations applied one by one to the values that it was made of.
final class NetworkTests: XCTestCase {
    private struct Kept {
        var values: [Double]
        var quantization: AffineQuantization?
    }

    /// Runs step by step and reads every value as soon as it is there: its memory may be another's later.
    private func keptValues(_ random: RandomNetwork, threads: Int) throws -> (values: [String: Kept], program: Program) {
        let prepared = PreparedNetwork(random.network)
        let outputs = random.network.outputs.map(\.name)
        let interface = ProgramInterface(batch: random.batch, inputs: [.dense], outputs: outputs.map { _ in .dense })
        let (program, traced) = try NetworkCompiler.compileTraced(prepared, interface, outputs: outputs, threads: threads)
        let arena = try AlignedBuffer(byteCount: program.arenaByteCount)
        let shapes = try random.network.shapes(batch: random.batch)
        let source = try AlignedBuffer(byteCount: random.input.count * 4)
        source.base.copyMemory(from: random.input, byteCount: random.input.count * 4)
        let result = try AlignedBuffer(byteCount: (shapes[outputs[0]] ?? []).reduce(4, *))
        let addresses: [UnsafeMutableRawPointer?] = program.buffers.enumerated().map { index, kind in
            switch kind {
            case .arena: arena.base + program.offsets[index]
            case .external(let number): number == 0 ? source.base : result.base
            case .constant(let buffer): buffer.base
            }
        }
        var kept: [String: Kept] = [:]
        func keep(after steps: Int) {
            for (name, value) in traced where value.steps == steps {
                if let address = addresses[value.value.buffer.index] { kept[name] = read(value.value, address) }
            }
        }
        let stream = try DNNL.Stream()
        try withExtendedLifetime((arena, source, result)) {
            keep(after: 0)
            for (index, step) in program.steps.enumerated() {
                let bound = try step.bound()
                try bound.move(to: addresses)
                try Threads.with(threads) { () throws(DNNLError) in try bound.run(stream) }
                keep(after: index + 1)
            }
        }
        return (kept, program)
    }

    /// In C order.
    private func read(_ value: StoredValue, _ address: UnsafeMutableRawPointer) -> Kept {
        let strides = value.strides
        let values = (0..<value.count).map { number in
            var (rest, offset) = (number, 0)
            for axis in value.shape.indices.reversed() {
                offset += rest % value.shape[axis] * strides[axis]
                rest /= value.shape[axis]
            }
            guard let quantization = value.quantization else { return Double(address.load(fromByteOffset: offset * 4, as: Float.self)) }
            let stored = address.load(fromByteOffset: offset, as: UInt8.self)
            return Double(quantization.scale) * Double(Int(stored) - Int(quantization.zeroPoint))
        }
        return Kept(values: values, quantization: value.quantization)
    }

    private func check(_ random: RandomNetwork, threads: Int, _ what: String) throws {
        let (kept, program) = try keptValues(random, threads: threads)
        let network = random.network
        let reference = ReferenceNetwork(network: network, shapes: try network.shapes(batch: random.batch))
        // Of values that fusion left no place for, the reference; of the others what the network has.
        var sources = kept.mapValues(\.values)
        for node in network.nodes {
            let expected = reference.value(of: node, node.inputs.map { sources[$0] ?? [] })
            guard let found = kept[node.output] else {
                sources[node.output] = expected
                continue
            }
            XCTAssertEqual(found.values.count, expected.count, "\(what): \(node.output)")
            let worst = zip(found.values, expected).map { distance($0, $1, found.quantization) }.max() ?? 0
            XCTAssertLessThanOrEqual(worst, 1, "\(what): \(node.output) of \(node.operation), \(String(describing: found.quantization))")
        }
        for step in program.steps { XCTAssertFalse(step.implementation.contains("ref"), "\(what): \(step.name), \(step.implementation)") }
        XCTAssertNotNil(kept[network.outputs[0].name])
    }

    /// In 8 bits: half a step from the nearest real value in range, and a little for rounding to float before. Else a millionth part.
    private func distance(_ found: Double, _ expected: Double, _ quantization: AffineQuantization?) -> Double {
        guard let quantization else { return abs(found - expected) / (1e-5 * (1 + abs(expected))) }
        let scale = Double(quantization.scale)
        let (low, high) = (-Double(quantization.zeroPoint) * scale, Double(255 - Int(quantization.zeroPoint)) * scale)
        return abs(found - max(low, min(high, expected))) / (0.505 * scale)
    }

    func testRandomNetworksMatchTheirOperations() throws {
        for seed in 0..<100 {
            try check(RandomNetwork(seed: UInt64(seed)), threads: 1 + seed % 2, "network \(seed)")
        }
    }

    /// The generator makes what it is meant to.
    func testRandomNetworksAreOfAllKinds() throws {
        var fusions: Set<String> = []
        for seed in 0..<60 {
            let random = try RandomNetwork(seed: UInt64(seed))
            let session = try Session(random.prepared, maximumBatch: random.batch, threads: 1)
            fusions.formUnion(session.steps.map(\.operation))
        }
        let expected: Set = [
            "quantize", "Conv", "Conv+Relu", "Conv+Clip", "Conv+LeakyRelu", "Conv+Sigmoid", "Conv+Add", "Conv+Add+Relu", "Gemm", "Concat",
            "MaxPool", "AveragePool", "GlobalAveragePool", "Slice", "Pad", "Relu", "requantize", "sum rows of Conv+Relu", "sum rows of Conv",
        ]
        XCTAssertTrue(expected.isSubset(of: fusions), "missing: \(expected.subtracting(fusions)); found: \(fusions)")
    }
}

extension RandomNetwork {
    var prepared: PreparedNetwork { PreparedNetwork(network) }
}

extension Double {
    var exponential: Double { exp(self) }
}
