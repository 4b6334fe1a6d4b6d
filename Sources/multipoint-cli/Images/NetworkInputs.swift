import MultipointGraph
import PostTrainingQuantization

/// One array of images for every input of a network, whose shapes fit.
struct NetworkInputs: CalibrationInputs {
    private let sources: [ImageArray]
    /// Images that make up one batch entry: 1, or a fixed batch size.
    private let imagesPerSample: [Int]
    private(set) var sampleCount: Int

    /// No images at all.
    init(_ network: Network) { (sources, imagesPerSample, sampleCount) = ([], network.inputs.map { _ in 1 }, 0) }

    /// - Throws: `CommandError` for shapes that do not fit.
    init(_ network: Network, paths: [String], _ preprocessing: Preprocessing) throws {
        guard paths.count == network.inputs.count else {
            throw CommandError(
                "the network has \(network.inputs.count) inputs (\(network.inputs.map(\.name).joined(separator: ", "))); "
                    + "as many files expected, found \(paths.count)")
        }
        try self.init(network, paths.map { try ImageArray(path: $0, preprocessing) })
    }

    init(_ network: Network, _ sources: [ImageArray]) throws(CommandError) {
        guard sources.count == network.inputs.count else {
            throw CommandError("the network has \(network.inputs.count) inputs; images for \(sources.count) are given")
        }
        var (counts, groups): ([Int], [Int]) = ([], [])
        for (input, source) in zip(network.inputs, sources) {
            let shape = input.shape(batch: 1)
            guard let group = shape.first, Array(shape.dropFirst()) == source.imageShape else {
                throw CommandError(
                    "`\(source.path)`: an image has \(source.storedText), network input `\(input.name)` wants \(input.shapeText)")
            }
            guard group > 0, source.count % group == 0 else {
                throw CommandError(
                    "`\(source.path)`: \(source.count) images do not make up batches of \(group), which `\(input.name)` wants")
            }
            counts.append(source.count / group)
            groups.append(group)
        }
        guard let count = counts.first, counts.allSatisfy({ $0 == count }) else {
            throw CommandError("the inputs have \(counts.map(String.init).joined(separator: ", ")) images; equally many expected")
        }
        (self.sources, imagesPerSample, sampleCount) = (sources, groups, count)
    }

    /// Of the first input.
    var imageCount: Int { sampleCount * (imagesPerSample.first ?? 1) }

    mutating func limit(to count: Int) { sampleCount = min(sampleCount, count) }

    func batch(_ samples: Range<Int>) throws -> [[Float]] {
        try zip(sources, imagesPerSample).map { source, group in
            try source.floats(samples.lowerBound * group..<samples.upperBound * group)
        }
    }
}

extension ValueInfo {
    /// "N×3×32×32".
    var shapeText: String {
        shape.map { if case .fixed(let size) = $0 { "\(size)" } else { "N" } }.joined(separator: "×")
    }
}
