import ArgumentParser

struct ExecutionOptions: ParsableArguments {
    @Option(help: "Images that run together.") var batch = 32
    @Option(help: "Threads; 0 is OMP_NUM_THREADS, or one per core.") var threads = 0

    func validate() throws {
        guard (1...65_536).contains(batch) else { throw ValidationError("--batch \(batch): 1 to 65536 expected") }
        guard (0...1024).contains(threads) else { throw ValidationError("--threads \(threads): 0 to 1024 expected") }
    }
}
