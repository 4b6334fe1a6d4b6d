import MultipointGraph
import SeededNumbers

/// A random packed layer with the shape of an input that it accepts.
struct RandomLayer {
    var layer: Layer
    var packed: PackedWeights
    var inputShape: [Int]
    var attributes: ConvolutionAttributes

    init(_ generator: inout SeededGenerator) {
        let isGemm = Int.random(in: 0..<6, using: &generator) == 0
        attributes = ConvolutionAttributes()
        let shape: [Int]
        if isGemm {
            let (rows, features, outputs) = (
                Int.random(in: 1...5, using: &generator), Int.random(in: 1...70, using: &generator),
                Int.random(in: 1...40, using: &generator)
            )
            shape = [outputs, features]
            inputShape = [rows, features]
        } else {
            (shape, inputShape) = RandomLayer.convolution(&attributes, &generator)
        }
        let length = shape.dropFirst().reduce(1, *)
        packed = RandomLayer.weights(channels: shape[0], length: length, &generator)
        let bias = Bool.random(using: &generator)
            ? (0..<shape[0]).map { _ in Float.random(in: -3...3, using: &generator) } : nil
        let zeroPoint = [0, 0, 1, 128, 255, UInt8.random(in: 0...255, using: &generator)].randomElement(using: &generator) ?? 0
        layer = Layer(
            name: "random", operation: isGemm ? .gemm : .convolution(attributes), shape: shape, weights: .packed(packed), bias: bias,
            inputQuantization: AffineQuantization(scale: Float.random(in: 0.001...0.1, using: &generator), zeroPoint: zeroPoint))
    }

    private static func convolution(
        _ attributes: inout ConvolutionAttributes, _ generator: inout SeededGenerator
    ) -> (shape: [Int], input: [Int]) {
        let kind = Int.random(in: 0..<4, using: &generator)
        let group = kind == 0 ? Int.random(in: 2...24, using: &generator) : kind == 1 ? Int.random(in: 2...4, using: &generator) : 1
        let inputsPerGroup = kind == 0 ? 1 : Int.random(in: 1...20, using: &generator)
        let outputsPerGroup = kind == 0 && Bool.random(using: &generator) ? 1 : Int.random(in: 1...20, using: &generator)
        let kernel = (0..<2).map { _ in [1, 1, 2, 3, 3, 5].randomElement(using: &generator) ?? 1 }
        attributes.group = group
        attributes.strides = (0..<2).map { _ in Int.random(in: 1...3, using: &generator) }
        attributes.dilations = kernel.map { $0 == 1 ? 1 : Int.random(in: 1...2, using: &generator) }
        let extent = (0..<2).map { (kernel[$0] - 1) * attributes.dilations[$0] + 1 }
        attributes.pads = (0..<4).map { Int.random(in: 0...max(0, extent[$0 % 2] - 1), using: &generator) }
        let size = extent.map { $0 + Int.random(in: 0...6, using: &generator) }
        let batch = Int.random(in: 1...2, using: &generator)
        return ([group * outputsPerGroup, inputsPerGroup] + kernel, [batch, group * inputsPerGroup] + size)
    }

    /// 0 to 5 points a channel; free scales with levels of 1 to 8 bits, or a ladder within 8 bits.
    static func weights(channels: Int, length: Int, _ generator: inout SeededGenerator) -> PackedWeights {
        let isLadder = Bool.random(using: &generator)
        var bits: [Int]
        var ladder: [Int]?
        if isLadder {
            bits = [[2, 1, 1, 1, 1], [3, 1, 1, 1], [4, 2], [2, 2, 2], [7], [1, 1, 1, 1, 1]].randomElement(using: &generator) ?? [2]
            if bits == [7] { ladder = [] } else { ladder = bits.dropFirst().map { 1 << $0 } }
        } else {
            bits = (0..<Int.random(in: 0...5, using: &generator)).map { _ in Int.random(in: 1...8, using: &generator) }
        }
        let points = (0..<channels).map { _ in UInt8.random(in: 0...UInt8(bits.count), using: &generator) }
        let levels = bits.enumerated().map { level, bits in
            let book = codebook(bits: bits, isOdd: isLadder && bits < 7, &generator)
            let count = points.count { Int($0) > level } * length
            return PackedWeights.Level(
                codebook: book, codes: (0..<count).map { _ in UInt8.random(in: 0...UInt8((1 << bits) - 1), using: &generator) })
        }
        let scaleCount = isLadder ? channels : points.reduce(0) { $0 + Int($1) }
        let scales = (0..<scaleCount).map { _ in Float.random(in: 0.001...0.05, using: &generator) }
        do {
            return try PackedWeights(rowLength: length, points: points, levels: levels, ladder: ladder, scales: scales)
        } catch {
            fatalError("the generator made bad weights: \(error)")
        }
    }

    private static func codebook(bits: Int, isOdd: Bool, _ generator: inout SeededGenerator) -> [Int8] {
        if isOdd { return (0..<(1 << bits)).map { Int8(2 * $0 - (1 << bits) + 1) } }
        if bits == 8 { return (0..<256).map { Int8(truncatingIfNeeded: $0 - 128) } }
        return (0..<(1 << bits)).map { _ in Int8.random(in: Int8.min...Int8.max, using: &generator) }
    }
}
