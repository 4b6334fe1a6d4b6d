import Glibc
import MultipointGraph
import MultipointRuntime
import SeededNumbers
import XCTest

/// Compiled networks of random blocks.
final class NetworkTests: XCTestCase {
    private func check(_ random: RandomNetwork, threads: Int, _ what: String) throws {
        let comparison = try NetworkComparison(random.network, inputs: [random.input], batch: random.batch, threads: threads)
        comparison.assertAccepted(what)
        XCTAssertTrue(comparison.differences.contains { $0.value == random.network.outputs[0].name }, what)
    }

    func testRandomNetworksMatchTheirOperations() throws {
        for seed in 0..<100 {
            try check(RandomNetwork(seed: UInt64(seed)), threads: 1 + seed % 2, "network \(seed)")
        }
    }

    /// Packed networks give an image the same bits whatever the number of threads, the batch, the place in it, what ran before, and the
    /// session. (Layers kept in float do not promise that: oneDNN adds up their products in an order that depends on the threads.)
    func testResultsDoNotDependOnThreadsBatchOrSession() throws {
        var count = 0
        for number in 100..<130 {
            let random = try RandomNetwork(seed: UInt64(number))
            guard random.network.layers.values.allSatisfy(\.isPacked), random.hasFreeBatch else { continue }
            var generator = SeededGenerator(seed: UInt64(number))
            let size = random.input.count / random.batch
            let images = (0..<5).map { _ in (0..<size).map { _ in Float.random(in: -1...1, using: &generator) } }
            let prepared = random.prepared
            let alone = try Session(prepared, maximumBatch: 1, threads: 1)
            let expected = try images.map { try alone.run([$0], batch: 1).map { $0.map(\.bitPattern) } }
            // Images that give the same result cannot be told apart.
            guard Set(expected).count == images.count else { continue }
            count += 1
            for threads in 1...3 {
                let session = try Session(prepared, maximumBatch: 5, threads: threads)
                for order in [[0, 1, 2, 3, 4], [3, 1], [2], [4, 3, 2, 1, 0]] {
                    let found = try session.run([order.flatMap { images[$0] }], batch: order.count)
                    for (output, values) in found.enumerated() {
                        XCTAssertEqual(
                            values.map(\.bitPattern), order.flatMap { expected[$0][output] },
                            "network \(number), output \(output), \(threads) threads, images \(order)")
                    }
                }
            }
        }
        XCTAssertGreaterThan(count, 8)
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
            "MaxPool", "AveragePool", "GlobalAveragePool", "Slice", "Pad", "Relu", "requantize",
            "Conv+HardSigmoid", "Conv+HardSwish", "Conv+Swish", "Conv+Mish", "Conv+Gelu", "Conv+Elu", "Conv+Tanh", "Mul", "Sub", "PRelu", "Gather",
            "Resize", "DepthToSpace", "Expand", "ReduceMax", "sum rows of Conv+Relu", "sum rows of Conv",
        ]
        XCTAssertTrue(expected.isSubset(of: fusions), "missing: \(expected.subtracting(fusions)); found: \(fusions)")
    }
}

extension NetworkComparison {
    /// Fails for every value that is too far off, and every step that oneDNN has no kernel of its own for.
    func assertAccepted(_ what: String, file: StaticString = #filePath, line: UInt = #line) {
        for difference in differences where !difference.isAccepted {
            XCTFail("\(what): \(difference)", file: file, line: line)
        }
        for step in steps where step.implementation.contains("ref") {
            XCTFail("\(what): \(step.name), \(step.implementation)", file: file, line: line)
        }
    }
}

extension RandomNetwork {
    var prepared: PreparedNetwork { PreparedNetwork(network) }

    /// Some blocks expand a constant to the batch that the network was made for.
    var hasFreeBatch: Bool {
        !network.nodes.contains { node in
            if case .expand = node.operation { true } else { false }
        }
    }
}

