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
        let nodes = (0..<3).map { node("Concat", ["x", "k"], "c\($0)", ["axis": 1]) } + [node("Max", ["c0", "c1", "c2"], "y")]
        expectError(
            .unsupported, definition(input: [1, .fixed(1 << 25)], nodes, ["k": Tensor(shape: [1, 1], [Float(1)])]), "node `c2`", "\((1 << 25) + 1)")
        var budget = FoldingBudget(given: 0)
        let accepted = [(1 << 26) + 1, 1 << 26, 1].map { budget.spend($0) }
        #expect(accepted == [false, true, false])
    }

    @Test func whatFoldingReadsIsCharged() {
        var budget = FoldingBudget(given: 0)
        let accepted = (0..<128).map { _ in budget.read(1 << 21) } + [budget.read(1 << 20), budget.read(0)]
        #expect(accepted == Array(repeating: true, count: 128) + [false, true])
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
