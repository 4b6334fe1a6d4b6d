import MultipointGraph
import Testing

@Suite struct ExaminationTests {
    private let constants = ["w": zeros(4, 4, 1, 1), "s": ints(0, -1), "one": ints(1), "two": ints(2)]

    private func findings(_ examination: Examination) -> [String: Examination.Finding] {
        Dictionary(uniqueKeysWithValues: examination.nodes.map { ($0.name, $0.finding) })
    }

    @Test func everyNodeOfASupportedNetwork() throws {
        let nodes = [
            node("Conv", ["x", "w"], "c"), node("Add", ["one", "two"], "three"), node("Shape", ["c"], "shape"), node("Relu", ["c"], "r"),
            node("Gather", ["shape", "one"], "g"), node("Concat", ["one", "g"], "sizes", ["axis": 0]), node("Reshape", ["r", "s"], "y"),
        ]
        let examination = try Examination(definition(nodes, constants))
        #expect(findings(examination) == ["c": .translated, "r": .translated, "y": .translated])
        #expect(examination.network?.nodes.map(\.name) == ["c", "r", "y"])
        #expect(examination.origins == ["c": "c", "r": "r", "y": "y"])
        #expect(examination.outputs.first?.shape == [.batch, 256])
        #expect(examination.problem == nil)
    }

    @Test func everyNodeThatIsNotSupported() throws {
        let nodes = [
            node("Conv", ["x", "w"], "c"), node("NonMaxSuppression", ["c"], "n"), node("Relu", ["n"], "r"), node("Unheard", ["r"], "u"),
            node("Loop", ["c"], "l", ["body": .other("graph")]), node("Add", ["one", "two"], "a"), node("Cast", ["a"], "f", ["to": 1]),
            node("Mul", ["u", "l"], "m"), node("Mul", ["m", "f"], "y"),
        ]
        let examination = try Examination(definition(nodes, constants))
        #expect(examination.network == nil)
        let found = findings(examination)
        #expect(found["c"] == .translated)
        #expect(found["a"] == .folded && found["f"] == .folded)
        #expect(found["r"] == .unexamined && found["m"] == .unexamined && found["y"] == .unexamined)
        for name in ["n", "u", "l"] {
            guard case .unsupported(let reason)? = found[name] else {
                Issue.record("node `\(name)`: \(String(describing: found[name]))")
                continue
            }
            #expect(reason.contains("not supported"))
        }
    }

    @Test func problemsBesidesNodes() throws {
        let examination = try Examination(definition([node("Identity", ["one"], "y")], constants))
        #expect(examination.problem?.description.contains("output `y` is a constant") == true)
        #expect(examination.network == nil)
        expectError(.invalid, "a cycle") {
            _ = try Examination(definition([node("Relu", ["b"], "y"), node("Relu", ["y"], "b")]))
        }
        expectError(.invalid, "nothing defines its input `z`") { _ = try Examination(definition([node("Relu", ["z"], "y")])) }
    }
}
