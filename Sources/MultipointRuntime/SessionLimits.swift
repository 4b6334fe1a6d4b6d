import MultipointGraph

/// How much a network may ask of the process that runs it.
public struct SessionLimits: Equatable, Sendable {
    /// Bytes of the session's arena, and of the inputs and outputs of the largest batch.
    public var runByteCount: Int
    /// `Program.work` of one run of the largest batch.
    public var work: Int

    /// For networks that the process has made itself.
    public static let none = SessionLimits(runByteCount: .max, work: .max)

    public init(runByteCount: Int, work: Int) {
        self.runByteCount = runByteCount
        self.work = work
    }

    /// For networks from files: half a gigabyte and a few seconds, and more in proportion to what the file brings with it and to what
    /// the caller does. A file of a kilobyte cannot ask for a gigabyte, unless its caller has large inputs for it.
    /// - Parameters:
    ///   - storedByteCount: bytes of the layers' tensors in the file.
    ///   - inputCount: elements of the inputs of the largest batch.
    public init(storedByteCount: Int, inputCount: Int) {
        func limit(_ base: Int, perByte: Int, perElement: Int) -> Int {
            base.addingSaturated(storedByteCount.multipliedSaturated(by: perByte))
                .addingSaturated(inputCount.multipliedSaturated(by: perElement))
        }
        self.init(
            runByteCount: limit(1 << 29, perByte: 1 << 16, perElement: 1 << 10),
            work: limit(1 << 38, perByte: 1 << 28, perElement: 1 << 16))
    }
}

extension SessionLimits {
    /// Before anything is compiled.
    func check(_ shapes: [String: [Int]], batch: Int, externals: [Int]) throws(RuntimeError) {
        let least = shapes.values.reduce(0) { max($0, elementCount(of: $1) ?? .max) }
        try checkBytes(externals.reduce(least) { $0.addingSaturated($1) }, "at least ", batch: batch)
    }

    private func checkBytes(_ byteCount: Int, _ words: String = "", batch: Int) throws(RuntimeError) {
        guard byteCount <= runByteCount else {
            throw RuntimeError(
                .limitExceeded,
                """
                batch \(batch) needs \(words)\(byteCount) bytes for its arena, inputs and outputs; the limit on run bytes is \
                \(runByteCount)
                """)
        }
    }

    /// - Parameter externals: bytes of the inputs and outputs.
    func check(_ program: Program, batch: Int, externals: [Int]) throws(RuntimeError) {
        try checkBytes(externals.reduce(program.arenaByteCount) { $0.addingSaturated($1) }, batch: batch)
        guard work < .max else { return }
        let needed = program.work(externals: externals)
        guard needed <= work else {
            throw RuntimeError(
                .limitExceeded, "a run of batch \(batch) is about \(needed) units of work; the limit on work is \(work)")
        }
    }
}

extension Int {
    func addingSaturated(_ other: Int) -> Int {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }

    func multipliedSaturated(by other: Int) -> Int {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? .max : product
    }
}
