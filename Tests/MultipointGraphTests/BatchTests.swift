import MultipointGraph
import Testing

@Suite struct BatchTests {
    private func shapes(_ definition: GraphDefinition) throws -> (input: [ValueInfo.Dimension], output: [ValueInfo.Dimension]) {
        let network = try Network(definition: definition)
        return (network.inputs[0].shape, network.outputs[0].shape)
    }

    private let weights = ["w": zeros(256, 10)]
    private let classifier = [node("Relu", ["x"], "r"), node("Flatten", ["r"], "f"), node("Gemm", ["f", "w"], "y")]

    @Test func anOpenFirstDimensionIsTheBatch() throws {
        let found = try shapes(definition(input: [.batch, 4, 8, 8], classifier, weights))
        #expect(found.input == [.batch, 4, 8, 8])
        #expect(found.output == [.batch, 10])
    }

    @Test func aFirstDimensionOfOneBecomesTheBatchIfTheNetworkScales() throws {
        let found = try shapes(definition(input: [1, 4, 8, 8], classifier, weights))
        #expect(found.input == [.batch, 4, 8, 8])
        #expect(found.output == [.batch, 10])
        // A Reshape to one image may as well be one of every image.
        let reshaped = [node("Relu", ["x"], "r"), node("Reshape", ["r", "s"], "f"), node("Gemm", ["f", "w"], "y")]
        let copied = try shapes(definition(input: [1, 4, 8, 8], reshaped, weights.merging(["s": ints(1, -1)]) { $1 }))
        #expect(copied.input == [.batch, 4, 8, 8])
        #expect(copied.output == [.batch, 10])
        // A Reshape whose first dimension is something else.
        let one = try shapes(definition(input: [1, 4, 8, 8], [node("Reshape", ["x", "s"], "y")], ["s": ints(2, 128)]))
        #expect(one.input == [1, 4, 8, 8])
        #expect(one.output == [2, 128])
        // Other numbers mean what they say.
        #expect(try shapes(definition(input: [8, 4, 8, 8], classifier, weights)).output == [8, 10])
    }

    @Test(arguments: [
        node("Softmax", ["x"], "y", ["axis": 0]), node("Concat", ["x", "x"], "y", ["axis": 0]),
        node("Slice", ["x", "zero", "one", "zero"], "y"),
        node("Transpose", ["x"], "y", ["perm": [1, 0]]), node("Flatten", ["x"], "y", ["axis": 0]), node("Squeeze", ["x"], "y"),
        node("Unsqueeze", ["x", "zero"], "y"), node("Reshape", ["x", "minus_one"], "y"), node("Pad", ["x", "pads"], "y"),
    ]) func imagesOfABatchMustNotMeet(operation: NodeDefinition) throws {
        let constants = ["zero": ints(0), "one": ints(1), "minus_one": ints(-1), "pads": ints(0, 0, 1, 0)]
        expectError(.unsupported, definition(input: [.batch, 4], [operation], constants), "y`")
        #expect(try shapes(definition(input: [1, 4], [operation], constants)).input == [1, 4])
    }

    @Test func whatIsReversedAlongTheBatchIsFound() {
        let constants = ["last": ints(-1), "first": ints(Int64.min), "axis": ints(0), "back": ints(-1)]
        let reversed = definition(input: [.batch, 4], [node("Slice", ["x", "last", "first", "axis", "back"], "y")], constants)
        expectError(.unsupported, reversed, "node `y`", "works along the batch dimension")
    }

    @Test func aDeclaredBatchThatTheNetworkDoesNotHaveIsRefused() {
        let constants = weights.merging(["s": ints(1, 256)]) { $1 }
        let nodes = [node("Reshape", ["x", "s"], "f"), node("Gemm", ["f", "w"], "y")]
        expectError(.invalid, definition(nodes, constants), "with batch size 2", "node `f`")
        var unrelated = definition(input: [.batch, 4], [node("Relu", ["x"], "y"), node("Relu", ["u"], "v")])
        unrelated.inputs.append(ValueInfo(name: "u", shape: [3]))
        unrelated.outputs.append(ValueInfo(name: "v", shape: []))
        expectError(.unsupported, unrelated, "output `v` does not depend on the batch")
        expectError(.unsupported, definition(input: [2, .batch], [node("Relu", ["x"], "y")]), "input `x`", "its first dimension")
        let regrouped = definition(input: [.batch, 4, 6], [node("Reshape", ["x", "s"], "y")], ["s": ints(-1, 6)])
        expectError(.unsupported, regrouped, "output `y`", "4 times the batch size")
    }

    @Test func inputsWithoutTheBatchMayJoin() throws {
        var two = definition(input: [.batch, 4], [node("Sigmoid", ["u"], "s"), node("Mul", ["x", "s"], "y")])
        two.inputs.append(ValueInfo(name: "u", shape: [1, 4]))
        let network = try Network(definition: two)
        #expect(network.inputs.map(\.shape) == [[.batch, 4], [1, 4]])
        #expect(network.outputs[0].shape == [.batch, 4])
    }

    @Test func regroupedImagesMayBeRegroupedBack() throws {
        let constants = ["s": ints(-1, 2, 4, 8, 8), "t": ints(-1, 8, 8, 8)]
        let shuffle = [
            node("Reshape", ["x", "s"], "a"), node("Transpose", ["a"], "b", ["perm": [0, 2, 1, 3, 4]]),
            node("Reshape", ["b", "t"], "y"),
        ]
        #expect(try shapes(definition(input: [1, 8, 8, 8], shuffle, constants)).output == [.batch, 8, 8, 8])
    }

    @Test func declaredOutputsAreChecked() throws {
        let declared: ([ValueInfo.Dimension]) -> GraphDefinition = { shape in
            var result = definition(input: [.batch, 4], [node("Relu", ["x"], "y")])
            result.outputs[0].shape = shape
            return result
        }
        for shape in [[], [.batch, 4], [1, 4], [0, 4], [0, 0], [.batch, 0]] as [[ValueInfo.Dimension]] {
            #expect(try shapes(declared(shape)).output == [.batch, 4])
        }
        expectError(.invalid, declared([.batch, 5]), "output `y`: shape [N, 5] is declared, [1, 4] is computed")
        expectError(.invalid, declared([2, 4]), "output `y`")
        expectError(.invalid, declared([.batch, 4, 1]), "output `y`")
        expectError(.invalid, declared([.batch, .batch]), "output `y`")
    }
}
