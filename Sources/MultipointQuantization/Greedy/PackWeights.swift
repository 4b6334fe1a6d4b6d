import MultipointGraph

/// How to turn a weight matrix into points.
public struct PackingOptions: Hashable, Sendable {
    /// Width of a point.
    public var bits: Int
    /// Nil: odd up to 6 bits, uniform above.
    public var codebook: Codebook.Family?
    /// Per channel, 1 to 255.
    public var maximumPoints: Int
    /// A channel gets another point while its output error is above `epsilon`, and above `relativeEpsilon` times its output
    /// power E[(w · x)²]; each rule counts where it is above 0. With both 0 every channel gets `maximumPoints`. A channel of
    /// zeros gets no point, any other at least one.
    public var epsilon: Double
    public var relativeEpsilon: Double
    /// Threads for the step searches. The result does not depend on them.
    public var threads: Int

    public init(
        bits: Int = 4, codebook: Codebook.Family? = nil, maximumPoints: Int = 1, epsilon: Double = 0,
        relativeEpsilon: Double = 0, threads: Int = 1
    ) {
        self.bits = bits
        self.codebook = codebook
        self.maximumPoints = maximumPoints
        self.epsilon = epsilon
        self.relativeEpsilon = relativeEpsilon
        self.threads = threads
    }

    /// - Throws: `QuantizationError` naming the option that is out of range.
    public func validate() throws(QuantizationError) {
        _ = try Codebook.validated(codebook, bits: bits)
        guard (1...255).contains(maximumPoints) else {
            throw QuantizationError("maximum points: 1 to 255 expected, found \(maximumPoints)")
        }
        for (name, value) in [("epsilon", epsilon), ("relative epsilon", relativeEpsilon)] where !(value >= 0 && value.isFinite) {
            throw QuantizationError("\(name): a finite number from 0 is expected, found \(value)")
        }
        guard (1...1024).contains(threads) else { throw QuantizationError("threads: 1 to 1024 expected, found \(threads)") }
    }
}

extension PackingOptions {
    fileprivate var codebooks: LevelCodebooks {
        get throws(QuantizationError) {
            codebook == .subset
                ? .subset(try SubsetQuantization(bits: bits, threads: threads)) : .fixed(try Codebook(codebook, bits: bits))
        }
    }
}

/// What packing a weight matrix gave.
public struct Packing: Sendable {
    public var weights: PackedWeights
    /// Of each level; they differ only between subsets. At least one: a layer of zeros has that of the level it does without.
    public var codebooks: [Codebook]
    /// Per channel: the output error E[((w − ŵ) · x)²] that is left.
    public var errors: [Double]
    /// Per channel: the output power E[(w · x)²].
    public var powers: [Double]

    /// - Parameter codebooks: of the levels.
    public init(weights: PackedWeights, codebooks: [Codebook], errors: [Double], powers: [Double]) {
        (self.weights, self.codebooks, self.errors, self.powers) = (weights, codebooks, errors, powers)
    }
}

/// Packs a weight matrix into greedy points with free scales. Every level has the same codebook, but for subsets: a further level
/// has the first one's or one searched for it, whichever leaves less.
///
/// Deterministic for given inputs and a given `matrixMultiply`.
/// - Parameters:
///   - matrix: [channels, rowLength] in C order.
///   - secondMoment: H of the layer's inputs, of as many groups as divide the channels; nil is the identity.
///   - matrixMultiply: used only with a second moment.
/// - Throws: `QuantizationError` for options out of range, arrays that do not fit, numbers that are not finite.
public func packWeights(
    matrix: [Float], channels: Int, rowLength: Int, options: PackingOptions = PackingOptions(),
    secondMoment: SecondMoment? = nil, matrixMultiply: @escaping MatrixMultiply = multiplyMatrices
) throws(QuantizationError) -> Packing {
    try options.validate()
    try validateMatrix(matrix, channels, rowLength, secondMoment)
    let choice = try options.codebooks
    let adaptive = AdaptivePoints(
        codebooks: choice, maximumPoints: options.maximumPoints, epsilon: options.epsilon,
        relativeEpsilon: options.relativeEpsilon,
        outputError: OutputError(
            channels: channels, rowLength: rowLength, secondMoment: secondMoment, multiply: matrixMultiply),
        threads: options.threads)
    let result = try adaptive.points(of: matrix)
    let weights = try assemble(result.levels, channels: channels, rowLength: rowLength)
    let codebooks = try result.levels.isEmpty
        ? choice.candidates(base: nil, residual: matrix, rowLength: rowLength) : result.levels.map(\.codebook)
    return Packing(
        weights: weights, codebooks: codebooks, errors: result.errors, powers: result.powers)
}

/// That a matrix, its shape and a second moment fit each other, and all numbers are finite.
func validateMatrix(
    _ matrix: [Float], _ channels: Int, _ rowLength: Int, _ secondMoment: SecondMoment?
) throws(QuantizationError) {
    guard channels >= 1, rowLength >= 1 else {
        throw QuantizationError("a matrix of \(channels) × \(rowLength): at least one channel and one weight are expected")
    }
    guard product(channels, rowLength) == matrix.count else {
        throw QuantizationError("\(channels) × \(rowLength) weights expected, found \(matrix.count)")
    }
    if let index = matrix.firstIndex(where: { !$0.isFinite }) {
        throw QuantizationError(
            "channel \(index / rowLength), weight \(index % rowLength) is \(matrix[index]); finite numbers are expected")
    }
    guard let secondMoment else { return }
    guard secondMoment.rowLength == rowLength else {
        throw QuantizationError("second moment: \(rowLength) inputs expected, found \(secondMoment.rowLength)")
    }
    guard channels % secondMoment.groups == 0 else {
        throw QuantizationError("second moment: \(secondMoment.groups) groups do not divide \(channels) channels")
    }
}

/// Puts levels into the file's order: scales channel by channel.
private func assemble(
    _ levels: [AdaptivePoints.Level], channels: Int, rowLength: Int
) throws(QuantizationError) -> PackedWeights {
    var points = [UInt8](repeating: 0, count: channels)
    var scalesOfChannel = [[Float]](repeating: [], count: channels)
    for level in levels {
        for (channel, scale) in zip(level.channels, level.scales) {
            points[channel] += 1
            scalesOfChannel[channel].append(scale)
        }
    }
    do {
        return try PackedWeights(
            rowLength: rowLength, points: points,
            levels: levels.map { PackedWeights.Level(codebook: $0.codebook.values, codes: $0.codes) },
            scales: scalesOfChannel.flatMap { $0 })
    } catch {
        throw QuantizationError("\(error)")
    }
}
