extension Diagnosis {
    /// For people.
    var text: String {
        var lines = ["\(model): \(verdictText)", "operator set \(operatorSet), \(nodes.count) nodes, \(parameters) parameters"]
        for value in inputs { lines.append("input `\(value.name)` \(value.shapeText)") }
        for value in outputs { lines.append("output `\(value.name)` \(value.shapeText)") }
        lines += ["", table.text]
        if let multiplyAddsText { lines += ["", multiplyAddsText] }
        lines += list("in float", .float) + list("not supported", .unsupported)
        if let problem { lines += ["", problem] }
        return lines.joined(separator: "\n")
    }

    private var verdictText: String {
        if runs { return "runs" }
        let count = nodes.count { $0.verdict == .unsupported }
        return "does not run" + (count > 0 ? ": \(count) nodes are not supported" : "")
    }

    private var multiplyAddsText: String? {
        guard let multiplyAdds, let share = multiplyAdds.share else { return nil }
        return "\(decimal(share * 100, digits: 2)) % of \(multiplyAdds.total) multiply-adds in 8 bits"
    }

    private var table: TextTable {
        let isKnown = multiplyAdds != nil
        var table = TextTable(
            [.left("operator"), .right("nodes")] + (isKnown ? [.right("int8"), .right("float"), .right("no work")] : [.right("supported")])
                + [.right("unsupported")])
        func row(_ title: String, _ count: OperatorCount) -> [String] {
            let middle = isKnown ? [count.int8, count.float, count.none] : [count.supported + count.none]
            return [title] + ([count.nodes] + middle + [count.unsupported]).map { $0 == 0 ? "–" : "\($0)" }
        }
        var total = OperatorCount(operator: "all")
        for count in operators {
            table.add(row(count.operator, count))
            total.nodes += count.nodes
            total.int8 += count.int8
            total.float += count.float
            total.none += count.none
            total.supported += count.supported
            total.unsupported += count.unsupported
        }
        table.add(row("all", total))
        return table
    }

    /// Nodes of a verdict, those of one operator without reasons in one line.
    private func list(_ title: String, _ verdict: Verdict) -> [String] {
        let nodes = nodes.filter { $0.verdict == verdict }
        guard !nodes.isEmpty else { return [] }
        var lines = ["", "\(title):"]
        for type in Set(nodes.map(\.operator)).sorted() {
            let own = nodes.filter { $0.operator == type }
            let plain = own.filter { $0.reason == nil }.map(\.name)
            if !plain.isEmpty { lines.append("  \(type): \(plain.map { "`\($0)`" }.joined(separator: ", "))") }
            for node in own { if let reason = node.reason { lines.append("  \(type) `\(node.name)`: \(reason)") } }
        }
        return lines
    }
}
