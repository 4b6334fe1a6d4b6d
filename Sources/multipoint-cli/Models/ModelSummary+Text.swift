import NumPyArrays

extension ModelSummary {
    /// For people.
    var text: String {
        var lines = [path + (name.isEmpty ? "" : ": \(name)") + (producer.isEmpty ? "" : ", made by \(producer)")]
        for value in inputs { lines.append("input `\(value.name)` \(value.shapeText)") }
        for value in outputs { lines.append("output `\(value.name)` \(value.shapeText)") }
        if inputs.isEmpty { lines.append("weights only, no network") }
        if !layers.isEmpty { lines += ["", layerTable.text] }
        lines += ["", totals.text]
        if let memory { lines.append(memory.text) }
        return lines.joined(separator: "\n")
    }

    private var layerTable: TextTable {
        var table = TextTable([
            .left("layer"), .left("operator"), .left("shape"), .right("bits"), .left("channels by points"), .right("rows"),
            .right("extra"), .right("folded"), .right("bytes"), .right("bits/weight"), .right("output error"),
            .right("input scale"),
            .right("zero"), .left("execution"),
        ])
        for layer in layers { table.add(layer.cells) }
        return table
    }
}

extension ModelSummary.Value {
    var shapeText: String { shape.map(\.description).joined(separator: "×") }
}

extension ModelSummary.Totals {
    var text: String {
        var parts = ["\(weights) weights, \(packedWeights) of them packed"]
        if let packedBitsPerWeight { parts.append("\(decimal(packedBitsPerWeight, digits: 2)) bits per packed weight") }
        parts.append("\(bytes) bytes of weights")
        parts.append("\(fileBytes) bytes in the file")
        return parts.joined(separator: "; ")
    }
}

extension ModelSummary.Memory {
    fileprivate var text: String { "one image in memory: \(weightBytes) bytes of weights, \(arenaBytes) bytes of activations" }
}

extension LayerSummary {
    fileprivate var cells: [String] {
        let packing = isFloat
            ? ["float", "–", "–", "–", "–"]
            : [LayerSummary.bitsText(bits), histogramText, "\(rows)", "\(extraRows)", "\(foldedRows)"]
        return [name, self.operator, sizesText(shape)] + packing + [
            "\(bytes)", decimal(bitsPerWeight, digits: 2), relativeOutputError.map { decimal($0 * 100, digits: 3) + " %" } ?? "–",
            inputScale.map { "\($0)" } ?? "–", inputZeroPoint.map(String.init) ?? "–", execution,
        ]
    }

    /// "1: 25, 2: 7" for 25 channels with one point and 7 with two.
    private var histogramText: String {
        channelsByPoints.enumerated().filter { $0.element > 0 }.map { "\($0.offset): \($0.element)" }.joined(separator: ", ")
    }

    /// "4", "3×4" for three levels of 4 bits, "2 + 4×1".
    static func bitsText(_ bits: [Int]) -> String {
        guard !bits.isEmpty else { return "0" }
        var runs: [(bits: Int, count: Int)] = []
        for width in bits {
            if let last = runs.last, last.bits == width { runs[runs.count - 1].count += 1 } else { runs.append((width, 1)) }
        }
        return runs.map { $0.count == 1 ? "\($0.bits)" : "\($0.count)×\($0.bits)" }.joined(separator: " + ")
    }
}
