import Foundation
import MultipointFormat
import MultipointGraph
import NumPyArrays
import XCTest

@testable import multipoint_cli

/// The command as a user runs it: a process with arguments, standard output, standard error and an exit status.
final class CommandTests: XCTestCase {
    private struct Outcome {
        var status: Int32
        var output: String
        var errors: String
    }

    private static let digits = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
        "../../Examples/digits"
    ).path

    private func command(_ arguments: String...) throws -> Outcome {
        let process = Process()
        // The command is built beside the tests.
        process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent(
            "multipoint-cli")
        process.arguments = arguments
        let (output, errors) = (Pipe(), Pipe())
        (process.standardOutput, process.standardError) = (output, errors)
        try process.run()
        let texts = [output, errors].map { String(decoding: $0.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self) }
        process.waitUntilExit()
        return Outcome(status: process.terminationStatus, output: texts[0], errors: texts[1])
    }

    private func assertFails(_ outcome: Outcome, _ status: Int32 = 1, _ words: String..., line: UInt = #line) {
        XCTAssertEqual(outcome.status, status, outcome.errors, line: line)
        XCTAssertEqual(outcome.output, "", line: line)
        for word in words { XCTAssertTrue(outcome.errors.contains(word), "\"\(outcome.errors)\" lacks \"\(word)\"", line: line) }
    }

    /// y = 2 x₀ − x₁ and −x₀ + 0.5 x₁ + 1, in float.
    private func writeSmallNetwork(_ path: String) throws {
        let layer = Layer(name: "fc", operation: .gemm, shape: [2, 2], weights: .float([2, -1, -1, 0.5]), bias: [0, 1])
        let network = Network(
            name: "small", inputs: [ValueInfo(name: "x", shape: [.batch, .fixed(2)])],
            outputs: [ValueInfo(name: "y", shape: [.batch, .fixed(2)])],
            nodes: [Node(name: "fc", operation: .layer("fc"), inputs: ["x"], output: "y")], layers: ["fc": layer],
            layerOrder: ["fc"])
        try PackedFile(network: network, producer: "a test").write(to: path)
    }

    // MARK: - What works

    func testRunWithPreprocessing() throws {
        let folder = try TemporaryFolder()
        try writeSmallNetwork(folder.file("net"))
        try folder.write("x.npy", npy(type: "|u1", [3, 2], [10, 20, 30, 40, 50, 60]))
        let outcome = try command(
            "run", folder.file("net"), "--input", folder.file("x.npy"), "--output", folder.file("y.npy"), "--scale", "0.1",
            "--mean", "1", "--std", "2",
            "--batch", "2", "--threads", "1")
        XCTAssertEqual(outcome.status, 0, outcome.errors)
        XCTAssertEqual(outcome.output, "output `y` 3×2: \(folder.file("y.npy"))\n")
        XCTAssertEqual(outcome.errors, "", "no progress where there is no terminal")
        let result = try NPYArray(path: folder.file("y.npy"))
        XCTAssertEqual(result.shape, [3, 2])
        guard case .float32(let values) = result.elements else { return XCTFail(result.typeName) }
        // x = (0, 0.5), (1, 1.5), (2, 2.5)
        for (found, expected) in zip(values, [-0.5, 1.25, 0.5, 0.75, 1.5, 0.25] as [Float]) {
            XCTAssertEqual(found, expected, accuracy: 1e-5)
        }
    }

    func testEvaluate() throws {
        let folder = try TemporaryFolder()
        try writeSmallNetwork(folder.file("net"))
        try folder.write("x.npy", npy(type: "<f4", [3, 2], littleEndian([0, 0.5, 1, 1.5, 2, 2.5] as [Float])))
        try folder.write("l.npy", npy(type: "<i8", [3], littleEndian([1, 0, 0] as [Int64])))
        let arguments = [
            folder.file("net"), folder.file("net"), "--images", folder.file("x.npy"), "--labels", folder.file("l.npy"),
        ]
        let table = try command("evaluate", arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5])
        XCTAssertEqual(table.status, 0, table.errors)
        XCTAssertEqual(table.output.components(separatedBy: "66.67 %").count, 3, table.output)
        XCTAssertTrue(table.output.contains("equal"), table.output)
        let json = try command(
            "evaluate", arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5], "--json", "--batch", "2"
        )
        let results = try XCTUnwrap(JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [[String: Any]])
        XCTAssertEqual(results.count, 2)
        XCTAssertEqual(try XCTUnwrap(results[0]["top1"] as? Double), 2.0 / 3, accuracy: 1e-12)
        XCTAssertEqual(results[1]["agreement"] as? Double, 1)
        XCTAssertEqual(results[1]["equals_first"] as? Bool, true)
    }

    /// What `bench` tells about a float network and the same as a packed file, whatever the times are.
    func testBench() throws {
        let folder = try TemporaryFolder()
        let (model, packed) = (CommandTests.digits + "/digits.onnx", folder.file("digits.multipoint"))
        let quantized = try command(
            "quantize", model, "--calibration", CommandTests.digits + "/calibration_images.npy", "--scale", "0.0625", "--limit", "8",
            "--bits", "4", "--max-points", "1", "--output", packed)
        XCTAssertEqual(quantized.status, 0, quantized.errors)
        for file in [model, packed] {
            let json = try command("bench", file, "--batch", "1,3", "--threads", "1,2", "--seconds", "0.01", "--profile", "--json")
            XCTAssertEqual(json.status, 0, json.errors)
            let report = try XCTUnwrap(JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
            let results = try XCTUnwrap(report["results"] as? [[String: Any]])
            XCTAssertEqual(results.map { [$0["batch"] as? Int, $0["threads"] as? Int] }, [[1, 1], [1, 2], [3, 1], [3, 2]])
            for result in results { try checkBenched(result, isPacked: file == packed) }
        }
        let several = try command("bench", packed, "--seconds", "0.01", "--sessions", "3", "--json")
        XCTAssertEqual(several.status, 0, several.errors)
        let report = try XCTUnwrap(JSONSerialization.jsonObject(with: Data(several.output.utf8)) as? [String: Any])
        let sessions = try XCTUnwrap((report["results"] as? [[String: Any]])?.first?["sessions"] as? [String: Any])
        XCTAssertEqual(sessions["count"] as? Int, 3)
        let (all, one) = (sessions["images_per_second"] as? Double ?? 0, sessions["images_per_second_of_one"] as? Double ?? 0)
        XCTAssertEqual(try XCTUnwrap(sessions["scaling"] as? Double), all / one, accuracy: 1e-6)
        assertFails(try command("bench", packed, "--sessions", "0"), 64, "--sessions")
        let text = try command("bench", packed, "--seconds", "0.01", "--cpu-time")
        XCTAssertEqual(text.status, 0, text.errors)
        XCTAssertTrue(text.output.contains("8 layers, 8 of them packed"), text.output)
        assertFails(try command("bench", packed, "--cpu-time", "--threads", "2"), 64, "--cpu-time")
        assertFails(try command("bench", packed, "--batch", "1,0"), 64, "--batch")
        assertFails(try command("bench", packed, "--threads", "x"), 64, "--threads")
        assertFails(try command("bench", folder.file("nothing"), "--seconds", "0.01"), 1, "nothing")
    }

    private func checkBenched(_ result: [String: Any], isPacked: Bool) throws {
        func number(_ key: String, in object: Any?) throws -> Double {
            try XCTUnwrap((object as? [String: Any])?[key] as? Double, key)
        }
        let latency = result["latency"]
        let (minimum, median) = (try number("minimum", in: latency), try number("median", in: latency))
        let (p99, throughput) = (try number("p99", in: latency), try number("images_per_second", in: result))
        let (batch, floor) = (try number("batch", in: result), try number("floor_milliseconds", in: result))
        XCTAssertTrue(0 < minimum && minimum <= median && median <= p99)
        XCTAssertEqual(throughput, batch / median * 1000, accuracy: 1e-6 * throughput)
        XCTAssertEqual(try number("floor_ratio", in: result), minimum / floor, accuracy: 1e-6)
        let phases = try ["read", "decode", "compile", "first_run"].map { try number($0, in: result["load"]) }
        XCTAssertEqual(phases.reduce(0, +), try number("total", in: result["load"]), accuracy: 1e-6)
        // More than the weights, less than the machine.
        XCTAssertTrue((85_920...1e9).contains(try number("peak_bytes", in: result["load"])))
        let steps = try XCTUnwrap(result["profile"] as? [[String: Any]])
        XCTAssertEqual(steps.reduce(0) { $0 + ($1["share"] as? Double ?? 0) }, 1, accuracy: 1e-6)
        // Every layer has one floor, a bare convolution.
        let floors = steps.filter { $0["floor_microseconds"] != nil }
        XCTAssertEqual(Set(floors.compactMap { $0["name"] as? String }).count, 8)
        XCTAssertEqual(floors.count, 8)
        XCTAssertTrue(floors.allSatisfy { $0["kind"] as? String == "layer" && ($0["gops"] as? Double ?? 0) > 0 })
        XCTAssertTrue(floors.allSatisfy { !("\($0["floor_implementation"] ?? "ref")".contains("ref")) })
        XCTAssertEqual(steps.contains { $0["operation"] as? String == "quantize" }, isPacked)
    }

    /// The whole chain: quantize, inspect, evaluate, run.
    func testDigits() throws {
        let folder = try TemporaryFolder()
        let (model, packed) = (CommandTests.digits + "/digits.onnx", folder.file("digits.multipoint"))
        let quantized = try command(
            "quantize", model, "--calibration", CommandTests.digits + "/calibration_images.npy", "--scale", "0.0625", "--limit",
            "48", "--bits", "4",
            "--max-points", "2", "--output", packed)
        XCTAssertEqual(quantized.status, 0, quantized.errors)
        XCTAssertEqual(quantized.errors, "")
        XCTAssertEqual(try folder.content, ["digits.multipoint"])

        let inspected = try command("inspect", packed)
        let lines = inspected.output.split(separator: "\n", omittingEmptySubsequences: false)
        XCTAssertEqual(lines.filter { !$0.hasPrefix("one image in memory") }.joined(separator: "\n"), quantized.output, "both tell the same")
        let json = try command("inspect", packed, "--json")
        let summary = try XCTUnwrap(JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        let layers = try XCTUnwrap(summary["layers"] as? [[String: Any]])
        XCTAssertEqual(layers.count, 8)
        for layer in layers {
            XCTAssertGreaterThan(try XCTUnwrap(layer["relative_output_error"] as? Double), 0)
            XCTAssertLessThan(try XCTUnwrap(layer["relative_output_error"] as? Double), 0.05)
            XCTAssertEqual((layer["channels_by_points"] as? [Int])?.reduce(0, +), (layer["shape"] as? [Int])?.first)
        }
        let memory = try XCTUnwrap(summary["memory"] as? [String: Int])
        // One byte for each weight of a row, four for each bias; the largest activation has 32 × 8 × 8 values.
        XCTAssertGreaterThanOrEqual(try XCTUnwrap(memory["weight_bytes"]), 85_920 + 4 * (4 * 32 + 2 * 64 + 32 + 10))
        XCTAssertGreaterThanOrEqual(try XCTUnwrap(memory["arena_bytes"]), 2 * 32 * 8 * 8)
        let totals = try XCTUnwrap(summary["totals"] as? [String: Any])
        // 32·9 + 3·32·32·9 + 64·32·9 + 64·64·9 + 64·32 + 10·64
        XCTAssertEqual(totals["weights"] as? Int, 85_920)
        XCTAssertEqual(totals["file_bytes"] as? Int, try Data(contentsOf: URL(fileURLWithPath: packed)).count)

        let evaluated = try command(
            "evaluate", model, packed, "--images", CommandTests.digits + "/heldout_images.npy", "--labels",
            CommandTests.digits + "/heldout_labels.npy",
            "--scale", "0.0625", "--json")
        let results = try XCTUnwrap(JSONSerialization.jsonObject(with: Data(evaluated.output.utf8)) as? [[String: Any]])
        // ONNX Runtime on the same images: 446 of 450.
        XCTAssertEqual(try XCTUnwrap(results[0]["top1"] as? Double), 446.0 / 450, accuracy: 1e-9)
        XCTAssertGreaterThan(try XCTUnwrap(results[1]["top1"] as? Double), 0.97)
        XCTAssertGreaterThan(try XCTUnwrap(results[1]["signal_to_noise"] as? Double), 15)
    }

    /// Codes that index subsets: written, read and run.
    func testSubsetCodebooks() throws {
        let folder = try TemporaryFolder()
        let (model, packed) = (CommandTests.digits + "/digits.onnx", folder.file("digits.multipoint"))
        let quantized = try command(
            "quantize", model, "--calibration", CommandTests.digits + "/calibration_images.npy", "--scale", "0.0625", "--limit",
            "48", "--codebook", "subset", "--bits", "3", "--max-points", "1", "--output", packed)
        XCTAssertEqual(quantized.status, 0, quantized.errors)
        let inner = try PackedFile(path: packed).layers.dropFirst().dropLast()
        for layer in inner {
            guard case .packed(let weights) = layer.weights else { return XCTFail(layer.name) }
            for level in weights.levels {
                XCTAssertEqual(level.codebook.count, 8)
                XCTAssertLessThanOrEqual(level.codebook.map { abs(Int($0)) }.max() ?? 0, 32)
            }
        }
        // They are searched layer by layer.
        XCTAssertGreaterThan(Set(inner.map(\.firstCodebook)).count, 1)
        let evaluated = try command(
            "evaluate", model, packed, "--images", CommandTests.digits + "/heldout_images.npy", "--labels",
            CommandTests.digits + "/heldout_labels.npy", "--scale", "0.0625", "--json")
        let results = try XCTUnwrap(JSONSerialization.jsonObject(with: Data(evaluated.output.utf8)) as? [[String: Any]])
        XCTAssertGreaterThan(try XCTUnwrap(results[1]["top1"] as? Double), 0.97)
        let wide = try command(
            "quantize", model, "--calibration", "x.npy", "--codebook", "subset", "--bits", "5", "-o", folder.file("never"))
        assertFails(wide, 64, "2 to 4 expected")
    }

    func testFloatMethodNeedsNoCalibration() throws {
        let folder = try TemporaryFolder()
        let outcome = try command(
            "quantize", CommandTests.digits + "/digits.onnx", "--method", "float", "-o", folder.file("f.multipoint"))
        XCTAssertEqual(outcome.status, 0, outcome.errors)
        let file = try PackedFile(path: folder.file("f.multipoint"))
        XCTAssertTrue(file.layers.allSatisfy { !$0.isPacked })
        XCTAssertEqual(file.network?.inputs, [ValueInfo(name: "image", shape: [.batch, .fixed(1), .fixed(8), .fixed(8)])])
    }

    func testVersionAndHelp() throws {
        let version = try command("--version")
        XCTAssertEqual(version.status, 0)
        XCTAssertNotNil(
            version.output.wholeMatch(of: #/\d+\.\d+\.\d+\noneDNN \d+\.\d+\.\d+ \(OpenMP\), [^,\n]+, \d+ threads?\n/#), version.output)
        for name in ["quantize", "inspect", "report", "run", "evaluate", "compare", "bench", "doctor", "export"] { XCTAssertEqual(try command(name, "--help").status, 0) }
    }

    // MARK: - What fails

    func testUsageErrors() throws {
        let (folder, model) = (try TemporaryFolder(), CommandTests.digits + "/digits.onnx")
        assertFails(try command("quantize", model, "-o", folder.file("never")), 64, "--calibration")
        assertFails(try command("quantize", model, "--calibration", "x.npy"), 64, "--output")
        for (option, value) in [
            ("--bits", "9"), ("--bits", "0"), ("--first-bits", "12"), ("--max-points", "0"), ("--max-points", "256"),
            ("--limit", "0"), ("--epsilon", "nan"),
            ("--threads", "-1"), ("--codebook", "even"), ("--method", "magic"), ("--mean", "a"), ("--std", "1,0"),
            ("--layout", "hwcn"), ("--scale", "inf"), ("--activations", "all"), ("--activations", "percentile"),
            ("--activations", "percentile:50"), ("--activations", "percentile:nan"),
        ] {
            let outcome = try command("quantize", model, "--calibration", "x.npy", "-o", folder.file("never"), "\(option)=\(value)")
            XCTAssertEqual(outcome.status, 64, "\(option) \(value): \(outcome.errors)")
        }
        assertFails(try command("run", model, "--batch", "0"), 64)
        assertFails(try command("evaluate"), 64)
        assertFails(try command("fly"), 64)
        XCTAssertEqual(try folder.content, [])
    }

    func testFilesThatAreNotThere() throws {
        let folder = try TemporaryFolder()
        let never = folder.file("never")
        assertFails(try command("inspect", "/nonexistent"), 1, "/nonexistent", "No such file")
        assertFails(
            try command("quantize", "/nonexistent.onnx", "--method", "float", "-o", never), 1, "/nonexistent.onnx", "No such file")
        assertFails(try command("evaluate", "/nonexistent", "--images", "i.npy", "--labels", "l.npy"), 1, "i.npy")
        assertFails(try command("inspect", CommandTests.digits + "/digits.onnx"), 1, "not a safetensors file")
        assertFails(
            try command("quantize", CommandTests.digits + "/train.py", "--method", "float", "-o", never), 1, "train.py", "ONNX")
    }

    func testOutputsThatCannotBeWritten() throws {
        let folder = try TemporaryFolder()
        for path in [folder.path, folder.file("missing/x"), "/dev/null"] {
            assertFails(
                try command("quantize", CommandTests.digits + "/digits.onnx", "--method", "float", "-o", path), 1, path,
                "cannot be written")
        }
        XCTAssertEqual(try folder.content, [])
    }

    func testImagesThatDoNotFit() throws {
        let folder = try TemporaryFolder()
        let model = CommandTests.digits + "/digits.onnx"
        func quantize(_ bytes: [UInt8]) throws -> Outcome {
            let path = try folder.write("i.npy", bytes)
            return try command("quantize", model, "--calibration", path, "-o", folder.file("never"))
        }
        assertFails(try quantize(npy(type: "|u1", [0, 8, 8, 1], [])), 1, "no images")
        assertFails(
            try quantize(npy(type: "|u1", [2, 8, 8, 4], [UInt8](repeating: 0, count: 512))), 1, "8×8×4", "`image` wants N×1×8×8")
        var values = [Float](repeating: 0, count: 128)
        values[100] = .nan
        assertFails(try quantize(npy(type: "<f4", [2, 1, 8, 8], littleEndian(values))), 1, "image 1", "element 36", "nan")
        assertFails(try quantize(npy(type: "<f8", [2, 1, 8, 8], [UInt8](repeating: 0, count: 1024))), 1, "`<f8`")
        assertFails(try quantize(npy(type: "<f4", [2, 1, 8, 8], littleEndian(values).dropLast())), 1, "truncated")
        XCTAssertEqual(try folder.content, ["i.npy"])
    }

    func testRunRefusals() throws {
        let folder = try TemporaryFolder()
        try writeSmallNetwork(folder.file("net"))
        try folder.write("x.npy", npy(type: "<f4", [1, 2], littleEndian([0, 1] as [Float])))
        let (net, x) = (folder.file("net"), folder.file("x.npy"))
        assertFails(
            try command("run", net, "--input", x, "--output", folder.file("a"), "--output", folder.file("b")), 1, "1 outputs (y)",
            "found 2")
        assertFails(try command("run", net, "--input", x, "--input", x, "--output", folder.file("a")), 1, "1 inputs (x)", "found 2")
        try PackedFile(layers: []).write(to: folder.file("weights"))
        assertFails(try command("run", folder.file("weights"), "--input", x, "--output", folder.file("a")), 1, "weights only")
        XCTAssertEqual(try folder.content, ["net", "weights", "x.npy"])
    }
}

extension Layer {
    /// Of a packed layer's first level.
    fileprivate var firstCodebook: [Int8]? {
        guard case .packed(let weights) = weights else { return nil }
        return weights.levels.first?.codebook
    }
}
