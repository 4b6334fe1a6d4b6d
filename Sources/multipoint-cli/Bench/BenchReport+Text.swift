extension BenchReport {
    /// For people.
    var text: String {
        var lines = [
            "\(model): \(layers)",
            "\(machine.processor), \(machine.cores) cores; oneDNN \(machine.dnnl), \(machine.instructionSet)", "", table.text,
        ]
        if results.contains(where: { $0.sessions != nil }) { lines += ["", sessionsTable.text] }
        for result in results {
            guard let profile = result.profile else { continue }
            lines += ["", "batch \(result.batch), \(result.threads) threads: shortest times of \(result.runs) runs", profile.text]
        }
        return lines.joined(separator: "\n")
    }

    private var table: TextTable {
        var table = TextTable([
            .right("batch"), .right("threads"), .right("min ms"), .right("median"), .right("p99"), .right("images/s"),
            .right("floor ms"), .right("ratio"), .right("load ms"), .left("read + decode + compile + run"), .right("peak MB"),
            .right("arena MB"),
        ])
        for result in results { table.add(result.cells) }
        return table
    }
}

extension BenchReport {
    fileprivate var sessionsTable: TextTable {
        var table = TextTable([
            .right("batch"), .right("threads"), .right("sessions"), .right("images/s"), .right("of one"), .right("scaling"),
        ])
        for result in results {
            guard let sessions = result.sessions else { continue }
            table.add([
                "\(result.batch)", "\(result.threads)", "\(sessions.count)", decimal(sessions.imagesPerSecond, digits: 1),
                decimal(sessions.imagesPerSecondOfOne, digits: 1), decimal(sessions.scaling, digits: 3),
            ])
        }
        return table
    }
}

extension BenchResult {
    fileprivate var cells: [String] {
        func text(_ value: Double?, _ digits: Int) -> String { value.map { decimal($0, digits: digits) } ?? "–" }
        let phases = load.map { [$0.read, $0.decode, $0.compile, $0.firstRun].map { decimal($0, digits: 0) }.joined(separator: " + ") }
        return [
            "\(batch)", "\(threads)", text(latency.minimum, 3), text(latency.median, 3), text(latency.p99, 3), text(imagesPerSecond, 1),
            text(floorMilliseconds, 3), text(floorRatio, 3), text(load?.total, 0), phases ?? "–",
            text(load.map { Double($0.peakBytes) / 1e6 }, 1), text(Double(arenaBytes) / 1e6, 1),
        ]
    }
}

extension [BenchResult.Step] {
    fileprivate var text: String {
        var table = TextTable([
            .left("step"), .left("operation"), .right("µs"), .right("share"), .right("GOPS"), .right("floor µs"), .right("beyond"),
            .left("implementation"), .left("floor's"),
        ])
        for step in self {
            table.add([
                step.name, step.operation, decimal(step.microseconds, digits: 1), decimal(step.share * 100, digits: 1) + " %",
                step.gops.map { decimal($0, digits: 0) } ?? "", step.floorMicroseconds.map { decimal($0, digits: 1) } ?? "",
                decimal(step.microseconds - (step.floorMicroseconds ?? 0), digits: 1), step.implementation,
                step.floorImplementation ?? "",
            ])
        }
        let total = reduce(0) { $0 + $1.microseconds }
        let floor = reduce(0) { $0 + ($1.floorMicroseconds ?? 0) }
        table.add([
            "all", "", decimal(total, digits: 1), "", "", decimal(floor, digits: 1), decimal(total - floor, digits: 1), "", "",
        ])
        return table.text + "\n\n" + byKind.text
    }

    private var byKind: TextTable {
        var table = TextTable([.left("kind"), .right("steps"), .right("µs"), .right("share")])
        for kind in ["layer", "sum", "conversion", "operation"] {
            let steps = filter { $0.kind == kind }
            guard !steps.isEmpty else { continue }
            table.add([
                kind, "\(steps.count)", decimal(steps.reduce(0) { $0 + $1.microseconds }, digits: 1),
                decimal(steps.reduce(0) { $0 + $1.share } * 100, digits: 1) + " %",
            ])
        }
        return table
    }
}
