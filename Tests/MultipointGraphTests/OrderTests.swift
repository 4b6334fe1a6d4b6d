import MultipointGraph
import Testing

@Suite struct OrderTests {
    @Test func nodesAreSortedAndKeepTheirOrderWhereItIsFree() throws {
        let nodes = [
            node("Add", ["b", "a"], "y"), node("Sigmoid", ["c"], "b"), node("Relu", ["x"], "c"), node("LeakyRelu", ["x"], "a"),
        ]
        let network = try Network(definition: definition(nodes))
        #expect(network.nodes.map(\.name) == ["c", "b", "a", "y"])
        let sorted = try Network(definition: definition(network.definition().nodes))
        #expect(sorted.nodes.map(\.name) == ["c", "b", "a", "y"])
    }

    @Test func nodesThatFeedNoOutputAreRemovedUnread() throws {
        let network = try Network(
            definition: definition([node("Relu", ["x"], "y"), node("NoSuchOperator", ["x"], "z"), node("Relu", ["z"], "w")]))
        #expect(network.nodes.map(\.name) == ["y"])
    }

    @Test func namesAreUniqueAndNotEmpty() throws {
        let nodes = [
            node("Relu", ["x"], "a", name: ""), node("Sigmoid", ["a"], "b", name: "same"), node("Relu", ["b"], "c", name: "same"),
            node("Sigmoid", ["c"], "y", name: "Relu_a"),
        ]
        let network = try Network(definition: definition(nodes))
        #expect(network.nodes.map(\.name) == ["Relu_a_2", "same", "same_2", "Relu_a"])
    }

    @Test func cyclesAreRefused() {
        let nodes = [node("Add", ["x", "b"], "a"), node("Relu", ["a"], "b"), node("Relu", ["b"], "y")]
        expectError(.invalid, definition(nodes), "cycle", "`a`")
        expectError(.invalid, definition([node("Add", ["x", "y"], "y")]), "node `y`", "cycle")
    }

    @Test func everyNameMustBeDefinedOnce() {
        expectError(.invalid, definition([node("Relu", ["z"], "y")]), "node `y`", "nothing defines its input `z`")
        expectError(.invalid, definition([node("Relu", ["x"], "y"), node("Relu", ["x"], "y")]), "`y` is already the name")
        expectError(.invalid, definition([node("Relu", ["x"], "x")]), "`x` is already the name")
        expectError(.invalid, definition([node("Relu", ["x"], "w")], ["w": scalar(1)]), "`w` is already the name")
        expectError(.invalid, definition([node("Relu", ["x"], "z")]), "output `y`", "no node computes it")
        expectError(.invalid, definition([node("Relu", ["x"], "y")], ["x": scalar(1)]), "input `x` is defined twice")
        expectError(.invalid, definition([node("Relu", ["x"], "")]), "it has no output")
        var twice = definition([node("Relu", ["x"], "y")])
        twice.outputs.append(twice.outputs[0])
        expectError(.invalid, twice, "output `y` is listed twice")
        twice.outputs = []
        expectError(.invalid, twice, "1 inputs and 0 outputs")
    }

    @Test func aChainAsDeepAsAllowedNeedsNoStack() throws {
        let count = 100_000
        // Backwards, so that the first node needs all others.
        let nodes = (0..<count).reversed().map { index in
            node("Sigmoid", [index == 0 ? "x" : "v\(index - 1)"], index == count - 1 ? "y" : "v\(index)")
        }
        let network = try Network(definition: definition(input: [.batch, 2], nodes))
        #expect(network.nodes.count == count)
        #expect(network.nodes.first?.inputs == ["x"])
        expectError(
            .unsupported, definition(input: [.batch, 2], nodes + [node("Relu", ["x"], "z")]), "100001 nodes", "100000")
    }
}
