import FoundationEssentials
import Glibc
import MultipointGraph
import MultipointRuntime

/// What it takes to get from a file to an answer. Measured in a process of its own: oneDNN keeps compiled primitives, and memory that
/// was used once counts for ever.
struct FirstAnswer: Codable {
    /// Reading and checking the file, decoding weights to rows, compiling the session, the first run.
    var readSeconds: Double
    var decodeSeconds: Double
    var compileSeconds: Double
    var runSeconds: Double
    /// The process's largest resident set (VmHWM).
    var peakBytes: Int

    var seconds: Double { readSeconds + decodeSeconds + compileSeconds + runSeconds }

    /// In this process.
    init(model: String, _ inputShapes: InputShapeOptions, batch: Int, threads: Int) throws {
        var prepared: PreparedNetwork?
        var network: Network?
        readSeconds = try multipoint_cli.seconds { network = try ModelFile.readNetwork(model, inputShapes) }
        decodeSeconds = multipoint_cli.seconds {
            prepared = network.map { PreparedNetwork($0) }
            network = nil
        }
        guard let prepared else { throw CommandError("`\(model)`: no network") }
        var benched: BenchedNetwork?
        compileSeconds = try multipoint_cli.seconds {
            benched = try BenchedNetwork(prepared, batch: batch, threads: threads)
        }
        runSeconds = try multipoint_cli.seconds { try benched?.run() }
        peakBytes = try FirstAnswer.largestResidentSet()
    }

    /// In a process of its own.
    static func measured(model: String, _ inputShapes: InputShapeOptions, batch: Int, threads: Int) throws -> FirstAnswer {
        let shapes = inputShapes.inputShape.flatMap { ["--input-shape", $0.text] }
        let output = try ownOutput(
            ["bench", model, "--batch", "\(batch)", "--threads", "\(threads)", "--first-answer"] + shapes)
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(FirstAnswer.self, from: Data(output))
    }

    /// `VmHWM` of /proc/self/status. (getrusage's ru_maxrss also counts the process that started this one.)
    private static func largestResidentSet() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        guard let kilobytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) }) else {
            throw CommandError("`/proc/self/status`: no VmHWM")
        }
        return kilobytes * 1024
    }
}

/// Standard output of this program started once more with other arguments.
private func ownOutput(_ arguments: [String]) throws -> [UInt8] {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw CommandError("pipe: \(String(cString: strerror(errno)))") }
    defer { close(ends[0]) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
    posix_spawn_file_actions_addclose(&actions, ends[0])
    posix_spawn_file_actions_addclose(&actions, ends[1])
    // The signals that end the command are blocked here, and would be there.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var argv: [UnsafeMutablePointer<CChar>?] = (["multipoint"] + arguments).map { strdup($0) } + [nil]
    defer { argv.forEach { free($0) } }
    var child: pid_t = 0
    let failure = posix_spawn(&child, "/proc/self/exe", &actions, &attributes, &argv, environ)
    close(ends[1])
    guard failure == 0 else { throw CommandError("cannot start a process to measure in: \(String(cString: strerror(failure)))") }
    let output = readToEnd(ends[0])
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    guard status == 0 else { throw CommandError("the process that measures loading failed") }
    return output
}

private func readToEnd(_ descriptor: Int32) -> [UInt8] {
    var (result, chunk) = ([UInt8](), [UInt8](repeating: 0, count: 4096))
    while true {
        let count = read(descriptor, &chunk, chunk.count)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return result }
        result += chunk[..<count]
    }
}
