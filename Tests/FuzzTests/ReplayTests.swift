import Foundation
import FuzzTargets
import XCTest

/// Inputs of Tests/fuzzing, through an ordinary build. What breaks a promise ends the process.
final class ReplayTests: XCTestCase {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("fuzzing")

    private func files(_ folder: String) throws -> [(name: String, bytes: [UInt8])] {
        let url = ReplayTests.folder.appendingPathComponent(folder)
        guard FileManager.default.fileExists(atPath: url.path) else { return [] }
        return try FileManager.default.contentsOfDirectory(at: url, includingPropertiesForKeys: nil).sorted { $0.path < $1.path }
            .map { ($0.lastPathComponent, Array(try Data(contentsOf: $0))) }
    }

    /// What once broke something, and what fuzzing starts from.
    func testKnownInputsDoNoHarm() throws {
        for target in FuzzTarget.allCases {
            for kind in ["regressions", "corpus"] {
                for (name, bytes) in try files("\(kind)/\(target.rawValue)") {
                    let outcome = target.run(bytes, .quick)
                    if target == .npy, kind == "corpus" { XCTAssertEqual(outcome, name == "fortran" ? .refused : .read, name) }
                }
            }
        }
    }

    /// The seeds are worth starting from: most of the models run, as they are and as packed files.
    func testSeedsRun() throws {
        var counts: [FuzzTarget: Int] = [:]
        for (_, bytes) in try files("corpus/onnx") {
            guard let (packed, graph) = seeds(onnx: bytes) else { continue }
            for (target, bytes) in [(FuzzTarget.onnx, bytes), (.packed, packed), (.graph, graph)] where target.run(bytes, .quick) == .run {
                counts[target, default: 0] += 1
            }
        }
        XCTAssertGreaterThan(counts[.onnx] ?? 0, 60)
        XCTAssertGreaterThan(counts[.packed] ?? 0, 60)
        XCTAssertGreaterThan(counts[.graph] ?? 0, 50)
        XCTAssertEqual(packedSeeds.map { FuzzTarget.packed.run($0, .quick) }, [.run, .read])
        // Not all constants fit the image.
        XCTAssertGreaterThan(graphSeeds.filter { FuzzTarget.graph.run($0, .quick) == .run }.count, 8)
    }

    func testDamagedFilesDoNoHarm() throws {
        let models = try files("corpus/onnx").map(\.bytes)
        let packed = packedSeeds + models.compactMap { seeds(onnx: $0)?.packed }
        for (target, originals) in [(FuzzTarget.onnx, models), (.packed, packed)] {
            let corruption = Corruption(target, of: originals, seed: 1)
            var outcomes: [FuzzOutcome: Int] = [:]
            for number in 0..<300 { outcomes[target.run(corruption.file(number), .quick), default: 0] += 1 }
            // Damage is neither always noticed nor always harmless.
            XCTAssertGreaterThan(outcomes[.refused] ?? 0, 100, "\(target)")
            XCTAssertGreaterThan(outcomes[.run] ?? 0, 3, "\(target)")
        }
    }
}
