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

    /// For networks from files: half a gigabyte and a few seconds, and more in proportion to what the file brings with it. A kilobyte
    /// cannot ask for a gigabyte.
    /// - Parameter storedByteCount: bytes of the layers' tensors in the file.
    public init(storedByteCount: Int) {
        func saturated(_ base: Int, _ factor: Int) -> Int {
            let (product, overflow) = storedByteCount.multipliedReportingOverflow(by: factor)
            return overflow ? .max : product.addingSaturated(base)
        }
        self.init(runByteCount: saturated(1 << 29, 1 << 16), work: saturated(1 << 39, 1 << 28))
    }
}

extension SessionLimits {
    /// - Parameter externals: bytes of the inputs and outputs.
    func check(_ program: Program, batch: Int, externals: [Int]) throws(RuntimeError) {
        let byteCount = externals.reduce(program.arenaByteCount) { $0.addingSaturated($1) }
        guard byteCount <= runByteCount else {
            throw RuntimeError(
                .limitExceeded,
                """
                batch \(batch) needs \(byteCount) bytes for its arena, inputs and outputs; the limit on run bytes is \(runByteCount)
                """)
        }
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
