@testable import MultipointGraph
import Testing

/// Small definitions that ask for shapes beyond integers, or for much more memory or time than their size suggests.
@Suite struct BoundsTests {
    /// A constant `c` of a shape with a 0, what is made of it, and the shape of that (`s`) added up into the network.
    private func sized(_ shape: Tensor, _ nodes: [NodeDefinition], _ others: [String: Tensor] = [:]) -> GraphDefinition {
        let made = [node("ConstantOfShape", ["shape"], "c")] + nodes
        let tail = [
            node("Shape", ["s"], "sizes"), node("Cast", ["sizes"], "floats", ["to": 1]),
            node("ReduceMax", ["floats"], "largest", ["keepdims": 0]), node("Add", ["x", "largest"], "y"),
        ]
        return definition(made + tail, others.merging(["shape": shape]) { $1 })
    }

    @Test func shapesWithAZero() {
        let sum = sized(ints(0, 1 << 62), [node("Concat", ["c", "c", "c", "c"], "s", ["axis": 1])])
        expectError(.invalid, sum, "node `c`", "is not possible")
        let slice = sized(
            ints(0, 1 << 62, 8), [node("Slice", ["c", "starts", "ends", "axes"], "s")],
            ["starts": ints(1 << 61), "ends": ints(1 << 62), "axes": ints(1)])
        expectError(.invalid, slice, "node `c`")
        for size in [Int64.max, 1 << 62] {
            let halves = NodeDefinition(name: "split", operatorType: "Split", inputs: ["c"], outputs: ["s", "t"], attributes: ["axis": 1])
            expectError(.invalid, sized(ints(0, size, 8), [halves]), "node `c`")
        }
        let quantized = sized(
            ints(0, 1 << 40, 1 << 40), [node("DequantizeLinear", ["c", "scales"], "s", ["axis": 0])], ["scales": zeros(0)])
        expectError(.invalid, quantized, "node `c`")
    }

    /// The largest such shape that there is still works everywhere.
    @Test func theLargestShapeWithAZero() throws {
        let shape = ints(0, 1 << 46, 4)
        let slice = node("Slice", ["c", "starts", "ends", "axes"], "s")
        let sliced = sized(shape, [slice], ["starts": ints(-3), "ends": ints(.max), "axes": ints(1)])
        #expect(try Network(definition: sliced).constants.values.contains { $0.floats == [4] })
        let halves = NodeDefinition(name: "split", operatorType: "Split", inputs: ["c"], outputs: ["s", "t"], attributes: ["axis": 1])
        #expect(try Network(definition: sized(shape, [halves])).constants.values.contains { $0.floats == [Float(1 << 45)] })
        expectError(.invalid, sized(shape, [node("Concat", ["c", "c"], "s", ["axis": 1])]), "node `s`", "is not possible")
        expectError(
            .invalid, sized(ints(0, 1 << 46), [node("Split", ["c", "parts"], "s", ["axis": 1])], ["parts": ints(.max)]), "parts")
    }

    @Test func countsOfShapes() {
        #expect(elementCount(of: [3, 0, 5]) == 0 && elementCount(of: []) == 1 && elementCount(of: [0, 1 << 24, 1 << 24]) == 0)
        #expect(elementCount(of: [0, 1 << 24, (1 << 24) + 1]) == nil && elementCount(of: [0, 1 << 49]) == nil)
        #expect(elementCount(of: [.max, 2]) == nil && elementCount(of: [.max, .max, 0]) == nil && elementCount(of: [2, -1]) == nil)
    }

    @Test func initializersAndConstants() {
        let empty = Tensor(shape: [0, 1 << 62], [Float]())
        expectError(.invalid, definition([node("Add", ["x", "k"], "y")], ["k": empty]), "initializer `k`")
        expectError(.invalid, definition([node("Constant", [], "k", ["value": .tensor(empty)]), node("Add", ["x", "k"], "y")]), "do not fit")
    }

    @Test func matricesWithoutElements() {
        let gemm = node("Gemm", ["k", "x"], "y", ["transA": 1])
        expectError(.invalid, definition(input: [3, 4], [gemm], ["k": Tensor(shape: [0, 1 << 40], [Float]())]), "node `y`", "`k`")
    }

    @Test func constantsOfNodesAreOneBudget() {
        let nodes = (0..<4).map { node("Concat", ["x", "k"], "c\($0)", ["axis": 1]) } + [node("Max", ["c0", "c1", "c2", "c3"], "y")]
        expectError(
            .unsupported, definition(input: [1, .fixed(1 << 24)], nodes, ["k": Tensor(shape: [1, 1], [Float(1)])]), "node `c3`", "\((1 << 24) + 1)")
        var budget = FoldingBudget(given: 0)
        let words = 208 << 18
        let accepted = [words + 1, words - 1, 2, 1, 1].map { budget.spend($0) }
        #expect(accepted == [false, true, false, true, false])
        // Of one constant, what is made of nothing and what a file has.
        var large = FoldingBudget(given: 1 << 27)
        let constants = [(1 << 27) + 1, 1 << 27].map { large.spend($0, words: 2) }
        let isSpent = budget.spend((1 << 26) + 1, words: 0)
        #expect(constants == [false, true] && !isSpent)
    }

    @Test func whatFoldingReadsIsCharged() {
        var budget = FoldingBudget(given: 0)
        let accepted = [(1 << 28) + 1, 1 << 27, (1 << 27) + 1, 1 << 27, 1, 0].map { budget.read($0) }
        #expect(accepted == [false, true, false, true, false, true])
    }

    /// Operators that make constants, weights or indices of their own.
    private static let making: [(opset: Int, [ValueInfo.Dimension], NodeDefinition)] = [
        (17, [1, 4, 8, 8], node("Sub", ["x", "image"], "y")), (17, [1, 4, 8, 8], node("Div", ["x", "image"], "y")),
        (17, [1, 4, 8, 8], node("Pow", ["x", "counts"], "y")), (17, [1, 4, 8, 8], node("Concat", ["x", "image"], "y", ["axis": 2])),
        (17, [1, 4, 8, 8], node("Conv", ["x", "kernel"], "y")),
        (17, [1, 4, 8, 8], node("ConvTranspose", ["x", "kernel"], "y", ["strides": [2, 2]])),
        (17, [1, 4, 8, 8], node("BatchNormalization", ["x", "ones", "ones", "ones", "ones"], "y")),
        (17, [1, 4, 8, 8], node("InstanceNormalization", ["x", "fours", "fours"], "y")),
        (18, [1, 8, 8, 8], node("GroupNormalization", ["x", "fours", "fours"], "y", ["num_groups": 4])),
        (17, [1, 4, 8, 8], node("LayerNormalization", ["x", "scale"], "y")),
        (17, [1, 4, 8, 8], node("Gather", ["x", "indices"], "y", ["axis": 1])),
        (28, [1, 4, 8, 8], node("SpaceToDepth", ["x"], "y", ["blocksize": 2, "mode": "CRD"])),
        (17, [1, 8], node("MatMul", ["x", "matrix"], "y")), (17, [1, 8], node("Gemm", ["x", "matrix"], "y")),
        (17, [1, 8], node("Gemm", ["x", "matrix"], "y", ["alpha": 2.0, "transB": 1])),
        (17, [8, 1], node("Gemm", ["matrix", "x"], "y", ["transA": 1])),
        (17, [1, 4, 8, 8], node("DequantizeLinear", ["x", "fours"], "y")),
        (
            11, [1, 1, 4, 4],
            node("Resize", ["x", "", "scales"], "y", ["coordinate_transformation_mode": "tf_half_pixel_for_nn", "nearest_mode": "ceil"])
        ),
    ]

    /// Before it is made: what is left of the budget is less than the smallest of these takes.
    @Test(arguments: making.indices) func whatOperatorsMakeIsCharged(index: Int) throws {
        let (opset, input, node) = Self.making[index]
        let threes: (Int...) -> Tensor = { Tensor(shape: $0, Array(repeating: Float(3), count: $0.reduce(1, *))) }
        let given = definition(
            opset: opset, input: input, [node],
            [
                "image": threes(1, 4, 1, 8), "kernel": threes(4, 4, 3, 3), "ones": threes(4), "fours": threes(4), "scale": threes(8),
                "matrix": threes(8, 8), "counts": ints(1, 2, 3, 4, 5, 6, 7, 8), "indices": ints(3, 2, 1, 0),
                "scales": Tensor(shape: [4], [Float(1), 1, 1, 3]),
            ])
        for rest in [2, 100_000] {
            var translation = try Translation(given, nodes: given.nodesInOrder(), layers: [])
            let isSpent = translation.budget.spend(FoldingBudget.wordLimit + 64 * given.constantElementCount - rest)
            #expect(isSpent)
            do {
                try translation.translate(node)
                #expect(rest > 2, "\(node.operatorType)")
            } catch {
                #expect(rest == 2 && error.description.contains("is too large"), "\(error)")
            }
        }
    }

    /// One number per channel is all that the file has; the constants would have 200 million.
    @Test func scalesOfGroups() {
        let nodes = [node("GroupNormalization", ["x", "k", "k"], "y", ["num_groups": 1])]
        expectError(
            .unsupported, definition(opset: 18, input: [1, 200_000_000, 1], nodes, ["k": Tensor(shape: [1], [Float(2)])]),
            "node `y`", "a constant of 200000000 elements")
    }

    @Test func resultsOfFoldingAreCharged() throws {
        let given = definition([node("Neg", ["k"], "n"), node("Add", ["x", "n"], "y")], ["k": zeros(8)])
        var translation = try Translation(given, nodes: given.nodesInOrder(), layers: [])
        let isSpent = translation.budget.spend(FoldingBudget.wordLimit + 64 * 8 - 7)
        #expect(isSpent)
        expectError(.unsupported, "node `n`", "too large") { _ = try translation.fold(given.nodes[0]) }
    }

    /// Whoever looks through a large constant for each of many nodes.
    @Test func readingConstantsIsCharged() throws {
        let given = definition([node("Add", ["x", "k"], "y")], ["k": zeros(8)])
        var translation = try Translation(given, nodes: given.nodesInOrder(), layers: [])
        let isSpent = translation.budget.read((1 << 28) + 64 * 8 - 7)
        #expect(isSpent)
        expectError(.unsupported, "node `y`", "computes too much") { try translation.translate(given.nodes[0]) }
    }

    @Test func powersCostMore() throws {
        func powers(_ count: Int) -> GraphDefinition {
            let chain = (0..<count).map { node("Pow", [$0 == 0 ? "c" : "p\($0 - 1)", "two"], "p\($0)") }
            let made = [node("ConstantOfShape", ["shape"], "c", ["value": .tensor(ints(3))])] + chain
            let tail = [node("Cast", ["p\(count - 1)"], "f", ["to": 1]), node("ReduceMax", ["f"], "m", ["keepdims": 0])]
            return definition(made + tail + [node("Add", ["x", "m"], "y")], ["shape": ints(1 << 17), "two": Tensor(shape: [], [Int64(2)])])
        }
        // 16 for each element.
        #expect(throws: Never.self) { try Network(definition: powers(120)) }
        expectError(.unsupported, powers(140), "node `p", "computes too much")
    }

    /// A sum of many small operands with a large one goes through the large one for each.
    @Test func sumsOfManyOperands() {
        let sum = [node("ConstantOfShape", ["shape"], "c"), node("Sum", ["c"] + Array(repeating: "k", count: 1000), "s")]
        let tail = [node("ReduceMax", ["s"], "m", ["keepdims": 0]), node("Add", ["x", "m"], "y")]
        expectError(.unsupported, definition(sum + tail, ["shape": ints(1 << 20), "k": scalar(1)]), "node `s`", "computes too much")
    }

    @Test func tensorsThatShareMemoryCountOnce() {
        let tensor = zeros(1000)
        let nodes = (0..<3).map { node("Constant", [], "c\($0)", ["value": .tensor(tensor)]) }
        #expect(definition(nodes + [node("Constant", [], "d", ["value": .tensor(zeros(10))])]).constantElementCount == 1010)
    }

    @Test func longListsOfNumbers() {
        let list = Tensor(shape: [65], Array(repeating: Int64(1), count: 65))
        expectError(.invalid, definition([node("Reshape", ["x", "k"], "y")], ["k": list]), "node `y`", "at most 64 numbers", "65")
        let made = [node("ConstantOfShape", ["k"], "c"), node("Add", ["x", "c"], "y")]
        expectError(.invalid, definition(made, ["k": list]), "node `c`", "at most 64 numbers")
    }

    @Test func constantsOfManyDimensions() {
        let deep = Tensor(shape: Array(repeating: 1, count: 9), [Float(0)])
        expectError(.invalid, definition([node("Add", ["x", "k"], "y")], ["k": deep]), "initializer `k`", "9 dimensions")
        let constant = node("Constant", [], "k", ["value": .tensor(deep)])
        expectError(.invalid, definition([constant, node("Add", ["x", "k"], "y")]), "node `k`", "9 dimensions")
    }

    /// Positions are float32 values.
    @Test func positionsThatAreNotExact() throws {
        for type in ["ArgMax", "ArgMin"] {
            func search(_ size: Int) -> GraphDefinition { definition(input: [1, .fixed(size), 2], [node(type, ["x"], "y", ["axis": 1])]) }
            #expect(try outputShape(search(1 << 24)) == [1, 1, 2])
            expectError(.invalid, search((1 << 24) + 1), "node `y`", "axis 1 of `x`", "up to 16777216 are exact")
        }
    }

    @Test func constantsWithoutNames() {
        let clip = [node("Clip", ["k", "", "top"], "c"), node("Add", ["x", "c"], "y")]
        expectError(.invalid, definition(clip, ["k": scalar(5), "": scalar(9), "top": scalar(7)]), "an initializer has no name")
    }

    // MARK: long chains

    private func chain(_ count: Int, _ last: NodeDefinition) -> GraphDefinition {
        let moves = (0..<count).map { node("DepthToSpace", ["v\($0)"], "v\($0 + 1)", ["blocksize": 1, "mode": "CRD"]) }
        return definition(
            input: [.batch, 1, 2, 2], [node("Conv", ["x", "w"], "v0")] + moves + [last],
            ["w": Tensor(shape: [1, 1, 1, 1], [Float(2)]), "k": scalar(1.5)])
    }

    /// What moves elements is followed without the caller's stack.
    @Test func constantsBehindALongChain() throws {
        let network = try Network(definition: chain(4000, node("Add", ["v4000", "k"], "y")))
        #expect(network.layers["v0"]?.bias == [1.5] && network.nodes.count == 4001)
    }

    @Test func anActivationBehindALongChain() throws {
        let network = try Network(definition: chain(4000, node("Relu", ["v4000"], "y")))
        #expect(network.nodes[1].operation == .relu && network.nodes.count == 4002)
    }

    /// Two functions keep their order, and what they cannot pass stays between.
    @Test func activationsInARow() throws {
        let nodes = [
            node("Conv", ["x", "w"], "c"), node("DepthToSpace", ["c"], "d", ["blocksize": 1, "mode": "CRD"]), node("Tanh", ["d"], "t"),
            node("DepthToSpace", ["t"], "e", ["blocksize": 1, "mode": "CRD"]), node("Sigmoid", ["e"], "y"),
        ]
        let weights = Tensor(shape: [1, 1, 1, 1], [Float(2)])
        let found = try operations(definition(input: [.batch, 1, 2, 2], nodes, ["w": weights])).dropFirst()
        let move = Operation.depthToSpace(blockSize: 1, .columnRowDepth)
        #expect(Array(found) == [.elementwise(.tanh), move, move, .elementwise(.sigmoid)])
    }

    /// Each would go through all weights again: after 2²⁴ and eight times the weights, nodes stay.
    @Test func manyConstantsBehindALayer() throws {
        let count = 512, adds = (0..<80).map { node("Add", ["v\($0)", "k"], "v\($0 + 1)") }
        let network = try Network(
            definition: definition(
                input: [.batch, .fixed(count), 1, 1], [node("Conv", ["x", "w"], "v0")] + adds + [node("Sigmoid", ["v80"], "y")],
                ["w": zeros(count, count, 1, 1), "k": scalar(1)]))
        #expect(network.layers["v0"]?.bias == Array(repeating: 71, count: count) && network.nodes.count == 11)
    }

    @Test func channelShufflesTooWideToWriteDown() throws {
        let nodes = [
            node("Reshape", ["x", "split"], "s"), node("Transpose", ["s"], "t", ["perm": [0, 2, 1, 3]]), node("Reshape", ["t", "joined"], "y"),
        ]
        let wide = definition(input: [1, .fixed(1 << 30), 1], nodes, ["split": ints(1, 2, -1, 1), "joined": ints(1, 1 << 30, 1)])
        #expect(try operations(wide).contains(.transpose(permutation: [0, 2, 1, 3])))
    }

    /// A chain of products is not walked to its end from each of its nodes.
    @Test func aLongChainOfProducts() throws {
        let count = 3000
        let nodes = (0..<count).map { node("Mul", [$0 == 0 ? "s" : "v\($0 - 1)", "k"], "v\($0)") }
        let network = try Network(
            definition: definition(
                input: [.batch, 4], [node("Sigmoid", ["x"], "s")] + nodes + [node("Sqrt", ["v\(count - 1)"], "y")], ["k": scalar(1.5)]))
        #expect(network.nodes.first?.operation == .elementwise(.sigmoid) && network.nodes.last?.operation == .elementwise(.sqrt))
    }

    // MARK: integers

    private func integers(_ nodes: [NodeDefinition], input: [ValueInfo.Dimension] = [1, 4, 3], _ constants: [String: Tensor] = [:]) -> GraphDefinition {
        var result = definition(opset: 18, input: input, nodes, constants)
        result.integerInputs = ["x"]
        return result
    }

    @Test func meansOfIntegersAreCut() throws {
        let mean = integers([node("ReduceMean", ["x", "axes"], "y")], ["axes": ints(1)])
        let network = try Network(definition: mean)
        #expect(network.nodes.first?.operation == .reduce(.sum, axes: [1], keepsDimensions: true))
        #expect(network.nodes.last?.operation == .elementwise(.truncate))
        #expect(network.constants.values.map(\.floats) == [[4]])
        expectError(.unsupported, integers([node("ReduceMean", ["x"], "y")], input: [.batch, 4]), "node `y`", "open batch")
        for type in ["ReduceLogSum", "ReduceLogSumExp"] { expectError(.unsupported, integers([node(type, ["x"], "y")]), "node `y`", "integers") }
        let norm = try operations(integers([node("ReduceL2", ["x", "axes"], "y")], ["axes": ints(1)]))
        #expect(norm == [.reduce(.l2, axes: [1], keepsDimensions: true), .elementwise(.truncate)])
    }

    @Test func powersOfIntegersAreCut() throws {
        func powers(_ exponent: Float) throws -> [Operation] {
            try operations(integers([node("Pow", ["x", "e"], "y")], ["e": scalar(exponent)]))
        }
        #expect(try powers(3) == [.elementwise(.pow(exponent: 3))])
        #expect(try powers(-1).last == .elementwise(.truncate))
        #expect(try powers(0.5).last == .elementwise(.truncate))
        #expect(try operations(integers([node("Pow", ["x", "x"], "y")])) == [.binary(.power), .elementwise(.truncate)])
        // A float base makes floats: the mean of them is not cut.
        let floats = integers(
            [node("Pow", ["k", "x"], "p"), node("ReduceMean", ["p", "axes"], "y")], ["k": scalar(2.5), "axes": ints(1)])
        #expect(try !operations(floats).contains(.elementwise(.truncate)))
    }

    @Test func reductionsOfAScalar() throws {
        for type in ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceLogSumExp"] {
            let nodes = [node("ReduceSum", ["x"], "s", ["keepdims": 0]), node(type, ["s"], "r"), node("Sigmoid", ["r"], "y")]
            #expect(try outputShape(definition(opset: 18, input: [2, 3], nodes)) == [], "\(type)")
        }
    }
}
