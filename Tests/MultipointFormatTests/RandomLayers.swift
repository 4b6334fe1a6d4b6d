import MultipointGraph
import SeededNumbers

extension SeededGenerator {
    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    mutating func scale() -> Float { Float.random(in: 1e-6...10, using: &self) }

    /// Free scales or a ladder, 0 to 4 points per channel, 1 to 8 bits.
    mutating func packedWeights(channels: Int, rowLength: Int) throws -> PackedWeights {
        let isLadder = Bool.random(using: &self)
        let levelCount = number(1...4)
        let points = (0..<channels).map { _ in UInt8(number(0...levelCount)) }
        var levels: [PackedWeights.Level] = []
        for index in 0..<levelCount {
            let bits = isLadder ? number(1...2) : number(1...8)
            let codebook = (0..<(1 << bits)).map { _ in Int8(isLadder ? number(-3...3) : number(-128...127)) }
            let vectors = points.count { Int($0) > index }
            levels.append(
                .init(codebook: codebook, codes: (0..<vectors * rowLength).map { _ in UInt8(number(0...(codebook.count - 1))) }))
        }
        let scaleCount = isLadder ? channels : points.reduce(0) { $0 + Int($1) }
        // ((3 · 2 + 3) · 2 + 3) · 2 + 3 = 45
        return try PackedWeights(
            rowLength: rowLength, points: points, levels: levels,
            ladder: isLadder ? (1..<levelCount).map { _ in number(1...2) } : nil,
            scales: (0..<scaleCount).map { _ in scale() })
    }

    mutating func layer(named name: String) throws -> Layer {
        var shape: [Int]
        let operation: Layer.Operator
        if Bool.random(using: &self) {
            shape = [number(1...9), number(1...70)]
            operation = .gemm
        } else {
            let group = number(1...3)
            shape = [group * number(1...4), number(1...5), number(1...4), number(1...4)]
            operation = .convolution(
                ConvolutionAttributes(
                    strides: [number(1...3), number(1...3)], pads: (0..<4).map { _ in number(0...3) },
                    dilations: [number(1...2), number(1...2)],
                    group: group))
        }
        let length = shape.dropFirst().reduce(1, *)
        let isFloat = number(0...3) == 0
        var layer = Layer(name: name, operation: operation, shape: shape, weights: .float([]))
        layer.weights =
            isFloat
            ? .float((0..<shape[0] * length).map { _ in Float.random(in: -1...1, using: &self) })
            : .packed(try packedWeights(channels: shape[0], rowLength: length))
        if Bool.random(using: &self) { layer.bias = (0..<shape[0]).map { _ in Float.random(in: -1...1, using: &self) } }
        if Bool.random(using: &self) {
            layer.inputQuantization = AffineQuantization(scale: scale(), zeroPoint: UInt8(number(0...255)))
        }
        if Bool.random(using: &self) {
            layer.outputQuantization = AffineQuantization(scale: scale(), zeroPoint: UInt8(number(0...255)))
        }
        return layer
    }
}
