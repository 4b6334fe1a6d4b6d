/// Rounds vectors of a layer's weight matrix to a ladder's integers so that the layer's output changes least: a scale for every vector by
/// a search weighted with H's diagonal (`WeightedScale`), its coordinates in sequence with `ErrorFeedback`, the scale once more as
/// the least-squares one in the H norm, a = wᵀ H q / qᵀ H q.
///
/// Every group of a grouped convolution has an H of its own. Where a vector is longer than `blockLimit`, H counts as block-diagonal.
public struct OutputAwareRounding {
    /// The layer's weights, and what is rounded in their place.
    private var matrix: [Float]
    private(set) var targets: [Float]
    /// Per channel: by how much the mean of its output has drifted.
    let driftMeans: [Float]
    let channels: Int
    let rowLength: Int
    let moment: SecondMoment
    let algebra: LinearAlgebra
    let threads: Int

    /// Part of H's mean diagonal that is added to it before it is factorized (GPTQ's 1 %).
    var damping: Float = 0.01
    /// The same where drift is made up for. Larger, because what is fitted there is a small difference of noisy inputs.
    static let driftDamping: Float = 0.1
    /// The longest vector whose H is factorized as a whole, and whose inputs' drift is made up for.
    public static let longestWhole = 8192
    var blockLimit = longestWhole
    /// Scales that are tried for every vector, as factors of the search's. What counts is the output error.
    var scaleFactors: [Float] = [1, 0.94, 0.88, 1.06, 1.12]

    /// Vectors that are rounded side by side. Not a function of the threads, so that sums do not depend on them.
    private static var chunkSize: Int { 256 }

    /// - Parameters:
    ///   - matrix: [channels, rowLength] in C order.
    ///   - secondMoment: H of the layer's inputs, of as many groups as divide the channels.
    ///   - threads: the result does not depend on them.
    /// - Throws: `QuantizationError` for arrays that do not fit and numbers that are not finite.
    public init(
        matrix: [Float], channels: Int, rowLength: Int, secondMoment: SecondMoment, drift: InputDrift? = nil,
        algebra: LinearAlgebra, threads: Int = 1
    ) throws(QuantizationError) {
        try validateMatrix(matrix, channels, rowLength, secondMoment)
        (self.matrix, self.channels, self.rowLength) = (matrix, channels, rowLength)
        (moment, self.algebra, self.threads) = (secondMoment.centered(), algebra, threads)
        guard let drift, rowLength <= blockLimit else {
            (targets, driftMeans) = (matrix, [Float](repeating: 0, count: channels))
            return
        }
        do {
            (targets, driftMeans) = try drift.targets(matrix, channels: channels, moment, damping: Self.driftDamping, algebra)
        } catch {
            throw QuantizationError("output-aware rounding: \(error)", kind: .computation)
        }
    }

    /// Rounds every channel at every width.
    public func round(widths: [Int], ladder: RefinementLadder = .odd) throws(QuantizationError) -> RoundedWeights {
        try round((0..<channels).flatMap { channel in widths.map { RoundedWeights.Row(channel: channel, bits: $0) } }, ladder: ladder)
    }

    /// - Throws: `QuantizationError` for a channel or width out of range, or if the linear algebra fails.
    public func round(_ rows: [RoundedWeights.Row], ladder: RefinementLadder = .odd) throws(QuantizationError) -> RoundedWeights {
        if let row = rows.first(where: {
            !(0..<channels).contains($0.channel) || !(ladder.widths.contains($0.bits) || $0.bits == 0)
        }) {
            throw QuantizationError(
                "channel \(row.channel), \(row.bits) bits: channels 0 to \(channels - 1), widths \(ladder.widths) expected")
        }
        var result = RoundedWeights(ladder: ladder, rowLength: rowLength, rows: rows)
        let perGroup = channels / moment.groups
        var ofGroup = [[Int]](repeating: [], count: moment.groups)
        for (index, row) in rows.enumerated() { ofGroup[row.channel / perGroup].append(index) }
        do {
            let pieces = try concurrently(moment.groups) { group in try roundGroup(group, ladder, rows, ofGroup[group]) }
            for (indices, piece) in zip(ofGroup, pieces) {
                for (i, index) in indices.enumerated() { result.take(index, from: piece, i) }
            }
            setShifts(&result)
        } catch {
            throw QuantizationError("output-aware rounding: \(error)", kind: .computation)
        }
        return result
    }

    /// Points with free scales in place of a ladder.
    /// - Throws: `QuantizationError` for a channel or width out of range, or if the linear algebra fails.
    public func freePoints(_ rows: [RoundedRow]) throws(QuantizationError) -> FreePoints { try FreePoints(self, rows: rows) }

    private func setShifts(_ result: inout RoundedWeights) {
        for (index, row) in result.rows.enumerated() {
            result.shifts[index] = shift(channel: row.channel, vector: result.vector(index))
        }
    }

    /// The mean of what a vector in place of a channel's weights changes: (w − ŵ) · E[x], and the drift's.
    func shift(channel: Int, vector: [Float]) -> Float {
        guard let mean = moment.mean else { return 0 }
        let (w, x) = (channel * rowLength, channel / (channels / moment.groups) * rowLength)
        let sum = vector.indices.reduce(0.0) { $0 + (Double(matrix[w + $1]) - Double(vector[$1])) * Double(mean[x + $1]) }
        return Float(sum) + driftMeans[channel]
    }

    /// Rounding of other vectors for the same inputs: [channels, rowLength].
    func rounding(_ vectors: [Float]) -> OutputAwareRounding {
        var result = self
        (result.matrix, result.targets) = (vectors, vectors)
        return result
    }

    /// Every channel's vector v becomes H v.
    func timesMoment(_ vectors: [Float]) throws -> [Float] {
        let perGroup = channels / moment.groups
        return try (0..<moment.groups).flatMap { group in
            let rows = group * perGroup * rowLength..<(group + 1) * perGroup * rowLength
            return try moment.products(with: Array(vectors[rows]), group: group, multiply: algebra.multiply)
        }
    }

    /// Several groups at once, or several chunks of the only one.
    private func concurrently<T: Sendable>(_ count: Int, _ body: (Int) throws -> T) throws -> [T] {
        var results = [Result<T, any Error>?](repeating: nil, count: count)
        withoutActuallyEscaping(body) { body in
            results.withUnsafeMutableBufferPointer { results in
                // Every index has a place of its own, and `body` reads only what nobody changes.
                nonisolated(unsafe) let (results, body) = (results, body)
                forEachIndex(below: count, threads: threads) { index in results[index] = Result { try body(index) } }
            }
        }
        return try results.compactMap { try $0?.get() }
    }

    private func roundGroup(
        _ group: Int, _ ladder: RefinementLadder, _ rows: [RoundedWeights.Row], _ indices: [Int]
    ) throws -> RoundedWeights {
        let own = indices.map { rows[$0] }
        let (blocks, size) = (self.blocks, OutputAwareRounding.chunkSize)
        let diagonal = moment.diagonal(group: group)
        var chunks = try concurrently((own.count + size - 1) / size) { index in
            RowChunk(ladder, own[index * size..<min(own.count, (index + 1) * size)], targets, rowLength, diagonal)
        }
        for block in blocks {
            let h = try FactorizedMoment(moment, group: group, inputs: block, damping: damping, algebra)
            let inputs = chunks
            chunks = try concurrently(inputs.count) { index in
                var chunk = inputs[index]
                try chunk.round(h, targets, scaleFactors: blocks.count == 1 ? scaleFactors : [1], algebra)
                return chunk
            }
        }
        var result = RoundedWeights(ladder: ladder, rowLength: rowLength, rows: own)
        for (index, chunk) in chunks.enumerated() {
            let part = chunk.result()
            for i in part.rows.indices { result.take(index * size + i, from: part, i) }
        }
        return result
    }

    /// Ranges of inputs whose H is factorized together.
    private var blocks: [Range<Int>] {
        let count = (rowLength + blockLimit - 1) / blockLimit
        return (0..<count).map { $0 * rowLength / count..<($0 + 1) * rowLength / count }
    }
}
