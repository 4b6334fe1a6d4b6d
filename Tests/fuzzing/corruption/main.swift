import Foundation
import FuzzTargets

// multipoint-corrupt seeds FOLDER             packed files and graphs of the ONNX models in FOLDER/onnx, into FOLDER/packed and FOLDER/graph
// multipoint-corrupt run TARGET SEED FIRST LAST FILES...   damages files in ways FIRST to LAST, runs each; two lines each on stdout
// multipoint-corrupt show TARGET SEED NUMBER FILES...      the damaged file itself
// multipoint-corrupt replay TARGET FILES...                runs files as they are
//
// Sessions have the limits that SECURITY.md advises; with MULTIPOINT_DEFAULT_LIMITS in the environment, the library's own.

func fail(_ message: String) -> Never {
    FileHandle.standardError.write(Data("multipoint-corrupt: \(message)\n".utf8))
    exit(2)
}

func content(_ path: String) -> [UInt8] {
    guard let data = FileManager.default.contents(atPath: path) else { fail("`\(path)` cannot be read") }
    return Array(data)
}

func writeSeeds(_ folder: String) throws {
    for kind in ["packed", "graph"] {
        try FileManager.default.createDirectory(atPath: "\(folder)/\(kind)", withIntermediateDirectories: true)
    }
    func write(_ bytes: [UInt8], _ name: String) throws { try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(name)")) }
    for name in try FileManager.default.contentsOfDirectory(atPath: folder + "/onnx").sorted() {
        guard let (packed, graph) = seeds(onnx: content("\(folder)/onnx/\(name)")) else { continue }
        try write(packed, "packed/\(name)")
        try write(graph, "graph/\(name)")
    }
    for (index, file) in packedSeeds.enumerated() { try write(file, "packed/points\(index)") }
    for (index, graph) in graphSeeds.enumerated() { try write(graph, "graph/shell\(index)") }
}

let bounds = ProcessInfo.processInfo.environment["MULTIPOINT_DEFAULT_LIMITS"] == nil ? FuzzBounds.server : .defaults

/// In kB, of /proc/self/status.
func memory(_ key: String) -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix(key + ":") } ?? ""
    return line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0
}

/// At once: what is in a buffer is lost with the process.
func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

/// "number outcome milliseconds kilobytes", after "number" alone, so that it is known which file ends the process.
func runCorrupted(_ corruption: Corruption, _ target: FuzzTarget, _ numbers: ClosedRange<Int>) {
    for number in numbers {
        say("\(number)")
        let file = corruption.file(number)
        // From here on VmHWM is the most that this file takes.
        try? Data("5".utf8).write(to: URL(fileURLWithPath: "/proc/self/clear_refs"))
        let before = memory("VmRSS")
        let start = ContinuousClock.now
        let outcome = target.run(file, bounds)
        let time = ContinuousClock.now - start
        let milliseconds = Int(time.components.seconds * 1000 + time.components.attoseconds / 1_000_000_000_000_000)
        say("\(number) \(outcome.rawValue) \(milliseconds) \(max(0, memory("VmHWM") - before))")
    }
}

let arguments = Array(CommandLine.arguments.dropFirst())
switch arguments.first {
case "seeds" where arguments.count == 2: try writeSeeds(arguments[1])
case "replay" where arguments.count > 2:
    guard let target = FuzzTarget(rawValue: arguments[1]) else { fail("no target is called `\(arguments[1])`") }
    for path in arguments.dropFirst(2) { print(path, target.run(content(path), bounds).rawValue) }
case "run" where arguments.count > 5, "show" where arguments.count > 4:
    guard let target = FuzzTarget(rawValue: arguments[1]), let seed = UInt64(arguments[2]), let first = Int(arguments[3]) else {
        fail("a target, a seed and a number are expected, found \(arguments[1...3])")
    }
    let isRun = arguments[0] == "run"
    let corruption = Corruption(target, of: arguments.dropFirst(isRun ? 5 : 4).map(content), seed: seed)
    if isRun {
        guard let last = Int(arguments[4]), last >= first else { fail("`\(arguments[4])` is no number from \(first)") }
        runCorrupted(corruption, target, first...last)
    } else {
        FileHandle.standardOutput.write(Data(corruption.file(first)))
    }
default: fail("seeds FOLDER, run TARGET SEED FIRST LAST FILES, show TARGET SEED NUMBER FILES or replay TARGET FILES is expected")
}
