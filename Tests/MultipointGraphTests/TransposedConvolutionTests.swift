import MultipointGraph
import SeededNumbers
import Testing

/// ConvTranspose against ONNX's definition: every input element adds its multiple of the kernel to the result.
@Suite struct TransposedConvolutionTests {
    /// A ConvTranspose over [batch, channels] + size.
    private struct Case {
        var size: [Int], kernel: [Int], strides: [Int], dilations: [Int], begins: [Int], ends: [Int], extra: [Int]
        var group = 1, channels = 1, outputs = 1

        func resultSize(_ axis: Int) -> Int {
            strides[axis] * (size[axis] - 1) + extra[axis] + (kernel[axis] - 1) * dilations[axis] + 1 - begins[axis] - ends[axis]
        }

        /// A double loop over the input and the kernel.
        func scattered(_ input: Values, _ weights: Values, _ bias: [Double]) -> Values {
            let shape = [input.shape[0], outputs] + size.indices.map(resultSize)
            var result = Values.build(shape) { bias[$0[1]] }
            let perGroup = outputs / group
            for source in Values.indices(input.shape) {
                let from = source[1] / (channels / group) * perGroup
                for tap in Values.indices([perGroup] + kernel) {
                    let place = size.indices.map { source[2 + $0] * strides[$0] + tap[1 + $0] * dilations[$0] - begins[$0] }
                    guard size.indices.allSatisfy({ place[$0] >= 0 && place[$0] < shape[2 + $0] }) else { continue }
                    let offset = zip([source[0], from + tap[0]] + place, shape).reduce(0) { $0 * $1.1 + $1.0 }
                    result.elements[offset] += input[source] * weights[[source[1]] + tap]
                }
            }
            return result
        }
    }

    private func check(_ example: Case, _ attributes: [String: AttributeValue], _ generator: inout SeededGenerator) throws {
        let weights = generator.tensor([example.channels, example.outputs / example.group] + example.kernel)
        let bias = generator.tensor([example.outputs])
        let network = try Network(
            definition: definition(
                input: [.batch, .fixed(example.channels)] + example.size.map { .fixed($0) },
                [node("ConvTranspose", ["x", "w", "b"], "y", attributes)], ["w": weights, "b": bias]))
        let input = Values(generator.tensor([2, example.channels] + example.size))
        let expected = example.scattered(input, Values(weights), (bias.floats ?? []).map(Double.init))
        let found = try #require(try evaluate(network, input)["y"])
        #expect(found.shape == expected.shape, "\(example)")
        let difference = zip(found.elements, expected.elements).map { abs($0 - $1) }.max() ?? .infinity
        #expect(difference < 1e-9, "\(example)")
        // It is one layer, and a packed file brings it back.
        #expect(network.layerOrder.count == 1)
        let again = try Network(definition: network.definition(), layers: network.layerOrder.compactMap { network.layers[$0] })
        #expect(again == network)
    }

    @Test(arguments: 0..<80) func equalsADoubleLoop(seed: UInt64) throws {
        var generator = SeededGenerator(seed: 700 + seed)
        let rank = seed % 5 == 4 ? 1 : 2
        func random(_ range: ClosedRange<Int>) -> [Int] { (0..<rank).map { _ in Int.random(in: range, using: &generator) } }
        let group = Int.random(in: 1...2, using: &generator)
        var example = Case(
            size: random(1...5), kernel: random(1...5), strides: random(1...4), dilations: random(1...3), begins: random(0...4),
            ends: random(0...4), extra: random(0...3), group: group, channels: 2 * group, outputs: 2 * group)
        if seed % 2 == 0, rank == 2 { example.strides[1] = example.strides[0] }
        for axis in 0..<rank where example.resultSize(axis) < 1 {
            example.begins[axis] = 0
            example.ends[axis] = 0
        }
        let ints = { (values: [Int]) -> AttributeValue in .ints(values.map { Int64($0) }) }
        try check(
            example,
            [
                "strides": ints(example.strides), "dilations": ints(example.dilations), "pads": ints(example.begins + example.ends),
                "output_padding": ints(example.extra), "group": .int(Int64(group)), "kernel_shape": ints(example.kernel),
            ], &generator)
    }

    /// 3 samples, stride 2, kernel 3: 7 elements; for 6, one is cut, with SAME_UPPER at the end, else at the begin.
    @Test(arguments: [("SAME_UPPER", [0, 0], [1, 1]), ("SAME_LOWER", [1, 1], [0, 0])])
    func automaticPads(mode: String, begins: [Int], ends: [Int]) throws {
        var generator = SeededGenerator(seed: 1)
        let example = Case(size: [3, 3], kernel: [3, 3], strides: [2, 2], dilations: [1, 1], begins: begins, ends: ends, extra: [0, 0])
        try check(example, ["auto_pad": .string(mode), "strides": [2, 2]], &generator)
        try check(example, ["auto_pad": .string(mode), "strides": [2, 2], "output_shape": [6, 6], "pads": [2, 2, 2, 2]], &generator)
        if mode == "SAME_LOWER" { try check(example, ["strides": [2, 2], "output_shape": [6, 6]], &generator) }
    }

    /// More than the kernel reaches is bias alone.
    @Test func aStatedShapeMayBeLarger() throws {
        var generator = SeededGenerator(seed: 2)
        let example = Case(size: [3, 3], kernel: [3, 3], strides: [3, 2], dilations: [1, 1], begins: [0, 0], ends: [-1, -1], extra: [0, 0])
        try check(example, ["strides": [3, 2], "output_shape": [10, 8]], &generator)
    }

    @Test func strideOneIsAConvolutionAndSquareStridesAreDepthToSpace() throws {
        let transposed: (Int64, Int64) throws -> [MultipointGraph.Operation] = { stride, kernel in
            try operations(
                definition(
                    [node("ConvTranspose", ["x", "w"], "y", ["strides": [stride, stride]])],
                    ["w": zeros(4, 2, Int(kernel), Int(kernel))]))
        }
        #expect(try transposed(1, 3) == [.layer("y")])
        #expect(try transposed(2, 2) == [.layer("y"), .depthToSpace(blockSize: 2, .columnRowDepth)])
        // 17 elements in blocks of 2.
        #expect(
            try transposed(2, 3) == [
                .layer("y"), .depthToSpace(blockSize: 2, .columnRowDepth),
                .slice(starts: [0, 0], ends: [17, 17], axes: [2, 3], steps: [1, 1]),
            ])
    }

    @Test func errorsNameTheNode() {
        let transposed: (Tensor, [String: AttributeValue]) -> GraphDefinition = { weights, attributes in
            definition([node("ConvTranspose", ["x", "w"], "y", attributes, name: "up")], ["w": weights])
        }
        expectError(.invalid, transposed(zeros(3, 2, 3, 3), [:]), "node `up`", "weights for 3 channels")
        expectError(.invalid, transposed(zeros(4, 2, 3, 3), ["group": 3]), "groups of 3")
        expectError(.invalid, transposed(zeros(4, 2, 3), [:]), "node `up`", "4 dimensions expected")
        expectError(.invalid, transposed(zeros(4, 2, 3, 3), ["pads": [9, 0, 9, 0]]), "a result of size -8 along axis 2")
        expectError(.invalid, transposed(zeros(4, 2, 3, 3), ["auto_pad": "SAME"]), "auto_pad `SAME`")
        expectError(.unsupported, transposed(zeros(4, 2, 1, 1), ["strides": [1 << 20, 1 << 20]]), "node `up`", "too large")
        expectError(.invalid, definition([node("Relu", ["x"], "r"), node("ConvTranspose", ["x"], "y")]), "2 to 3 inputs")
    }
}
