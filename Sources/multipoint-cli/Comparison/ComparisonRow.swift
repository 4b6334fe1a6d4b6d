import MultipointFormat

/// One line of a comparison. Fractions are from 0 to 1.
struct ComparisonRow: Encodable, Equatable {
    var method: String
    /// Why there is nothing else.
    var failure: String?
    /// Widths of the layers' first points, the smallest and the largest; nil in float.
    var baseBits: ClosedRange<Int>?
    /// Of all weights that the method packs, scales and codebooks counted; nil in float.
    var bitsPerWeight: Double?
    /// Of the packed file.
    var fileBytes: Int?
    var top1: Double?
    var top5: Double?
    /// Images whose best class is that of the float network.
    var agreement: Double?
    /// Of every output: with 8-bit activations, and with the rounded weights alone.
    var outputs: [OutputDifference] = []
    var weightsOnly: [OutputDifference] = []
    /// For quantizing, without the calibration that all methods share.
    var seconds: Double?

    init(method: String) { self.method = method }

    private enum CodingKeys: String, CodingKey {
        case method, failure, baseBits, bitsPerWeight, fileBytes, top1, top5, agreement, outputs, weightsOnly, seconds
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(method, forKey: .method)
        try container.encodeIfPresent(failure, forKey: .failure)
        try container.encodeIfPresent(baseBits.map { [$0.lowerBound, $0.upperBound] }, forKey: .baseBits)
        try container.encodeIfPresent(bitsPerWeight, forKey: .bitsPerWeight)
        try container.encodeIfPresent(fileBytes, forKey: .fileBytes)
        try container.encodeIfPresent(top1, forKey: .top1)
        try container.encodeIfPresent(top5, forKey: .top5)
        try container.encodeIfPresent(agreement, forKey: .agreement)
        try container.encode(outputs, forKey: .outputs)
        try container.encode(weightsOnly, forKey: .weightsOnly)
        try container.encodeIfPresent(seconds, forKey: .seconds)
    }
}

/// What `compare` prints.
struct ComparisonResult: Encodable, Equatable {
    var model: String
    var images: Int
    var calibrationImages: Int
    var calibrationSeconds: Double
    var rows: [ComparisonRow]
}

extension ComparisonResult {
    /// For people.
    var text: String {
        let timing = calibrationSeconds > 0 ? " in \(decimal(calibrationSeconds, digits: 1)) s" : ""
        var lines = ["\(model): \(images) images; calibrated on \(calibrationImages)\(timing)", "", table.text]
        for row in rows { if let failure = row.failure { lines.append("\(row.method): \(failure)") } }
        return lines.joined(separator: "\n")
    }

    private var hasClasses: Bool { rows.contains { $0.top1 != nil } }

    private var table: TextTable {
        var columns: [TextTable.Column] = [
            .left("method"), .right("base bits"), .right("bits/weight"), .right("file bytes"),
        ]
        columns += hasClasses ? [.right("top-1"), .right("top-5"), .right("agreement")] : [.left("output"), .right("cosine")]
        columns += [.right("SNR"), .right("SNR, weights only"), .right("seconds")]
        var table = TextTable(columns)
        for row in rows where row.failure == nil {
            // With classes the first output is what counts.
            for index in 0..<(hasClasses ? 1 : max(1, row.outputs.count)) { table.add(cells(row, index)) }
        }
        return table
    }

    private func cells(_ row: ComparisonRow, _ index: Int) -> [String] {
        func percent(_ value: Double?) -> String { value.map { decimal($0 * 100, digits: 2) + " %" } ?? "–" }
        let (output, weights) = (row.outputs.dropFirst(index).first, row.weightsOnly.dropFirst(index).first)
        var cells = ["", "", "", ""]
        if index == 0 {
            let bits = row.baseBits.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)–\($0.upperBound)" }
            cells = [
                row.method, bits ?? "–", row.bitsPerWeight.map { decimal($0, digits: 2) } ?? "32", row.fileBytes.map(String.init) ?? "–",
            ]
        }
        cells += hasClasses
            ? [percent(row.top1), percent(row.top5), percent(row.agreement)]
            : [output?.output ?? "–", output?.cosine.map { decimal($0, digits: 5) } ?? "–"]
        let seconds = index == 0 ? row.seconds.map { decimal($0, digits: 1) } ?? "–" : ""
        return cells + [output?.decibelText ?? "–", weights?.decibelText ?? "–", seconds]
    }
}
