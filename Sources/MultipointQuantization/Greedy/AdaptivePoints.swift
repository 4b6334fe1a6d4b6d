/// As many greedy points per channel as its output error asks for (arXiv 2002.09049): a channel gets another
/// point while E[((w − ŵ) · x)²] is above its threshold. All channels advance together, one level at a time, so that the errors
/// of a level are one matrix product; channels that are done are not looked at again.
struct AdaptivePoints {
    let codebooks: LevelCodebooks
    let maximumPoints: Int
    /// The published, absolute threshold; 0 is none.
    let epsilon: Double
    /// The threshold as a part of the channel's output power E[(w · x)²]; 0 is none.
    let relativeEpsilon: Double
    let outputError: OutputError
    let threads: Int

    /// One level of points.
    struct Level: Equatable {
        var codebook: Codebook
        /// Which channels have a point in it, ascending.
        var channels: [Int]
        /// One per channel.
        var scales: [Float]
        /// [channels, rowLength].
        var codes: [UInt8]
    }

    struct Result {
        var levels: [Level] = []
        /// Per channel: E[((w − ŵ) · x)²] and E[(w · x)²].
        var errors: [Double]
        var powers: [Double]
    }

    private var hasThreshold: Bool { epsilon > 0 || relativeEpsilon > 0 }

    /// - Parameter matrix: [channels, rowLength], finite.
    func points(of matrix: [Float]) throws(QuantizationError) -> Result {
        var residual = matrix
        let all = Array(0..<outputError.channels)
        let powers = try errors(residual, all)
        var result = Result(errors: powers, powers: powers)
        var active = all
        while result.levels.count < maximumPoints {
            let level = try nextLevel(of: active, base: result.levels.first?.codebook, &residual)
            guard !level.channels.isEmpty else { break }
            result.levels.append(level)
            active = level.channels
            guard hasThreshold else { continue }
            for (channel, error) in zip(active, try errors(residual, active)) { result.errors[channel] = error }
            active.removeAll { result.errors[$0] <= max(epsilon, relativeEpsilon * powers[$0]) }
        }
        if !hasThreshold { result.errors = try errors(residual, all) }
        return result
    }

    private func errors(_ vectors: [Float], _ channels: [Int]) throws(QuantizationError) -> [Double] {
        try vectors.withUnsafeBufferPointer { (vectors) throws(QuantizationError) in
            try outputError.errors(of: vectors, channels: channels)
        }
    }

    /// The level in whichever of the possible codebooks leaves the least ‖r‖², subtracted from the residual.
    private func nextLevel(
        of channels: [Int], base: Codebook?, _ residual: inout [Float]
    ) throws(QuantizationError) -> Level {
        let length = outputError.rowLength
        let candidates = try codebooks.candidates(
            base: base, residual: channels.flatMap { residual[$0 * length..<($0 + 1) * length] }, rowLength: length)
        guard candidates.count > 1 else { return nextLevel(of: channels, candidates[0], &residual) }
        var best: (level: Level, residual: [Float], square: Double)?
        for codebook in candidates {
            var rest = residual
            let level = nextLevel(of: channels, codebook, &rest)
            // Channels that the level does not touch count equally for each.
            let square = rest.reduce(0.0) { $0 + Double($1) * Double($1) }
            if square < best?.square ?? .infinity { best = (level, rest, square) }
        }
        guard let best else { return nextLevel(of: channels, candidates[0], &residual) }
        residual = best.residual
        return best.level
    }

    /// One greedy point for each of the channels whose residual has one, subtracted from it.
    private func nextLevel(of channels: [Int], _ codebook: Codebook, _ residual: inout [Float]) -> Level {
        let (length, greedy) = (outputError.rowLength, GreedyPoints(codebook: codebook))
        var scales = [Float](repeating: 0, count: channels.count)
        var codes = [UInt8](repeating: 0, count: channels.count * length)
        residual.withUnsafeMutableBufferPointer { residual in
            scales.withUnsafeMutableBufferPointer { scales in
                codes.withUnsafeMutableBufferPointer { codes in
                    // Every index has rows of its own.
                    nonisolated(unsafe) let (residual, scales, codes) = (residual, scales, codes)
                    forEachIndex(below: channels.count, threads: threads) { i in
                        let row = channels[i] * length
                        let scale = greedy.nextPoint(
                            residual: UnsafeMutableBufferPointer(rebasing: residual[row..<row + length]),
                            codes: UnsafeMutableBufferPointer(rebasing: codes[i * length..<(i + 1) * length]))
                        scales[i] = scale ?? 0
                    }
                }
            }
        }
        let found = channels.indices.filter { scales[$0] > 0 }
        if found.count == channels.count { return Level(codebook: codebook, channels: channels, scales: scales, codes: codes) }
        return Level(
            codebook: codebook, channels: found.map { channels[$0] }, scales: found.map { scales[$0] },
            codes: found.flatMap { codes[$0 * length..<($0 + 1) * length] })
    }
}
