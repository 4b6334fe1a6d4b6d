/// Where the time of a session's runs went.
public struct SessionProfile: Sendable {
    public struct Step: Sendable {
        /// The node, or the first of the fused nodes, that the step comes from.
        public var name: String
        /// What it does, such as "Conv+Relu".
        public var operation: String
        /// oneDNN's implementation name, or a word for our own.
        public var implementation: String
        public var kind: StepKind
        /// Of all runs together, and of the shortest.
        public var seconds: Double
        public var minimumSeconds: Double
        /// Multiplications and additions of one run; 0 where the step is no layer's product.
        public var operations: Int
        /// Bytes of the tensors, weights and scratchpads that one run touches.
        public var bytes: Int
    }

    public var batch: Int
    public var runs: Int
    /// In order of execution.
    public var steps: [Step]

    /// - Parameter externalByteCounts: of the inputs, then the outputs.
    init(_ program: Program, _ times: StepTimes, batch: Int, externalByteCounts: [Int]) {
        self.batch = batch
        runs = times.runs
        steps = program.steps.enumerated().map { index, step in
            Step(
                name: step.name, operation: step.operation, implementation: step.implementation, kind: step.kind,
                seconds: Double(times.totals[index]) / 1e9,
                minimumSeconds: times.runs > 0 ? Double(times.minima[index]) / 1e9 : 0, operations: step.operations,
                bytes: program.byteCount(of: step, externals: externalByteCounts))
        }
    }
}
