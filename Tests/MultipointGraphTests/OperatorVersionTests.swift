import MultipointGraph
import Testing

/// The same meaning in the forms of different operator sets.
@Suite struct OperatorVersionTests {
    private func expectSame(
        _ expected: [Operation], _ forms: [(opset: Int, [NodeDefinition], [String: Tensor])],
        input: [ValueInfo.Dimension] = [.batch, 4, 8, 8], sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for (opset, nodes, initializers) in forms {
            let found = try operations(definition(opset: opset, input: input, nodes, initializers))
            #expect(found == expected, "operator set \(opset)", sourceLocation: sourceLocation)
        }
    }

    @Test func clip() throws {
        let bounds = ["lo": scalar(-1), "hi": scalar(6)]
        let inputs = [node("Clip", ["x", "lo", "hi"], "y")]
        try expectSame(
            [.clip(minimum: -1, maximum: 6)],
            [
                (7, [node("Clip", ["x"], "y", ["min": -1.0, "max": 6.0])], [:]),
                (10, [node("Clip", ["x"], "y", ["min": -1, "max": 6])], [:]),
                (11, inputs, bounds), (12, inputs, bounds), (17, inputs, bounds), (28, inputs, bounds),
            ])
        let greatest = Float.greatestFiniteMagnitude
        try expectSame(
            [.clip(minimum: -greatest, maximum: 6)],
            [
                (7, [node("Clip", ["x"], "y", ["max": 6.0])], [:]), (11, [node("Clip", ["x", "", "hi"], "y")], bounds),
                (13, [node("Clip", ["x", "lowest", "hi"], "y")], ["lowest": scalar(-.infinity), "hi": scalar(6)]),
            ])
        try expectSame(
            [.relu],
            [(7, [node("Clip", ["x"], "y", ["min": 0.0])], [:]), (13, [node("Clip", ["x", "lo"], "y")], ["lo": scalar(0)])])
    }

    @Test func theMaximumOfAClipHasTheLastWord() throws {
        let crossed = definition([node("Clip", ["x", "lo", "hi"], "y")], ["lo": scalar(2), "hi": scalar(1)])
        #expect(try operations(crossed) == [.clip(minimum: 1, maximum: 1)])
    }

    @Test func clipBoundsMustBeConstantNumbers() {
        let input = definition(opset: 6 + 7, [node("Clip", ["x", "lo"], "y")], ["lo": Tensor(shape: [2], [Float(0), 1])])
        expectError(.invalid, input, "node `y`", "min `lo`", "one number expected")
        expectError(.invalid, definition([node("Clip", ["x", "lo"], "y")], ["lo": scalar(.nan)]), "node `y`")
        expectError(.invalid, definition(opset: 11, [node("Clip", ["x"], "y", ["min": 0.0])]), "no attribute `min`")
        let computed = [node("Relu", ["x"], "r"), node("Clip", ["x", "r"], "y")]
        expectError(.unsupported, definition(computed), "node `y`", "min `r` is computed")
    }

    @Test func slice() throws {
        let constants = ["s": ints(0, 1), "e": ints(Int64.max, -1), "a": ints(2, -1), "t": ints(2, 1)]
        let expected = Operation.slice(starts: [0, 1], ends: [Int.max, -1], axes: [2, 3], steps: [2, 1])
        let inputs = [node("Slice", ["x", "s", "e", "a", "t"], "y")]
        try expectSame(
            [expected], [(10, inputs, constants), (11, inputs, constants), (13, inputs, constants), (25, inputs, constants)])
        let unstepped = Operation.slice(starts: [0, 1], ends: [2, -1], axes: [2, 3], steps: [1, 1])
        try expectSame(
            [unstepped],
            [
                (7, [node("Slice", ["x"], "y", ["starts": [0, 1], "ends": [2, -1], "axes": [2, 3]])], [:]),
                (13, [node("Slice", ["x", "s", "e", "a"], "y")], ["s": ints(0, 1), "e": ints(2, -1), "a": ints(2, 3)]),
            ])
    }

    @Test func pad() throws {
        let full = ints(0, 0, 1, 2, 0, 0, 3, 4)
        let expected = Operation.pad(pads: [0, 0, 1, 2, 0, 0, 3, 4], .constant(0.5))
        let constants = ["p": full, "v": scalar(0.5)]
        let inputs = [node("Pad", ["x", "p", "v"], "y", ["mode": "constant"])]
        try expectSame(
            [expected],
            [
                (7, [node("Pad", ["x"], "y", ["pads": [0, 0, 1, 2, 0, 0, 3, 4], "value": 0.5])], [:]), (11, inputs, constants),
                (13, inputs, constants), (18, inputs, constants), (25, inputs, constants),
                (18, [node("Pad", ["x", "p", "v", "a"], "y")], ["p": ints(2, 1, 4, 3), "v": scalar(0.5), "a": ints(-1, 2)]),
            ])
        for (mode, padding) in [("reflect", .reflect), ("edge", .edge)] as [(String, Padding)] {
            let attributes: [String: AttributeValue] = ["mode": .string(mode)]
            try expectSame(
                [.pad(pads: [0, 0, 1, 2, 0, 0, 3, 4], padding)],
                [
                    (7, [node("Pad", ["x"], "y", ["pads": [0, 0, 1, 2, 0, 0, 3, 4], "mode": .string(mode)])], [:]),
                    (25, [node("Pad", ["x", "p"], "y", attributes)], ["p": full]),
                ])
        }
        let wrapping = [node("Pad", ["x", "p"], "y", ["mode": "wrap"])]
        try expectSame([.pad(pads: [0, 0, 1, 2, 0, 0, 3, 4], .wrap)], [(19, wrapping, ["p": full])])
        expectError(.invalid, definition(opset: 18, wrapping, ["p": full]), "mode `wrap`")
        // Negative pads crop first.
        try expectSame(
            [
                .slice(starts: [0, 3], ends: [-1, Int.max], axes: [2, 3], steps: [1, 1]),
                .pad(pads: [0, 0, 2, 0, 0, 0, 0, 1], .constant(0)),
            ], [(17, [node("Pad", ["x", "p"], "y")], ["p": ints(0, 0, 2, -3, 0, 0, -1, 1)])])
        expectError(.invalid, definition([node("Pad", ["x", "p"], "y")], ["p": ints(1, 1)]), "8 numbers expected")
    }

    @Test func squeezeAndUnsqueeze() throws {
        let forms =
            [
                (
                    7,
                    [
                        node("Unsqueeze", ["x"], "u", ["axes": [1, 4]]), node("Sigmoid", ["u"], "v"),
                        node("Squeeze", ["v"], "y", ["axes": [1]]),
                    ], [:]
                ),
                (
                    11,
                    [
                        node("Unsqueeze", ["x"], "u", ["axes": [-1, 1]]), node("Sigmoid", ["u"], "v"),
                        node("Squeeze", ["v"], "y", ["axes": [-4]]),
                    ], [:]
                ),
                (
                    13, [node("Unsqueeze", ["x", "a"], "u"), node("Sigmoid", ["u"], "v"), node("Squeeze", ["v", "b"], "y")],
                    ["a": ints(1, 4), "b": ints(1)]
                ),
                (
                    25, [node("Unsqueeze", ["x", "a"], "u"), node("Sigmoid", ["u"], "v"), node("Squeeze", ["v", "b"], "y")],
                    ["a": ints(4, 1), "b": ints(-4)]
                ),
            ] as [(Int, [NodeDefinition], [String: Tensor])]
        try expectSame([.unsqueeze(axes: [1, 4]), .sigmoid, .squeeze(axes: [1])], forms, input: [.batch, 4, 8])
        expectError(.invalid, definition(opset: 13, [node("Squeeze", ["x"], "y", ["axes": [1]])]), "no attribute `axes`")
        expectError(
            .invalid, definition(opset: 13, [node("Squeeze", ["x", "a"], "y")], ["a": ints(1)]), "axis 1", "size 4; 1 expected")
    }

    @Test func dropoutAndIdentityVanish() throws {
        let rest = [node("Relu", ["d"], "y")]
        try expectSame(
            [.relu],
            [
                (7, [node("Dropout", ["x"], "d", ["ratio": 0.5])] + rest, [:]), (10, [node("Dropout", ["x"], "d")] + rest, [:]),
                (
                    12, [node("Dropout", ["x", "r", "t"], "d", ["seed": 3])] + rest,
                    ["r": scalar(0.5), "t": Tensor(shape: [], [Int64(0)])]
                ),
                (22, [node("Dropout", ["x", "r"], "d")] + rest, ["r": scalar(0.5)]),
                (7, [node("Identity", ["x"], "d")] + rest, [:]),
                (25, [node("Identity", ["x"], "d")] + rest, [:]),
            ])
        let training = [node("Dropout", ["x", "r", "t"], "y")]
        expectError(
            .unsupported, definition(training, ["r": scalar(0.5), "t": Tensor(shape: [], [Int64(1)])]), "training_mode = true")
        var masked = definition([node("Dropout", ["x"], "d"), node("Relu", ["m"], "y")])
        masked.nodes[0].outputs.append("m")
        expectError(.unsupported, masked, "its output `m` is used")
    }

    @Test func softmax() throws {
        let attribute: (Int64) -> [NodeDefinition] = { [node("Softmax", ["x"], "y", ["axis": .int($0)])] }
        try expectSame(
            [.softmax(axis: 3)],
            [
                (7, attribute(3), [:]), (11, attribute(-1), [:]), (13, attribute(-1), [:]),
                (13, [node("Softmax", ["x"], "y")], [:]),
            ])
        try expectSame([.softmax(axis: 1)], [(13, attribute(1), [:])])
        // Before version 13: over everything from the axis.
        try expectSame(
            [.flatten(axis: 1), .softmax(axis: 1), .reshape([-1, 4, 8, 8], allowZero: false)],
            [(7, [node("Softmax", ["x"], "y")], [:]), (12, attribute(1), [:]), (11, attribute(-3), [:])])
        // That is the same where nothing but dimensions of size 1 follows.
        try expectSame([.softmax(axis: 1)], [(7, [node("Softmax", ["x"], "y")], [:])], input: [.batch, 10, 1, 1])
        try expectSame([.softmax(axis: 1)], [(7, [node("Softmax", ["x"], "y")], [:])], input: [.batch, 10])
    }

    @Test func reshape() throws {
        let expected = [Operation.reshape([0, -1, 4], allowZero: false)]
        let inputs = [node("Reshape", ["x", "s"], "y")]
        for opset in [7, 13, 14, 25] { try expectSame(expected, [(opset, inputs, ["s": ints(0, -1, 4)])]) }
        expectError(
            .invalid, definition(opset: 13, [node("Reshape", ["x", "s"], "y", ["allowzero": 1])], ["s": ints(0, -1)]), "allowzero"
        )
        expectError(
            .invalid, definition(opset: 14, [node("Reshape", ["x", "s"], "y", ["allowzero": 1])], ["s": ints(0, -1)]), "node `y`")
        expectError(
            .unsupported, definition([node("Relu", ["x"], "s"), node("Reshape", ["x", "s"], "y")]), "shape `s` is computed")
    }

    @Test func pooling() throws {
        let pooling = Pooling(kernel: [3, 2], strides: [2, 1], pads: [1, 0, 1, 1])
        let attributes: [String: AttributeValue] = ["kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]]
        for opset in [7, 8, 10, 11, 12, 22, 28] {
            #expect(try operations(definition(opset: opset, [node("MaxPool", ["x"], "y", attributes)])) == [.maxPool(pooling)])
            #expect(
                try operations(definition(opset: opset, [node("AveragePool", ["x"], "y", attributes)]))
                    == [.averagePool(pooling, countsPadding: false)])
        }
        let with: (String, AttributeValue) -> [String: AttributeValue] = { attributes.merging([$0: $1]) { $1 } }
        expectError(
            .invalid, definition(opset: 9, [node("MaxPool", ["x"], "y", with("ceil_mode", 1))]), "no attribute `ceil_mode`")
        expectError(
            .invalid, definition(opset: 18, [node("AveragePool", ["x"], "y", with("dilations", [1, 1]))]),
            "no attribute `dilations`")
        expectError(.unsupported, definition([node("MaxPool", ["x"], "y", with("storage_order", 1))]), "storage_order")
        expectError(
            .invalid, definition([node("MaxPool", ["x"], "y", with("pads", [3, 0, 0, 0]))]), "pads smaller than the window")
        let counting = definition([node("AveragePool", ["x"], "y", with("count_include_pad", 1))])
        #expect(try operations(counting) == [.averagePool(pooling, countsPadding: true)])
    }

    @Test func constantForms() throws {
        let forms: [(Int, [String: AttributeValue])] = [
            (7, ["value": .tensor(scalar(3))]), (12, ["value_float": 3.0]), (12, ["value_float": 3]),
            (13, ["value_floats": .floats([3])]),
            (25, ["value_floats": [3]]),
        ]
        for (opset, attributes) in forms {
            let network = try Network(
                definition: definition(opset: opset, [node("Constant", [], "c", attributes), node("Add", ["x", "c"], "y")]))
            #expect(network.nodes.map(\.operation) == [.add])
            #expect(network.constants["c"]?.floats == [3])
        }
        for attributes in [["value_ints": [0, -1]], ["value": .tensor(ints(0, -1))]] as [[String: AttributeValue]] {
            let nodes = [node("Constant", [], "c", attributes), node("Reshape", ["x", "c"], "y")]
            #expect(try operations(definition(nodes)) == [.reshape([0, -1], allowZero: false)])
        }
        let other = [node("Constant", [], "c", ["value_string": "no"]), node("Add", ["x", "c"], "y")]
        expectError(.unsupported, definition(other), "value_string")
        expectError(.unsupported, definition([node("Constant", [], "y", ["value_float": 1])]), "output `y` is a constant")
    }

    @Test func operatorSetsAreRefusedOutsideTheKnownRange() {
        for opset in [-1, 6, 29, Int.max] {
            expectError(
                .unsupported, definition(opset: opset, [node("Relu", ["x"], "y")]), "node `y`: Relu", "operator set \(opset)", "7 to 28")
        }
    }

    @Test func otherOperatorsAndDomainsAreRefusedByName() {
        let unknown = definition([node("LSTM", ["x"], "y", name: "recurrent")])
        expectError(.unsupported, unknown, "node `recurrent`", "`LSTM`", "operator set 17", "AveragePool", "Unsqueeze")
        var custom = definition([node("Relu", ["x"], "y")])
        custom.nodes[0].domain = "com.example"
        expectError(.unsupported, custom, "node `y`", "`Relu`", "domain `com.example`")
        custom.nodes[0].domain = "ai.onnx"
        #expect(throws: Never.self) { try Network(definition: custom) }
    }

    @Test func subtractionAndDivisionBecomeAdditionAndMultiplication() throws {
        let constants = ["c": Tensor(shape: [1, 4, 1, 1], [Float(1), 2, -4, 8])]
        let difference = try Network(definition: definition([node("Sub", ["x", "c"], "y")], constants))
        #expect(difference.nodes.map(\.operation) == [.add])
        #expect(difference.constants[difference.nodes[0].inputs[1]]?.floats == [-1, -2, 4, -8])
        let quotient = try Network(definition: definition([node("Div", ["x", "c"], "y")], constants))
        #expect(quotient.nodes.map(\.operation) == [.multiply])
        #expect(quotient.constants[quotient.nodes[0].inputs[1]]?.floats == [1, 0.5, -0.25, 0.125])
        // The reciprocal of 41 is not exact: 41 / 41 has to be 1 where it is rounded down.
        let steps = [node("Div", ["x", "c"], "q"), node("Floor", ["q"], "y")]
        let rounded = try Network(definition: definition(steps, ["c": scalar(41)]))
        #expect(rounded.nodes.map(\.operation) == [.binary(.divide), .elementwise(.floor)])
        #expect(rounded.constants[rounded.nodes[0].inputs[1]]?.floats == [41])
        // Quotients of integers are cut, whatever integer the other operand is.
        var integers = definition([node("Div", ["x", "c"], "y")], ["c": ints(3)])
        integers.integerInputs = ["x"]
        #expect(try operations(integers) == [.binary(.divide), .elementwise(.truncate)])
        integers.initializers = ["c": ints(1 << 25)]
        expectError(.unsupported, integers, "operand `c`", "33554432")
        #expect(try operations(definition([node("Sub", ["c", "x"], "y")], constants)) == [.binary(.subtract)])
        #expect(try operations(definition([node("Div", ["c", "x"], "y")], constants)) == [.binary(.divide)])
        // 1 / 0 is no number to multiply with.
        #expect(try operations(definition([node("Div", ["x", "c"], "y")], ["c": scalar(0)])) == [.binary(.divide)])
        expectError(.unsupported, definition([node("Add", ["c", "c"], "y")], constants), "output `y` is a constant")
        expectError(.invalid, definition([node("Add", ["x", "c"], "y")], ["c": ints(1)]), "operand `c`", "floats expected")
        expectError(.invalid, definition([node("Mul", ["x", "c"], "y")], ["c": scalar(.infinity)]), "operand `c`", "element 0")
    }
}
