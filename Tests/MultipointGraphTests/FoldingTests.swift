import MultipointGraph
import SeededNumbers
import Testing

/// Networks with nodes that are computed at translation, in the patterns of exporters. `x` is [N, 4, 8, 8].
@Suite struct FoldingTests {
    private let numbers: [String: Tensor] = [
        "zero": Tensor(shape: [], [Int64(0)]), "one": Tensor(shape: [], [Int64(1)]), "two": Tensor(shape: [], [Int64(2)]),
        "axis0": ints(0), "axis2": ints(2), "i1": ints(1), "i2": ints(2), "i4": ints(4), "i8": ints(8), "inferred": ints(-1),
        "max": ints(.max), "sixteen": ints(16),
    ]

    /// Shape → Gather → Unsqueeze: size `index` of `value`, as `x.size(index)` is exported.
    private func size(_ index: String, of value: String = "x", _ name: String) -> [NodeDefinition] {
        [
            node("Shape", [value], "\(name)_shape"), node("Gather", ["\(name)_shape", index], "\(name)_size", ["axis": 0]),
            node("Unsqueeze", ["\(name)_size", "axis0"], name),
        ]
    }

    /// The operations, and the output's shape for batch sizes 1 and 3.
    private func translated(
        input: [ValueInfo.Dimension] = [.batch, 4, 8, 8], _ nodes: [NodeDefinition], _ more: [String: Tensor] = [:]
    ) throws -> ([MultipointGraph.Operation], [[Int]?]) {
        let network = try Network(definition: definition(input: input, nodes, numbers.merging(more) { $1 }))
        return (network.nodes.map(\.operation), try [1, 3].map { try network.shapes(batch: $0)["y"] })
    }

    /// `x.view(x.size(0), -1)`.
    @Test func viewsKeepTheBatch() throws {
        let nodes = size("zero", "n") + [
            node("Concat", ["n", "inferred"], "s", ["axis": 0]), node("Reshape", ["x", "s"], "y"),
        ]
        let (operations, shapes) = try translated(nodes)
        #expect(operations == [.reshape([0, -1], allowZero: false)])
        #expect(shapes == [[1, 256], [3, 256]])
        // With a batch of one the same network has constants, and gets a batch all the same.
        let one = try translated(input: [1, 4, 8, 8], nodes)
        #expect(one.0 == [.reshape([0, -1], allowZero: false)])
        #expect(one.1 == [[1, 256], [3, 256]])
    }

    /// `view(n, groups, channels // groups, h, w).transpose(1, 2).view(n, -1, h, w)`.
    @Test func channelShuffle() throws {
        var nodes = size("zero", "n") + size("one", "c") + size("two", "h")
        nodes += [
            node("Div", ["c", "i2"], "half"), node("Concat", ["n", "i2", "half", "h", "i8"], "s", ["axis": 0]),
            node("Reshape", ["x", "s"], "grouped"), node("Transpose", ["grouped"], "shuffled", ["perm": [0, 2, 1, 3, 4]]),
            node("Concat", ["n", "inferred", "h", "i8"], "t", ["axis": 0]), node("Reshape", ["shuffled", "t"], "y"),
        ]
        let (operations, shapes) = try translated(nodes)
        #expect(operations == [.gather(indices: [0, 2, 1, 3], shape: [4], axis: 1)])
        #expect(shapes == [[1, 4, 8, 8], [3, 4, 8, 8]])
    }

    /// tf2onnx: Shape → Cast → StridedSlice → pack → Cast → Reshape, with the batch written as such.
    @Test func shapesAsFloatsAndBack() throws {
        let nodes = [
            node("Shape", ["x"], "s"), node("Cast", ["s"], "f", ["to": 1]), node("Slice", ["f", "axis0", "i1", "axis0"], "n"),
            node("Mul", ["n", "factor"], "n16"), node("Cast", ["n16"], "ni", ["to": 7]),
            node("Concat", ["ni", "sixteen"], "t", ["axis": 0]), node("Reshape", ["x", "t"], "r"),
            node("Concat", ["bi", "inferred"], "u", ["axis": 0]), node("Cast", ["n"], "bi", ["to": 7]), node("Reshape", ["r", "u"], "y"),
        ]
        // The first Reshape gives sixteen rows for every image.
        let (operations, shapes) = try translated(nodes, ["factor": Tensor(shape: [1], [Float(16)])])
        #expect(operations == [.reshape([0, 256], allowZero: false)])
        #expect(shapes == [[1, 256], [3, 256]])
    }

    /// `torch.expand`: −1 in the sizes stands for the size that is there: ConstantOfShape, Mul, Equal, Where, Expand.
    @Test func expansionToTheBatch() throws {
        var nodes = size("zero", "n")
        nodes += [
            node("GlobalAveragePool", ["x"], "g"), node("Concat", ["n", "inferred", "i8", "i8"], "sizes", ["axis": 0]),
            node("ConstantOfShape", ["i4"], "ones", ["value": .tensor(ints(1))]), node("Mul", ["ones", "inferred"], "minus"),
            node("Equal", ["sizes", "minus"], "kept"), node("Where", ["kept", "ones", "sizes"], "s"), node("Expand", ["g", "s"], "e"),
            node("Shape", ["e"], "es"), node("Gather", ["es", "two"], "eh"), node("Unsqueeze", ["eh", "axis0"], "eh1"),
            node("Concat", ["n", "i4", "sixtyfour"], "t", ["axis": 0]), node("Reshape", ["x", "t"], "y"),
        ]
        let (_, shapes) = try translated(nodes, ["sixtyfour": ints(64)])
        #expect(shapes == [[1, 4, 64], [3, 4, 64]])
    }

    @Test func floatConstantsAreComputed() throws {
        let constants = ["a": Tensor(shape: [2], [Float(3), 4]), "b": scalar(2)]
        let nodes = [
            node("Mul", ["a", "b"], "ab"), node("Sqrt", ["ab"], "root"), node("Neg", ["root"], "minus"),
            node("Mul", ["minus", "minus"], "square"), node("ReduceSum", ["square"], "sum", ["keepdims": 0]), node("Add", ["x", "sum"], "y"),
        ]
        let network = try Network(definition: definition(nodes, constants))
        #expect(network.nodes.map(\.operation) == [.add])
        let sum = try #require(network.constants[network.nodes[0].inputs[1]]?.floats?.first)
        // √6² + √8².
        #expect(abs(sum - 14) < 1e-5)
        #expect(network.constants.count == 1)
    }

    @Test func valuesThatDependOnTheBatchAreRefused() {
        let batch = size("zero", "n") + [node("Cast", ["n"], "f", ["to": 1])]
        expectError(
            .unsupported, definition(batch + [node("Mul", ["x", "f"], "y")], numbers), "node `y`: Mul", "`f` depends on the batch size",
            "Shape of `x`")
        let second = [node("Concat", ["i4", "n", "inferred"], "s", ["axis": 0]), node("Reshape", ["x", "s"], "y")]
        expectError(.unsupported, definition(batch + second, numbers), "node `y`: Reshape", "`s` depends on the batch size")
        let ends = [node("Slice", ["x", "axis0", "n", "axis2"], "y")]
        expectError(.unsupported, definition(batch + ends, numbers), "node `y`: Slice", "`n` depends on the batch size")
        expectError(.unsupported, definition(batch + [node("Identity", ["n"], "y")], numbers), "output `y` depends on nothing but")
        expectError(.unsupported, definition([node("Shape", ["x"], "s"), node("ReduceProd", ["s"], "y")]), "output `y`")
        let total = [node("Size", ["x"], "s"), node("Reshape", ["s", "inferred"], "t"), node("Reshape", ["x", "t"], "y")]
        expectError(.unsupported, definition(total, numbers), "output `y`: its first dimension is 256 times the batch size")
    }

    /// What only folded nodes need does not stay.
    @Test func dequantizedWeightsAreKeptOnce() throws {
        let codes = Tensor(shape: [2, 4, 1, 1], elements: .int64([1, 2, 3, 4, 5, 6, 7, 8]), integerType: .int8)
        let constants = [
            "codes": codes, "scales": Tensor(shape: [2], [Float(0.5), 2]), "zeros": Tensor(shape: [2], elements: .int64([0, 1]), integerType: .int8),
        ]
        let nodes = [
            node("DequantizeLinear", ["codes", "scales", "zeros"], "w", ["axis": 0]), node("Conv", ["x", "w"], "y"),
        ]
        let network = try Network(definition: definition(nodes, constants))
        #expect(network.layers["y"]?.weights == .float([0.5, 1, 1.5, 2, 8, 10, 12, 14]))
        #expect(network.constants.isEmpty)
    }

    @Test func aSmallFileCannotAskForGigabytes() {
        let large = ints(1 << 15, 1 << 15)
        let one = [node("ConstantOfShape", ["s"], "c"), node("ReduceSum", ["c"], "r"), node("Add", ["x", "r"], "y")]
        expectError(.unsupported, definition(one, ["s": large]), "node `c`: ConstantOfShape", "has 1073741824 elements")
        // Many of the largest that one may have.
        var many = (0..<10).map { node("ConstantOfShape", ["s"], "c\($0)") }
        many += (0..<10).map { node("ReduceMax", ["c\($0)"], "m\($0)", ["keepdims": 0]) }
        many += (0..<10).map { node("Add", [$0 == 0 ? "x" : "v\($0 - 1)", "m\($0)"], $0 == 9 ? "y" : "v\($0)") }
        expectError(.unsupported, definition(many, ["s": ints(1 << 23)]), "node `c", "ConstantOfShape")
    }

    @Test func deepChainsOfConstants() throws {
        let count = 20_000
        let chain = (0..<count).map { node("Add", [$0 == 0 ? "c" : "v\($0 - 1)", "c"], "v\($0)") }
        let network = try Network(definition: definition(chain + [node("Mul", ["x", "v\(count - 1)"], "y")], ["c": scalar(1)]))
        #expect(network.constants.values.first?.floats == [Float(count + 1)])
    }
}

/// Shape arithmetic that only a broken or malicious file has: a network or an error with a node's name, never a trap.
@Suite struct HostileFoldingTests {
    private static let constants: [String: Tensor] = [
        "zero": ints(0), "one": ints(1), "minus": ints(-1), "two": ints(1, 2), "extremes": ints(.min, .max), "large": ints(1 << 40, 1 << 40),
        "number": Tensor(shape: [], [Int64(2)]), "empty": Tensor(shape: [0], [Int64]()), "half": scalar(0.5), "nan": scalar(.nan),
        "truth": Tensor(shape: [1], elements: .int64([1]), integerType: .bool),
    ]

    private static let templates: [(type: String, inputs: Int, attributes: [String: AttributeValue])] = [
        ("Shape", 1, [:]), ("Shape", 1, ["start": 1]), ("Size", 1, [:]), ("Gather", 2, ["axis": 0]), ("Slice", 3, [:]), ("Slice", 4, [:]),
        ("Concat", 2, ["axis": 0]), ("Cast", 1, ["to": 1]), ("Cast", 1, ["to": 7]), ("Add", 2, [:]), ("Mul", 2, [:]), ("Div", 2, [:]),
        ("Mod", 2, [:]), ("Sub", 2, [:]), ("Range", 3, [:]), ("ConstantOfShape", 1, [:]), ("Where", 3, [:]), ("Equal", 2, [:]),
        ("Expand", 2, [:]), ("Reshape", 2, [:]), ("Squeeze", 1, [:]), ("Unsqueeze", 2, [:]), ("Tile", 2, [:]), ("ReduceProd", 1, [:]),
        ("Transpose", 1, [:]), ("Resize", 4, ["mode": "nearest"]), ("Flatten", 1, [:]), ("Pow", 2, [:]), ("Neg", 1, [:]),
        ("QuantizeLinear", 2, [:]), ("DequantizeLinear", 2, [:]), ("Split", 1, ["num_outputs": 1]), ("Floor", 1, [:]), ("Relu", 1, [:]),
    ]

    @Test(arguments: 0..<4) func randomShapeArithmetic(seed: UInt64) {
        var generator = SeededGenerator(seed: 500 + seed)
        var accepted = 0
        for _ in 0..<250 {
            var values = Self.constants.keys.sorted() + ["x", "x", "x"]
            var nodes = [node("Shape", ["x"], "s")]
            values += ["s", "s", "s"]
            for index in 0..<Int.random(in: 1...8, using: &generator) {
                guard let template = Self.templates.randomElement(using: &generator) else { continue }
                let inputs = (0..<template.inputs).map { _ in values.randomElement(using: &generator) ?? "x" }
                nodes.append(node(template.type, inputs, "v\(index)", template.attributes))
                values += ["v\(index)", "v\(index)"]
            }
            let last = values.last ?? "x"
            nodes += [node("Reshape", ["x", last], "r"), node("Relu", [Bool.random(using: &generator) ? "r" : last], "y")]
            let input: [ValueInfo.Dimension] = [[.batch, 4, 6], [1, 4, 6], [2, 3]].randomElement(using: &generator) ?? []
            do throws(GraphError) {
                let network = try Network(definition: definition(opset: 18, input: input, nodes, Self.constants))
                accepted += 1
                _ = try network.shapes(batch: 1)
            } catch {
                let places = ["node `", "output `", "constant `"]
                #expect(places.contains(where: error.description.contains), "\(error)")
            }
        }
        #expect(accepted > 2)
    }

    @Test func inputsWithoutElementsOrWithTooMany() {
        for input in [[.batch, 0, 4], [.batch, .fixed(1 << 31)], [.batch, .fixed(.max), .fixed(.max)]] as [[ValueInfo.Dimension]] {
            expectError(.invalid, definition(input: input, [node("Relu", ["x"], "y")]), "input `x`", "sizes from 1")
        }
        // Two to the 31st elements come out of a node.
        let nodes = [node("Expand", ["x", "s"], "y")]
        expectError(.invalid, definition(input: [.batch, 1], nodes, ["s": ints(1, 1 << 31)]), "node `y`")
    }
}
