import MultipointGraph
import SeededNumbers
import Testing

/// Operators that become several operations, or other ones, against their definitions.
@Suite struct ComposedOperatorTests {
    private func result(_ definition: GraphDefinition, _ input: Values) throws -> Values {
        let network = try Network(definition: definition)
        let layers = network.layerOrder.compactMap { network.layers[$0] }
        #expect(try Network(definition: network.definition(), layers: layers) == network)
        let values = try evaluate(network, input)
        return try #require(values["y"])
    }

    private func expect(
        _ found: Values, _ expected: Values, tolerance: Double = 1e-5, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(found.shape == expected.shape, sourceLocation: sourceLocation)
        let difference = zip(found.elements, expected.elements).map { abs($0 - $1) }.max() ?? .infinity
        #expect(difference <= tolerance, "\(found.elements) computed, \(expected.elements) expected", sourceLocation: sourceLocation)
    }

    @Test func celu() throws {
        let x = Values(shape: [1, 4], [-3, -0.5, 0, 2])
        let found = try result(definition(input: [.batch, 4], [node("Celu", ["x"], "y", ["alpha": 2.0])]), x)
        // 2 (e^(x/2) − 1) below 0.
        expect(found, Values(shape: [1, 4], [-1.5537397, -0.4423984, 0, 2]))
        expectError(.unsupported, definition([node("Celu", ["x"], "y", ["alpha": -1.0])]), "node `y`", "alpha -1")
    }

    @Test func logarithmsOfSums() throws {
        let x = Values(shape: [2, 2, 2], [1, 2, 3, 4, 1000, 1000, -1000, -1000])
        let nodes: ([String: AttributeValue]) -> [NodeDefinition] = { [node("ReduceLogSumExp", ["x"], "y", $0)] }
        let found = try result(definition(input: [.batch, 2, 2], nodes(["axes": [2], "keepdims": 0])), x)
        // log(e + e²) = 2 + log(1 + 1/e) = 2.3132617; doubles add log 2.
        expect(found, Values(shape: [2, 2], [2.3132617, 4.3132617, 1000.6931472, -999.3068528]), tolerance: 1e-4)
        let kept = try result(definition(input: [.batch, 2, 2], nodes(["axes": [1, 2]])), x)
        expect(kept, Values(shape: [2, 1, 1], [4.4401897, 1000.6931472]), tolerance: 1e-4)
        let sums = try result(
            definition(opset: 18, input: [.batch, 2, 2], [node("ReduceLogSum", ["x", "a"], "y")], ["a": ints(-2)]),
            Values(shape: [1, 2, 2], [1, 2, 3, 4]))
        expect(sums, Values(shape: [1, 1, 2], [1.3862944, 1.7917595]))
    }

    @Test func reductionsOverNothing() throws {
        let forms: [(String, [MultipointGraph.Operation])] = [
            ("ReduceL1", [.elementwise(.abs)]), ("ReduceL2", [.elementwise(.abs)]), ("ReduceSumSquare", [.multiply]),
            ("ReduceLogSum", [.elementwise(.log)]), ("ReduceLogSumExp", []), ("ReduceMean", []), ("ReduceMax", []), ("ReduceProd", []),
        ]
        for (name, expected) in forms {
            let nodes = [node(name, ["x", "none"], "r", ["noop_with_empty_axes": 1]), node("Neg", ["r"], "y")]
            let found = try operations(definition(opset: 18, nodes, ["none": Tensor(shape: [0], [Int64]())]))
            #expect(found == expected + [.elementwise(.neg)], "\(name)")
        }
        // Without axes: all, which is not possible with a batch.
        let all = [node("ReduceSum", ["x"], "y", ["keepdims": 0])]
        expectError(.unsupported, definition(all), "node `y`", "works along the batch dimension")
        let one = try Network(definition: definition(input: [1, 4], all))
        #expect(one.nodes.map(\.operation) == [.reduce(.sum, axes: [0, 1], keepsDimensions: false)])
        #expect(one.inputs[0].shape == [1, 4])
        expectError(.invalid, definition(opset: 17, [node("ReduceMean", ["x"], "y", ["noop_with_empty_axes": 1])]), "noop_with_empty_axes")
        expectError(.invalid, definition(opset: 18, [node("ReduceMean", ["x"], "y", ["axes": [1]])]), "no attribute `axes`")
    }

    @Test(arguments: [(18, 2), (21, 4)]) func groupNormalization(opset: Int, count: Int) throws {
        var generator = SeededGenerator(seed: 20)
        let scale = generator.tensor([count]), bias = generator.tensor([count])
        let input = Values(generator.tensor([2, 4, 3, 2]))
        let nodes = [node("GroupNormalization", ["x", "s", "b"], "y", ["num_groups": 2, "epsilon": 0.5])]
        let found = try result(definition(opset: opset, input: [.batch, 4, 3, 2], nodes, ["s": scale, "b": bias]), input)
        let expected = Values.build([2, 4, 3, 2]) { index in
            let group = Values.indices([2, 3, 2]).map { input[[index[0], index[1] / 2 * 2 + $0[0], $0[1], $0[2]]] }
            let mean = group.reduce(0, +) / 12, variance = group.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 12
            let parameter = count == 2 ? index[1] / 2 : index[1]
            let normalized = (input[index] - mean) / (variance + 0.5).squareRoot()
            return normalized * Double(scale.floats?[parameter] ?? 0) + Double(bias.floats?[parameter] ?? 0)
        }
        expect(found, expected)
    }

    @Test func instanceAndLayerNormalization() throws {
        var generator = SeededGenerator(seed: 21)
        let scale = generator.tensor([3]), bias = generator.tensor([3]), input = Values(generator.tensor([2, 3, 5]))
        let instance = try result(
            definition(input: [.batch, 3, 5], [node("InstanceNormalization", ["x", "s", "b"], "y")], ["s": scale, "b": bias]), input)
        let expected = Values.build([2, 3, 5]) { index in
            let row = (0..<5).map { input[[index[0], index[1], $0]] }
            let mean = row.reduce(0, +) / 5, variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 5
            let parameter = index[1]
            return (input[index] - mean) / (variance + 1e-5).squareRoot() * Double(scale.floats?[parameter] ?? 0)
                + Double(bias.floats?[parameter] ?? 0)
        }
        expect(instance, expected)
        let layer: ([String: Tensor]) -> GraphDefinition = { constants in
            definition(input: [.batch, 3, 5], [node("LayerNormalization", ["x", "s", "b"], "y")], constants)
        }
        let plain = layer(["s": Tensor(shape: [5], [Float](repeating: 1, count: 5)), "b": zeros(5)])
        #expect(try operations(plain) == [.layerNormalization(axis: 2, epsilon: 1e-5)])
        #expect(
            try operations(layer(["s": generator.tensor([5]), "b": generator.tensor([5])])) == [
                .layerNormalization(axis: 2, epsilon: 1e-5), .multiply, .add,
            ])
        expectError(.invalid, layer(["s": generator.tensor([2, 1, 1, 1]), "b": zeros(5)]), "node `y`")
        // Mean and InvStdDev: of each row 1, 3: 2 and 1 / √(1 + 3).
        var statistics = definition(
            input: [.batch, 1, 2], [node("LayerNormalization", ["x", "s"], "n", ["epsilon": 3.0])], ["s": scalar(1)])
        statistics.nodes[0].outputs += ["mean", "inverse"]
        statistics.nodes += [node("Sub", ["mean", "inverse"], "y")]
        expect(try result(statistics, Values(shape: [1, 1, 2], [1, 3])), Values(shape: [1, 1, 1], [1.5]))
    }

    @Test func lpNormalization() throws {
        let x = Values(shape: [1, 2, 2], [3, -4, 0, 0])
        let nodes: (Int64) -> [NodeDefinition] = { [node("LpNormalization", ["x"], "y", ["p": .int($0), "axis": 2])] }
        expect(try result(definition(input: [.batch, 2, 2], nodes(2)), x), Values(shape: [1, 2, 2], [0.6, -0.8, 0, 0]))
        expect(try result(definition(input: [.batch, 2, 2], nodes(1)), x), Values(shape: [1, 2, 2], [3.0 / 7, -4.0 / 7, 0, 0]))
        expectError(.invalid, definition(nodes(3)), "p = 3")
    }

    @Test func meanVarianceNormalization() throws {
        let x = Values(shape: [1, 2, 2, 2], [1, 2, 3, 4, 5, 5, 5, 5])
        let found = try result(
            definition(input: [.batch, 2, 2, 2], [node("MeanVarianceNormalization", ["x"], "y", ["axes": [2, 3]])]), x)
        expect(found, Values(shape: [1, 2, 2, 2], [-1.3416408, -0.4472136, 0.4472136, 1.3416408, 0, 0, 0, 0]))
        expectError(
            .unsupported, definition([node("MeanVarianceNormalization", ["x"], "y")]), "node `y/mean`", "works along the batch")
    }

    @Test func globalPools() throws {
        let x = Values(shape: [1, 1, 2, 2], [1, -2, 3, -4])
        let pooled: (String, [String: AttributeValue]) throws -> Values = { name, attributes in
            try result(definition(input: [.batch, 1, 2, 2], [node(name, ["x"], "y", attributes)]), x)
        }
        expect(try pooled("GlobalMaxPool", [:]), Values(shape: [1, 1, 1, 1], [3]))
        expect(try pooled("GlobalLpPool", ["p": 1]), Values(shape: [1, 1, 1, 1], [10]))
        expect(try pooled("GlobalLpPool", [:]), Values(shape: [1, 1, 1, 1], [5.4772256]))
        // (1 + 8 + 27 + 64)^(1/3)
        expect(try pooled("GlobalLpPool", ["p": 3]), Values(shape: [1, 1, 1, 1], [4.6415888]))
        let signal = definition(input: [.batch, 2, 8], [node("GlobalAveragePool", ["x"], "y")])
        #expect(try operations(signal) == [.reduce(.mean, axes: [2], keepsDimensions: true)])
    }

    @Test(arguments: 0..<12) func concatenationWithConstants(seed: UInt64) throws {
        var generator = SeededGenerator(seed: 300 + seed)
        let input = Values(generator.tensor([2, 3, 4])), axis = Int.random(in: 1...2, using: &generator)
        var constants: [String: Tensor] = [:], names: [String] = [], parts: [Values] = []
        for index in 0..<5 {
            if index != 2, Bool.random(using: &generator) {
                var shape = [1, 3, 4]
                shape[axis] = Int.random(in: 1...3, using: &generator)
                constants["c\(index)"] = generator.tensor(shape)
                names.append("c\(index)")
                parts.append(Values(constants["c\(index)"] ?? zeros(0)))
            } else {
                names.append("x")
                parts.append(input)
            }
        }
        let found = try result(
            definition(input: [1, 3, 4], [node("Concat", names, "y", ["axis": .int(Int64(axis))])], constants), input)
        var shape = [2, 3, 4]
        shape[axis] = parts.reduce(0) { $0 + $1.shape[axis] }
        let expected = Values.build(shape) { index in
            var index = index
            for part in parts {
                if index[axis] < part.shape[axis] { return part[index] }
                index[axis] -= part.shape[axis]
            }
            return .nan
        }
        expect(found, expected, tolerance: 0)
    }

    /// alpha A' B' + beta C, whichever of them are computed.
    @Test(arguments: 0..<16) func gemm(form: Int64) throws {
        var generator = SeededGenerator(seed: 40)
        let input = Values(generator.tensor([3, 3])), other = generator.tensor([3, 3])
        let (transA, transB) = (form & 1, form >> 1 & 1)
        let isComputed = form & 4 != 0
        let summand = form & 8 != 0 ? generator.tensor([3, 1]) : generator.tensor([3])
        let attributes: [String: AttributeValue] = [
            "transA": .int(transA), "transB": .int(transB), "alpha": 0.5, "beta": 2.0,
        ]
        let nodes = [node("Identity", ["x"], "i"), node("Gemm", ["x", isComputed ? "i" : "w", "c"], "y", attributes)]
        let found = try result(definition(input: [3, 3], nodes, ["w": other, "c": summand]), input)
        let a = transA == 1 ? input.transposed([1, 0]) : input
        let right = isComputed ? input : Values(other)
        let product = a.multiplied(transB == 1 ? right.transposed([1, 0]) : right, bias: nil).map { 0.5 * $0 }
        expect(found, product.combined(Values(summand)) { $0 + 2 * $1 })
    }

    @Test func gemmOfAConstantWithWhatIsComputed() throws {
        var generator = SeededGenerator(seed: 41)
        let input = Values(generator.tensor([3, 2])), left = generator.tensor([4, 3])
        let nodes: ([String: AttributeValue]) -> [NodeDefinition] = { [node("Gemm", ["w", "x"], "y", $0)] }
        let found = try result(definition(input: [3, 2], nodes([:]), ["w": left]), input)
        expect(found, Values(left).multiplied(input, bias: nil))
        let transposed = try result(
            definition(input: [3, 2], nodes(["transA": 1, "alpha": 3.0]), ["w": generator.tensor([3, 4])]), input)
        #expect(transposed.shape == [4, 2])
        expectError(.unsupported, definition(input: [3, 3], [node("Relu", ["x"], "r"), node("Gemm", ["w", "w"], "g"), node("Add", ["g", "r"], "y")], ["w": zeros(3, 3)]), "node `g`", "both matrices are constants")
    }

    @Test func signalsAreImagesOfHeightOne() throws {
        var generator = SeededGenerator(seed: 50)
        let weights = generator.tensor([3, 1, 3]), input = Values(generator.tensor([2, 2, 9]))
        let attributes: [String: AttributeValue] = ["strides": [2], "pads": [1, 2], "dilations": [2], "group": 1]
        let found = try result(
            definition(
                input: [.batch, 2, 9], [node("Conv", ["x", "w"], "y", attributes)],
                ["w": Tensor(shape: [3, 2, 3], (weights.floats ?? []) + (weights.floats ?? []))]), input)
        let both = (weights.floats ?? []) + (weights.floats ?? [])
        let expected = Values.build([2, 3, 4]) { index in
            var sum = 0.0
            for channel in 0..<2 {
                for tap in 0..<3 {
                    let place = index[2] * 2 + tap * 2 - 1
                    guard (0..<9).contains(place) else { continue }
                    sum += input[[index[0], channel, place]] * Double(both[(index[1] * 2 + channel) * 3 + tap])
                }
            }
            return sum
        }
        expect(found, expected)
        let pooling = Pooling(kernel: [1, 3], strides: [1, 2], pads: [0, 1, 0, 0])
        let pooled = definition(
            input: [.batch, 2, 9], [node("MaxPool", ["x"], "y", ["kernel_shape": [3], "strides": [2], "pads": [1, 0]])])
        #expect(try operations(pooled) == [.unsqueeze(axes: [2]), .maxPool(pooling), .squeeze(axes: [2])])
        #expect(try outputShape(pooled, batch: 2) == [2, 2, 4])
        // What lies between two of them stays an image.
        let chain = definition(
            input: [.batch, 2, 9],
            [node("Conv", ["x", "w"], "a"), node("Relu", ["a"], "b"), node("Conv", ["b", "w"], "y")], ["w": generator.tensor([2, 2, 3])])
        #expect(
            try operations(chain) == [.unsqueeze(axes: [2]), .layer("a"), .relu, .layer("y"), .squeeze(axes: [2])])
    }

    @Test func spaceToDepthByColumns() throws {
        let input = Values.build([1, 2, 2, 2]) { Double(($0[1] * 2 + $0[2]) * 2 + $0[3]) }
        let found = try result(
            definition(opset: 28, input: [.batch, 2, 2, 2], [node("SpaceToDepth", ["x"], "y", ["blocksize": 2, "mode": "CRD"])]), input)
        // PixelUnshuffle: channel by channel, row by row.
        expect(found, Values(shape: [1, 8, 1, 1], (0..<8).map(Double.init)))
        let blocks = try result(
            definition(input: [.batch, 2, 2, 2], [node("SpaceToDepth", ["x"], "y", ["blocksize": 2])]), input)
        expect(blocks, Values(shape: [1, 8, 1, 1], [0, 4, 1, 5, 2, 6, 3, 7]))
    }

    @Test func split() throws {
        let parts: (Int, [String], [String: AttributeValue], [String: Tensor], [String]) -> GraphDefinition = {
            opset, inputs, attributes, constants, outputs in
            var split = node("Split", inputs, outputs[0], attributes, name: "split")
            split.outputs = outputs
            return definition(
                opset: opset, input: [.batch, 5], [split, node("Concat", [outputs[1], outputs[0]], "y", ["axis": 1])], constants)
        }
        let slices: (Int, Int) -> [MultipointGraph.Operation] = { first, second in
            [
                .slice(starts: [0], ends: [first], axes: [1], steps: [1]),
                .slice(starts: [first], ends: [second], axes: [1], steps: [1]), .concat(axis: 1),
            ]
        }
        let axis: [String: AttributeValue] = ["axis": 1]
        for opset in [7, 11] {
            #expect(try operations(parts(opset, ["x"], ["axis": -1, "split": [2, 3]], [:], ["a", "b"])) == slices(2, 5))
        }
        #expect(try operations(parts(13, ["x", "s"], axis, ["s": ints(1, 4)], ["a", "b"])) == slices(1, 5))
        #expect(try operations(parts(18, ["x"], ["axis": 1, "num_outputs": 2], [:], ["a", "b"])) == slices(3, 5))
        #expect(try operations(parts(18, ["x"], ["axis": 1, "num_outputs": 3], [:], ["a", "b", "c"])) == slices(2, 4))
        expectError(.invalid, parts(13, ["x"], axis, [:], ["a", "b"]), "node `split`", "no 2 equal parts")
        expectError(.invalid, parts(13, ["x", "s"], axis, ["s": ints(1, 3)], ["a", "b"]), "parts [1, 3]")
        expectError(.invalid, parts(13, ["x", "s"], axis, ["s": ints(1, 2, 2)], ["a", "b"]), "3 parts for 2 outputs")
        expectError(.invalid, parts(18, ["x"], ["axis": 1, "num_outputs": 3], [:], ["a", "b"]), "3 parts for 2 outputs")
    }

    @Test func gather() throws {
        let gathered: (Tensor) throws -> [MultipointGraph.Operation] = {
            try operations(definition([node("Gather", ["x", "i"], "y", ["axis": -3])], ["i": $0]))
        }
        #expect(try gathered(ints(-1, 0)) == [.gather(indices: [3, 0], shape: [2], axis: 1)])
        #expect(try gathered(Tensor(shape: [], [Int64(2)])) == [.gather(indices: [2], shape: [], axis: 1)])
        let matrix = Tensor(shape: [2, 1], [Int64(2), -4])
        #expect(try gathered(matrix) == [.gather(indices: [2, 0], shape: [2, 1], axis: 1)])
        expectError(.invalid, definition([node("Gather", ["x", "i"], "y", ["axis": 1])], ["i": ints(4)]), "node `y`", "index 4")
        expectError(.unsupported, definition([node("Gather", ["x", "i"], "y")], ["i": ints(0)]), "node `y`", "works along the batch")
    }

    @Test func castsAndIdentities() throws {
        let cast: (Int64) throws -> [MultipointGraph.Operation] = {
            try operations(definition([node("Cast", ["x"], "c", ["to": .int($0)]), node("Neg", ["c"], "y")]))
        }
        for float: Int64 in [1, 10, 11, 16] { #expect(try cast(float) == [.elementwise(.neg)]) }
        for integer: Int64 in [2, 3, 6, 7] { #expect(try cast(integer) == [.elementwise(.truncate), .elementwise(.neg)]) }
        expectError(.unsupported, definition([node("Cast", ["x"], "y", ["to": 9])]), "node `y`", "to = 9")
        #expect(try operations(definition([node("Sum", ["x"], "s"), node("Neg", ["s"], "y")])) == [.elementwise(.neg)])
        #expect(try operations(definition([node("Expand", ["x", "s"], "e"), node("Neg", ["e"], "y")], ["s": ints(1, 4, 1, 8)])) == [.elementwise(.neg)])
    }

    @Test func anyNumberOfOperands() throws {
        let x = Values(shape: [1, 3], [1, -2, 5]), constants = ["a": Tensor(shape: [3], [Float(0), 3, 9]), "b": scalar(2)]
        let folded: (String) throws -> Values = {
            try result(definition(input: [.batch, 3], [node($0, ["a", "x", "b"], "y")], constants), x)
        }
        expect(try folded("Max"), Values(shape: [1, 3], [2, 3, 9]))
        expect(try folded("Min"), Values(shape: [1, 3], [0, -2, 2]))
        expect(try folded("Sum"), Values(shape: [1, 3], [3, 3, 16]))
        expect(try folded("Mean"), Values(shape: [1, 3], [1, 1, 16.0 / 3]))
    }

    @Test func powers() throws {
        let power: (Tensor) throws -> [MultipointGraph.Operation] = {
            try operations(definition([node("Pow", ["x", "e"], "y")], ["e": $0]))
        }
        #expect(try power(scalar(0.5)) == [.elementwise(.pow(exponent: 0.5))])
        #expect(try power(Tensor(shape: [1], [Int64(3)])) == [.elementwise(.pow(exponent: 3))])
        #expect(try power(Tensor(shape: [4, 1, 1], [Float(1), 2, 3, 4])) == [.binary(.power)])
        #expect(try operations(definition([node("Pow", ["b", "x"], "y")], ["b": scalar(2)])) == [.binary(.power)])
    }

    @Test func slicesOfEverythingLeaveTheBatchAlone() throws {
        let constants = ["s": ints(0, 1), "e": ints(Int64.max, 3), "a": ints(0, 1)]
        #expect(
            try operations(definition([node("Slice", ["x", "s", "e", "a"], "y")], constants)) == [
                .slice(starts: [1], ends: [3], axes: [1], steps: [1])
            ])
    }
}
