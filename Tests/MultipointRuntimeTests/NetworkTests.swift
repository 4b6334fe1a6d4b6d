import Glibc
import MultipointGraph
import MultipointRuntime
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
            "Resize", "DepthToSpace", "SpaceToDepth", "Expand", "ReduceMax", "sum rows of Conv+Relu", "sum rows of Conv",
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
}

