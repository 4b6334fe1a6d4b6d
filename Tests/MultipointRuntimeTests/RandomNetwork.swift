import MultipointGraph
import MultipointRuntime
import SeededNumbers

/// A small network of random blocks: residuals with and without projection, depthwise and grouped layers, linear bottlenecks,
/// concatenations, pools, slices and paddings; odd channel counts, several rows per channel, signed and unsigned activations.
struct RandomNetwork {
    var network: Network
    let batch: Int
    var input: [Float]

    private var nodes: [Node] = []
    private var layers: [Layer] = []
    private var shape: [Int]
    /// The value that the next block reads.
    private var current = "x"
    private var generator: SeededGenerator

    /// Packed with quantizations that fit the values of the network itself on its input.
    init(seed: UInt64) throws {
        generator = SeededGenerator(seed: seed)
        batch = Int.random(in: 1...2, using: &generator)
        shape = [batch, Int.random(in: 1...4, using: &generator)] + (0..<2).map { _ in 5 }
        shape[2] = Int.random(in: 6...11, using: &generator)
        shape[3] = Int.random(in: 6...11, using: &generator)
        let isSigned = Bool.random(using: &generator)
        input = []
        network = Network(name: "random", inputs: [], outputs: [], nodes: [], layers: [:], layerOrder: [])
        for _ in 0..<shape.reduce(1, *) { input.append(Float.random(in: (isSigned ? -1 : 0)...1, using: &generator)) }
        network.inputs = [ValueInfo(name: "x", shape: [.batch] + shape[1...].map { .fixed($0) })]
        try convolution(outputs: Int.random(in: 3...20, using: &generator), kernel: 3, activation: true)
        for _ in 0..<Int.random(in: 2...5, using: &generator) { try block() }
        try head()
        network.nodes = nodes
        network.layers = Dictionary(uniqueKeysWithValues: layers.map { ($0.name, $0) })
        network.layerOrder = layers.map(\.name)
        try quantize()
    }

    private mutating func pick<T>(_ choices: [T]) -> T { choices[Int.random(in: 0..<choices.count, using: &generator)] }

    // MARK: blocks

    private mutating func block() throws {
        switch Int.random(in: 0..<15, using: &generator) {
        case 9: try squeezeAndExcitation()
        case 10: try shuffle()
        case 11: try upsampled()
        case 12: try rearranged()
        case 13: try combined()
        case 14: try reduced()
        case 0: try residual(projects: false)
        case 1: try residual(projects: true)
        case 2: try invertedResidual()
        case 3: try fire()
        case 4: pool()
        case 5: try grouped()
        case 6: try preactivation()
        case 7: try slicedShortcut()
        default: try convolution(outputs: Int.random(in: 3...20, using: &generator), kernel: pick([1, 3]), activation: true)
        }
    }

    @discardableResult
    private mutating func add(_ operation: MultipointGraph.Operation, _ inputs: [String]) -> String {
        let name = "v\(nodes.count)"
        nodes.append(Node(name: "n\(nodes.count)", operation: operation, inputs: inputs, output: name))
        return name
    }

    private mutating func activate() {
        let functions: [Elementwise] = [
            .clip(minimum: 0, maximum: 1.5), .leakyRelu(alpha: 0.125), .sigmoid, .hardSigmoid(alpha: 0.2, beta: 0.5), .hardSwish,
            .swish(alpha: 1), .mish, .gelu, .geluTanh, .elu(alpha: 1), .tanh, .softplus, .selu(alpha: 1.67, gamma: 1.05), .softsign, .abs, .neg,
        ]
        // Every other one is what most networks have.
        current = add(.elementwise(Bool.random(using: &generator) ? .relu : pick(functions)), [current])
    }

    private mutating func convolution(
        outputs: Int, kernel: Int, stride: Int = 1, group: Int = 1, activation: Bool
    ) throws {
        let pad = kernel / 2
        var attributes = ConvolutionAttributes(group: group)
        attributes.strides = [stride, stride]
        attributes.pads = [pad, pad, pad, pad]
        try layer([outputs, shape[1] / group, kernel, kernel], .convolution(attributes))
        shape = [batch, outputs] + shape[2...].map { ($0 + 2 * pad - kernel) / stride + 1 }
        if activation { activate() }
    }

    private mutating func layer(_ weights: [Int], _ operation: Layer.Operator) throws {
        let name = "layer\(layers.count)"
        let length = weights.dropFirst().reduce(1, *)
        let bias = Bool.random(using: &generator) ? (0..<weights[0]).map { _ in Float.random(in: -0.3...0.3, using: &generator) } : nil
        // Now and then a layer stays in float.
        let isFloat = Int.random(in: 0..<12, using: &generator) == 0
        let packed = isFloat
            ? Layer.Weights.float((0..<(weights[0] * length)).map { _ in Float.random(in: -1...1, using: &generator) / Float(length).squareRoot() })
            : .packed(try points(channels: weights[0], length: length))
        layers.append(Layer(name: name, operation: operation, shape: weights, weights: packed, bias: bias))
        current = add(.layer(name), [current])
    }

    private mutating func points(channels: Int, length: Int) throws -> PackedWeights {
        let isLadder = Bool.random(using: &generator)
        let most = isLadder ? 2 : pick([1, 1, 2, 3])
        let counts = (0..<channels).map { _ in UInt8.random(in: 1...UInt8(most), using: &generator) }
        let levels = (0..<most).map { level in
            PackedWeights.Level(
                codebook: (0..<16).map { Int8(2 * $0 - 15) },
                codes: (0..<(counts.count { Int($0) > level } * length)).map { _ in UInt8.random(in: 0...15, using: &generator) })
        }
        // Keeps activations near 1: entries are some 9 in size, three times that where a ladder of ratio 3 folds.
        let scale = (2 / Float(length)).squareRoot() / (isLadder ? 20 : 9)
        let scales = (0..<(isLadder ? channels : counts.reduce(0) { $0 + Int($1) })).map { _ in
            scale * Float.random(in: 0.5...1, using: &generator)
        }
        return try PackedWeights(rowLength: length, points: counts, levels: levels, ladder: isLadder ? [3] : nil, scales: scales)
    }

    /// Two layers beside a shortcut, in either order.
    private mutating func residual(projects: Bool) throws {
        let (start, startShape) = (current, shape)
        let outputs = projects ? Int.random(in: 3...20, using: &generator) : shape[1]
        let stride = projects ? pick([1, 2]) : 1
        var shortcut = start
        func project(_ me: inout RandomNetwork) throws {
            let (value, valueShape) = (me.current, me.shape)
            (me.current, me.shape) = (start, startShape)
            try me.convolution(outputs: outputs, kernel: 1, stride: stride, activation: false)
            shortcut = me.current
            (me.current, me.shape) = (value, valueShape)
        }
        let first = projects && Bool.random(using: &generator)
        if first { try project(&self) }
        (current, shape) = (start, startShape)
        try convolution(outputs: outputs, kernel: 3, stride: stride, activation: true)
        try convolution(outputs: outputs, kernel: 3, activation: false)
        if projects, !first { try project(&self) }
        current = add(.add, Bool.random(using: &generator) ? [current, shortcut] : [shortcut, current])
        if Bool.random(using: &generator) { activate() }
    }

    /// Expansion, depthwise layer, linear projection, and the shortcut where shapes allow.
    private mutating func invertedResidual() throws {
        let (start, startShape) = (current, shape)
        let wide = shape[1] * 2
        try convolution(outputs: wide, kernel: 1, activation: true)
        try convolution(outputs: wide, kernel: 3, stride: shape[2] > 4 ? pick([1, 2]) : 1, group: wide, activation: true)
        try convolution(outputs: startShape[1], kernel: 1, activation: false)
        if shape == startShape { current = add(.add, [start, current]) }
    }

    private mutating func fire() throws {
        try convolution(outputs: Int.random(in: 2...8, using: &generator), kernel: 1, activation: true)
        let (squeezed, squeezedShape) = (current, shape)
        try convolution(outputs: Int.random(in: 3...16, using: &generator), kernel: 1, activation: Bool.random(using: &generator))
        let (one, oneChannels) = (current, shape[1])
        (current, shape) = (squeezed, squeezedShape)
        try convolution(outputs: pick([5, 16, 32]), kernel: 3, activation: true)
        let all = Bool.random(using: &generator) ? [one, current] : [one, current, squeezed]
        current = add(.concat(axis: 1), all)
        shape[1] += oneChannels + (all.count == 3 ? squeezedShape[1] : 0)
        if Bool.random(using: &generator) { activate() }
    }

    private mutating func pool() {
        guard shape[2] > 3, shape[3] > 3 else { return }
        var pooling = Pooling(kernel: [3, 3], strides: [2, 2], pads: pick([[0, 0, 0, 0], [1, 1, 1, 1]]))
        pooling.ceilMode = Bool.random(using: &generator)
        let operation: MultipointGraph.Operation =
            Bool.random(using: &generator) ? .maxPool(pooling) : .averagePool(pooling, countsPadding: Bool.random(using: &generator))
        current = add(operation, [current])
        for axis in 2..<4 {
            let room = shape[axis] + pooling.pads[0] + pooling.pads[2] - 3
            shape[axis] = (pooling.ceilMode ? (room + 1) / 2 : room / 2) + 1
            // A last window has to start inside the input or the padding before it.
            if pooling.ceilMode, (shape[axis] - 1) * 2 >= room + 3 - pooling.pads[2] { shape[axis] -= 1 }
        }
    }

    private mutating func grouped() throws {
        let group = (2...4).first { shape[1] % $0 == 0 } ?? 1
        try convolution(outputs: group * Int.random(in: 1...6, using: &generator), kernel: 3, group: group, activation: true)
    }

    /// An activation and a shortcut that read the same value.
    private mutating func preactivation() throws {
        let start = current
        activate()
        try convolution(outputs: shape[1], kernel: 3, activation: false)
        current = add(.add, [current, start])
    }

    /// ResNet's shortcut without weights: every other pixel, padded with channels of zeros.
    private mutating func slicedShortcut() throws {
        let start = current
        let before = shape
        let more = Int.random(in: 1...3, using: &generator)
        try convolution(outputs: shape[1] + 2 * more, kernel: pick([1, 3]), stride: 2, activation: false)
        let sliced = add(.slice(starts: [0, 0], ends: [before[2], before[3]], axes: [2, 3], steps: [2, 2]), [start])
        let padded = add(.pad(pads: [0, more, 0, 0, 0, more, 0, 0], .constant(0)), [sliced])
        current = add(.add, [current, padded])
        if Bool.random(using: &generator) { activate() }
    }

    /// MobileNetV3's: every channel times a number that a mean of all channels decides.
    private mutating func squeezeAndExcitation() throws {
        try convolution(outputs: shape[1], kernel: pick([1, 3]), activation: true)
        let (wide, wideShape) = (current, shape)
        current = Bool.random(using: &generator)
            ? add(.globalAveragePool, [current]) : add(.reduce(.mean, axes: [2, 3], keepsDimensions: true), [current])
        shape = [batch, shape[1], 1, 1]
        try convolution(outputs: Int.random(in: 2...6, using: &generator), kernel: 1, activation: true)
        try convolution(outputs: wideShape[1], kernel: 1, activation: false)
        current = add(.elementwise(pick([.sigmoid, .hardSigmoid(alpha: 0.2, beta: 0.5)])), [current])
        current = add(.multiply, Bool.random(using: &generator) ? [wide, current] : [current, wide])
        shape = wideShape
        try convolution(outputs: shape[1], kernel: 1, activation: true)
    }

    /// Channels in another order, then half of them through a layer.
    private mutating func shuffle() throws {
        guard shape[1] > 1 else { return }
        let channels = shape[1]
        let order = (0..<channels).shuffled(using: &generator)
        current = add(.gather(indices: order, shape: [channels], axis: 1), [current])
        let first = add(.slice(starts: [0], ends: [channels / 2], axes: [1], steps: [1]), [current])
        let second = add(.slice(starts: [channels / 2], ends: [channels], axes: [1], steps: [1]), [current])
        (current, shape[1]) = (second, channels - channels / 2)
        try convolution(outputs: channels - channels / 2, kernel: pick([1, 3]), activation: true)
        current = add(.concat(axis: 1), [first, current])
        shape[1] = channels
    }

    /// U-Net's: down, up again, beside what was there before.
    private mutating func upsampled() throws {
        let (start, startShape) = (current, shape)
        try convolution(outputs: Int.random(in: 3...9, using: &generator), kernel: 3, stride: 2, activation: true)
        let modes: [Resize.Mode] = [.linear, .nearest(.floor), .nearest(.roundPreferFloor), .cubic(a: -0.75)]
        let scales = (2..<4).map { Float(startShape[$0]) / Float(shape[$0]) }
        current = add(
            .resize(
                Resize(
                    axes: [2, 3], sizes: Array(startShape[2...]), scales: scales, mode: pick(modes),
                    coordinates: pick([.halfPixel, .alignCorners, .asymmetric]))), [current])
        current = add(.concat(axis: 1), [start, current])
        shape = [batch, startShape[1] + shape[1]] + startShape[2...]
        try convolution(outputs: startShape[1], kernel: pick([1, 3]), activation: true)
    }

    private mutating func rearranged() throws {
        switch Int.random(in: 0..<4, using: &generator) {
        case 0:
            try convolution(outputs: 4 * Int.random(in: 1...5, using: &generator), kernel: 1, activation: true)
            current = add(.depthToSpace(blockSize: 2, pick([.depthColumnRow, .columnRowDepth])), [current])
            shape = [batch, shape[1] / 4, shape[2] * 2, shape[3] * 2]
            pool()
        case 1 where shape[2] % 2 == 0 && shape[3] % 2 == 0:
            current = add(.spaceToDepth(blockSize: 2), [current])
            shape = [batch, shape[1] * 4, shape[2] / 2, shape[3] / 2]
        case 2: current = add(.transpose(permutation: [0, 1, 3, 2]), [current]); shape.swapAt(2, 3)
        default:
            guard shape[2] > 2, shape[3] > 2 else { return }
            current = add(.pad(pads: [0, 0, 1, 2, 0, 0, 0, 1], pick([.reflect, .edge, .wrap])), [current])
            shape = [batch, shape[1], shape[2] + 1, shape[3] + 3]
        }
        try convolution(outputs: Int.random(in: 3...12, using: &generator), kernel: 1, activation: true)
    }

    /// Two values that no layer can add up, and a slope for each channel.
    private mutating func combined() throws {
        try convolution(outputs: shape[1], kernel: 1, activation: true)
        let first = current
        try convolution(outputs: shape[1], kernel: 1, activation: true)
        current = add(.binary(pick([.add, .subtract, .multiply, .maximum, .minimum, .divide])), [first, add(.elementwise(.softplus), [current])])
        network.constants["slope\(nodes.count)"] = Tensor(
            shape: [shape[1], 1, 1], (0..<shape[1]).map { _ in Float.random(in: 0.05...0.3, using: &generator) })
        current = add(.prelu, [current, "slope\(nodes.count)"])
        try convolution(outputs: shape[1], kernel: 1, activation: true)
    }

    /// A row's maximum repeated, beside the rows.
    private mutating func reduced() throws {
        let reduction: Reduction = pick([.maximum, .minimum, .mean, .l2])
        let row = add(.reduce(reduction, axes: [pick([1, 2, 3])], keepsDimensions: true), [current])
        current = add(.concat(axis: 1), [current, add(.expand(shape), [row])])
        shape[1] *= 2
        try convolution(outputs: shape[1] / 2, kernel: 1, activation: true)
    }

    private mutating func head() throws {
        current = add(.globalAveragePool, [current])
        current = add(.flatten(axis: 1), [current])
        shape = [batch, shape[1]]
        try layer([5, shape[1]], .gemm)
        network.outputs = [ValueInfo(name: current, shape: [.batch, .fixed(5)])]
    }

    // MARK: quantization

    /// Ranges of all values in float; what packed layers read gets one, of the other values most.
    private mutating func quantize() throws {
        let names = nodes.map(\.output)
        let session = try Session(network: network.unpacked, maximumBatch: batch, threads: 1, outputs: names)
        var values = Dictionary(uniqueKeysWithValues: zip(names, try session.run([input], batch: batch)))
        values["x"] = input
        let read = Set(nodes.compactMap { if case .layer = $0.operation { $0.inputs[0] } else { nil } })
        for name in values.keys.sorted() {
            guard read.contains(name) || Int.random(in: 0..<4, using: &generator) > 0 else { continue }
            let (low, high) = (min(0, values[name]?.min() ?? 0), max(0.1, values[name]?.max() ?? 0))
            let scale = (high - low) / 255
            network.quantization[name] = AffineQuantization(scale: scale, zeroPoint: UInt8((-low / scale).rounded()))
        }
    }
}
