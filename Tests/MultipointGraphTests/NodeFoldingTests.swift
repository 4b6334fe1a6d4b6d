import SeededNumbers
import Testing

@testable import MultipointGraph

/// What nodes compute of constants. The expected values are worked by hand from ONNX's operator definitions.
@Suite struct NodeFoldingTests {
    private func fold(
        _ type: String, _ inputs: [Tensor?], _ attributes: [String: AttributeValue] = [:], outputs: Int = 1, limit: Int = 1 << 20
    ) throws -> [Tensor] {
        let node = NodeDefinition(
            name: "n", operatorType: type, inputs: inputs.indices.map { inputs[$0] == nil ? "" : "i\($0)" },
            outputs: (0..<outputs).map { "o\($0)" }, attributes: attributes)
        return try NodeFolding(reader: NodeReader(node: node, version: 18), inputs: inputs, limit: limit).results()
    }

    private func floats(_ shape: [Int], _ values: Float...) -> Tensor { Tensor(shape: shape, values) }
    private func integers(_ shape: [Int], _ values: Int64..., type: IntegerType? = nil) -> Tensor {
        Tensor(shape: shape, elements: .int64(values), integerType: type)
    }
    private func truths(_ shape: [Int], _ values: Int64...) -> Tensor {
        Tensor(shape: shape, elements: .int64(values), integerType: .bool)
    }
    private let square = Tensor(shape: [2, 3], [Int64(1), 2, 3, 4, 5, 6])

    @Test func integerArithmeticIsThatOfC() throws {
        let a = ints(7, -7, 7, -7), b = ints(2, 2, -2, -2)
        #expect(try fold("Div", [a, b]) == [ints(3, -3, -3, 3)])
        #expect(try fold("Mod", [a, b]) == [ints(1, 1, -1, -1)])
        #expect(try fold("Mod", [a, b], ["fmod": 1]) == [ints(1, -1, 1, -1)])
        #expect(try fold("Add", [ints(.max), ints(1)]) == [ints(.min)])
        #expect(try fold("Sub", [ints(.min), ints(1)]) == [ints(.max)])
        #expect(try fold("Mul", [ints(1 << 62), ints(4)]) == [ints(0)])
        #expect(try fold("Div", [ints(.min), ints(-1)]) == [ints(.min)])
        #expect(try fold("Mod", [ints(.min), ints(-1)]) == [ints(0)])
        #expect(try fold("Neg", [ints(.min, 3)]) == [ints(.min, -3)])
        #expect(try fold("Abs", [ints(.min, -3)]) == [ints(.min, 3)])
        #expect(try fold("Pow", [ints(2, -3, 2, -1), ints(10, 3, -1, -3)]) == [ints(1024, -27, 0, -1)])
        #expect(try fold("Min", [ints(1, 5), ints(2), ints(3, 0)]) == [ints(1, 0)])
        #expect(try fold("Max", [ints(1, 5), ints(2)]) == [ints(2, 5)])
        #expect(
            try fold("Add", [integers([1], 250, type: .uint8), integers([1], 10, type: .uint8)])
                == [integers([1], 4, type: .uint8)])
        expectError(.invalid, "node `n`: Div", "element 1 of the divisor", "is 0") { _ = try fold("Div", [ints(1), ints(1, 0)]) }
        expectError(.invalid, "node `n`: Mod", "is 0") { _ = try fold("Mod", [ints(1), ints(0)]) }
        expectError(.invalid, "node `n`: Add", "floats and the other integers") { _ = try fold("Add", [ints(1), scalar(1)]) }
    }

    @Test func floatArithmetic() throws {
        let a = floats([2], 7, -7), b = floats([1], 2)
        #expect(try fold("Add", [a, b]) == [floats([2], 9, -5)])
        #expect(try fold("Sub", [a, b]) == [floats([2], 5, -9)])
        #expect(try fold("Mul", [a, b]) == [floats([2], 14, -14)])
        #expect(try fold("Div", [a, b]) == [floats([2], 3.5, -3.5)])
        #expect(try fold("Pow", [a, ints(2)]) == [floats([2], 49, 49)])
        #expect(try fold("Mod", [a, floats([1], 4)], ["fmod": 1]) == [floats([2], 3, -3)])
        #expect(try fold("Sum", [a, b, b]) == [floats([2], 11, -3)])
        #expect(try fold("Div", [scalar(1), scalar(0)]) == [scalar(.infinity)])
        expectError(.invalid, "fmod = 1 expected") { _ = try fold("Mod", [a, b]) }
    }

    @Test func operandsBroadcast() throws {
        #expect(
            try fold("Add", [integers([2, 1], 10, 20), ints(1, 2, 3)]) == [integers([2, 3], 11, 12, 13, 21, 22, 23)])
        #expect(try fold("Mul", [Tensor(shape: [], [Int64(3)]), square]) == [integers([2, 3], 3, 6, 9, 12, 15, 18)])
        #expect(try fold("Add", [Tensor(shape: [0, 3], [Int64]()), ints(1)]) == [Tensor(shape: [0, 3], [Int64]())])
        expectError(.invalid, "node `n`: Add", "[2, 3] and [2] do not broadcast") { _ = try fold("Add", [square, ints(1, 2)]) }
    }

    @Test func comparisonsAndLogic() throws {
        let a = ints(1, 2, 3), b = ints(2)
        #expect(try fold("Equal", [a, b]) == [truths([3], 0, 1, 0)])
        #expect(try fold("Less", [a, b]) == [truths([3], 1, 0, 0)])
        #expect(try fold("LessOrEqual", [a, b]) == [truths([3], 1, 1, 0)])
        #expect(try fold("Greater", [floats([2], 1, 3), floats([1], 2)]) == [truths([2], 0, 1)])
        #expect(try fold("GreaterOrEqual", [a, b]) == [truths([3], 0, 1, 1)])
        let p = truths([4], 0, 0, 1, 1), q = truths([4], 0, 1, 0, 1)
        #expect(try fold("And", [p, q]) == [truths([4], 0, 0, 0, 1)])
        #expect(try fold("Or", [p, q]) == [truths([4], 0, 1, 1, 1)])
        #expect(try fold("Xor", [p, q]) == [truths([4], 0, 1, 1, 0)])
        #expect(try fold("Not", [p]) == [truths([4], 1, 1, 0, 0)])
        #expect(try fold("Where", [truths([2, 1], 1, 0), ints(1, 2), ints(-1)]) == [integers([2, 2], 1, 2, -1, -1)])
        #expect(try fold("Where", [truths([2], 1, 0), scalar(1), scalar(.infinity)]) == [floats([2], 1, .infinity)])
        expectError(.invalid, "node `n`: Not", "truth values expected") { _ = try fold("Not", [scalar(1)]) }
    }

    @Test func casts() throws {
        let x = floats([6], 1.9, -1.9, 300, -0.5, .nan, 1e30)
        #expect(try fold("Cast", [x], ["to": 7]) == [ints(1, -1, 300, 0, 0, .max)])
        #expect(try fold("Cast", [floats([2], 1.9, 300)], ["to": 2]) == [integers([2], 1, 44, type: .uint8)])
        #expect(try fold("Cast", [ints(200, -1)], ["to": 3]) == [integers([2], -56, -1, type: .int8)])
        #expect(try fold("Cast", [ints(3, -1)], ["to": 22]) == [integers([2], 3, -1, type: .int4)])
        #expect(try fold("Cast", [floats([3], 0.5, 0, -2)], ["to": 9]) == [truths([3], 1, 0, 1)])
        #expect(try fold("Cast", [ints(1, 2)], ["to": 1]) == [floats([2], 1, 2)])
        #expect(try fold("Cast", [floats([2], 2049, 1e9)], ["to": 10]) == [floats([2], 2048, .infinity)])
        // 1 + 2⁻⁸ lies halfway between 1 and 1 + 2⁻⁷.
        #expect(try fold("Cast", [floats([2], 1.00390625, 1.01171875)], ["to": 16]) == [floats([2], 1, 1.015625)])
        expectError(.unsupported, "node `n`: Cast", "element type 8") { _ = try fold("Cast", [x], ["to": 8]) }
        expectError(.invalid, "`to` is missing") { _ = try fold("Cast", [x]) }
    }

    @Test func functionsOfElements() throws {
        let x = floats([3], -1.5, 0.5, 2.5)
        #expect(try fold("Floor", [x]) == [floats([3], -2, 0, 2)])
        #expect(try fold("Ceil", [x]) == [floats([3], -1, 1, 3)])
        #expect(try fold("Round", [x]) == [floats([3], -2, 0, 2)])
        #expect(try fold("Neg", [x]) == [floats([3], 1.5, -0.5, -2.5)])
        #expect(try fold("Sqrt", [floats([2], 4, 2.25)]) == [floats([2], 2, 1.5)])
        #expect(try fold("Exp", [scalar(0)]) == [scalar(1)])
        #expect(try fold("Reciprocal", [scalar(4)]) == [scalar(0.25)])
        #expect(try fold("LeakyRelu", [x], ["alpha": 0.5]) == [floats([3], -0.75, 0.5, 2.5)])
        #expect(try fold("Clip", [x, scalar(0), scalar(1)]) == [floats([3], 0, 0.5, 1)])
        #expect(try fold("Clip", [ints(-3, 3), nil, Tensor(shape: [], [Int64(1)])]) == [ints(-3, 1)])
        expectError(.invalid, "node `n`: Sqrt", "holds integers") { _ = try fold("Sqrt", [ints(4)]) }
    }

    @Test func shapesAndRanges() throws {
        let x = zeros(2, 3, 4)
        #expect(try fold("Shape", [x]) == [ints(2, 3, 4)])
        #expect(try fold("Shape", [x], ["start": -2]) == [ints(3, 4)])
        #expect(try fold("Shape", [x], ["start": 1, "end": -1]) == [ints(3)])
        #expect(try fold("Shape", [x], ["start": 2, "end": 1]) == [Tensor(shape: [0], [Int64]())])
        #expect(try fold("Size", [x]) == [Tensor(shape: [], [Int64(24)])])
        #expect(try fold("ConstantOfShape", [ints(2)]) == [floats([2], 0, 0)])
        #expect(try fold("ConstantOfShape", [ints(1, 2)], ["value": .tensor(ints(-1))]) == [integers([1, 2], -1, -1)])
        #expect(try fold("ConstantOfShape", [Tensor(shape: [0], [Int64]())]) == [scalar(0)])
        func number(_ value: Int64) -> Tensor { Tensor(shape: [], [value]) }
        #expect(try fold("Range", [number(1), number(8), number(3)]) == [ints(1, 4, 7)])
        #expect(try fold("Range", [number(3), number(0), number(-2)]) == [ints(3, 1)])
        #expect(try fold("Range", [number(3), number(3), number(1)]) == [Tensor(shape: [0], [Int64]())])
        #expect(try fold("Range", [number(.min), number(.max), number(.max)]) == [ints(.min, -1, .max - 1)])
        #expect(try fold("Range", [scalar(0), scalar(1), scalar(0.4)]) == [floats([3], 0, 0.4, 0.8)])
        expectError(.invalid, "delta is 0") { _ = try fold("Range", [number(0), number(1), number(0)]) }
        expectError(.unsupported, "node `n`: Range", "up to 1048576") { _ = try fold("Range", [number(.min), number(.max), number(1)]) }
    }

    @Test func rearrangements() throws {
        #expect(try fold("Reshape", [square, ints(3, -1)]) == [integers([3, 2], 1, 2, 3, 4, 5, 6)])
        #expect(try fold("Reshape", [square, ints(0, 1, 3)]) == [integers([2, 1, 3], 1, 2, 3, 4, 5, 6)])
        #expect(try fold("Flatten", [zeros(2, 3, 4)], ["axis": -1]) == [zeros(6, 4)])
        #expect(try fold("Squeeze", [zeros(1, 3, 1)]) == [zeros(3)])
        #expect(try fold("Squeeze", [zeros(1, 3, 1), ints(-1)]) == [zeros(1, 3)])
        #expect(try fold("Squeeze", [zeros(1, 3, 1)], ["axes": [0]]) == [zeros(3, 1)])
        #expect(try fold("Unsqueeze", [zeros(3), ints(0, -1)]) == [zeros(1, 3, 1)])
        #expect(try fold("Transpose", [square]) == [integers([3, 2], 1, 4, 2, 5, 3, 6)])
        #expect(try fold("Expand", [ints(1, 2), ints(2, 1)]) == [integers([2, 2], 1, 2, 1, 2)])
        #expect(try fold("Expand", [integers([2, 1], 1, 2), ints(3)]) == [integers([2, 3], 1, 1, 1, 2, 2, 2)])
        #expect(try fold("Tile", [ints(1, 2), ints(2)]) == [ints(1, 2, 1, 2)])
        #expect(try fold("Tile", [integers([2, 1], 1, 2), ints(2, 2)]) == [integers([4, 2], 1, 1, 2, 2, 1, 1, 2, 2)])
        expectError(.invalid, "node `n`: Reshape", "[4, -1] does not fit `i0` of shape [2, 3]") {
            _ = try fold("Reshape", [square, ints(4, -1)])
        }
        expectError(.invalid, "permutation [0, 0]") { _ = try fold("Transpose", [square], ["perm": [0, 0]]) }
        expectError(.invalid, "axis 1", "size 3; 1 expected") { _ = try fold("Squeeze", [square, ints(1)]) }
    }

    @Test func selections() throws {
        #expect(try fold("Gather", [square, Tensor(shape: [], [Int64(-1)])]) == [ints(4, 5, 6)])
        #expect(try fold("Gather", [square, integers([1, 2], 2, 0)], ["axis": 1]) == [integers([2, 1, 2], 3, 1, 6, 4)])
        #expect(try fold("Slice", [square, ints(0, -1), ints(1, .min), ints(0, 1), ints(1, -2)]) == [integers([1, 2], 3, 1)])
        #expect(try fold("Slice", [ints(1, 2, 3)], ["starts": [1], "ends": [.max]]) == [ints(2, 3)])
        #expect(try fold("Slice", [ints(1, 2, 3), ints(3), ints(9)]) == [Tensor(shape: [0], [Int64]())])
        #expect(try fold("Slice", [ints(1, 2, 3), ints(1), ints(9), ints(0), ints(.max)]) == [ints(2)])
        #expect(try fold("Concat", [ints(1), ints(2, 3)], ["axis": 0]) == [ints(1, 2, 3)])
        #expect(try fold("Concat", [square, integers([2, 1], 7, 8)], ["axis": -1]) == [integers([2, 4], 1, 2, 3, 7, 4, 5, 6, 8)])
        #expect(try fold("Concat", [Tensor(shape: [0], [Int64]()), ints(1)], ["axis": 0]) == [ints(1)])
        #expect(try fold("Split", [ints(1, 2, 3)], outputs: 2) == [ints(1, 2), ints(3)])
        #expect(try fold("Split", [square, ints(1, 2)], ["axis": 1], outputs: 2) == [integers([2, 1], 1, 4), integers([2, 2], 2, 3, 5, 6)])
        expectError(.invalid, "index 3 does not exist in axis 1") { _ = try fold("Gather", [square, ints(3)], ["axis": 1]) }
        expectError(.invalid, "index \(Int64.min)") { _ = try fold("Gather", [square, ints(.min)]) }
        expectError(.invalid, "differ in more than axis 0") { _ = try fold("Concat", [square, integers([1, 2], 1, 2)], ["axis": 0]) }
        expectError(.invalid, "parts [1, 1]") { _ = try fold("Split", [square, ints(1, 1)], ["axis": 1], outputs: 2) }
    }

    @Test func reductions() throws {
        #expect(try fold("ReduceProd", [ints(2, 3, 4)], ["keepdims": 0]) == [Tensor(shape: [], [Int64(24)])])
        #expect(try fold("ReduceSum", [square, ints(1)]) == [integers([2, 1], 6, 15)])
        #expect(try fold("ReduceMax", [square], ["axes": [0], "keepdims": 0]) == [ints(4, 5, 6)])
        #expect(try fold("ReduceMin", [square], ["axes": [-1], "keepdims": 0]) == [ints(1, 4)])
        #expect(try fold("ReduceMean", [floats([2, 2], 1, 2, 3, 6), ints(0)]) == [floats([1, 2], 2, 4)])
        #expect(try fold("ReduceSum", [square, Tensor(shape: [0], [Int64]())], ["noop_with_empty_axes": 1]) == [square])
        #expect(try fold("ReduceProd", [Tensor(shape: [0], [Float]())]) == [floats([1], 1)])
        expectError(.invalid, "has no elements") { _ = try fold("ReduceMax", [Tensor(shape: [0], [Float]())]) }
    }

    @Test func quantization() throws {
        let codes = integers([2, 2], -4, 0, 1, 7, type: .int8)
        #expect(try fold("DequantizeLinear", [codes, scalar(0.5)]) == [floats([2, 2], -2, 0, 0.5, 3.5)])
        #expect(
            try fold("DequantizeLinear", [codes, floats([2], 0.5, 2), integers([2], 1, 0, type: .int8)], ["axis": 0])
                == [floats([2, 2], -2.5, -0.5, 2, 14)])
        #expect(
            try fold("DequantizeLinear", [codes, floats([2], 0.5, 2)], ["axis": 1]) == [floats([2, 2], -2, 0, 0.5, 14)])
        // Blocks of two along axis 0, of which the last is not full.
        #expect(
            try fold("DequantizeLinear", [integers([3, 1], 1, 2, 3), floats([2, 1], 10, 100)], ["axis": 0, "block_size": 2])
                == [floats([3, 1], 10, 20, 300)])
        let x = floats([4], -1, 0.25, 0.75, 1000)
        #expect(try fold("QuantizeLinear", [x, scalar(0.5)]) == [integers([4], 0, 0, 2, 255, type: .uint8)])
        let zero = Tensor(shape: [], elements: .int64([-1]), integerType: .int8)
        #expect(try fold("QuantizeLinear", [x, scalar(0.5), zero]) == [integers([4], -3, -1, 1, 127, type: .int8)])
        expectError(.invalid, "node `n`: DequantizeLinear", "element 0 is 0.0") { _ = try fold("DequantizeLinear", [codes, scalar(0)]) }
        expectError(.invalid, "scale", "of shape [3]") { _ = try fold("DequantizeLinear", [codes, floats([3], 1, 1, 1)]) }
    }

    /// A small file must not cost gigabytes.
    @Test func resultsAreBounded() {
        for shape in [ints(1 << 20, 1 << 20), ints(.max, .max), ints(1 << 32)] {
            expectError(shape == ints(.max, .max) ? .invalid : .unsupported, "node `n`") { _ = try fold("ConstantOfShape", [shape]) }
            expectError(shape == ints(.max, .max) ? .invalid : .unsupported, "node `n`") { _ = try fold("Expand", [scalar(1), shape]) }
        }
        expectError(.invalid, "node `n`: Tile", "too large") { _ = try fold("Tile", [ints(1, 2), ints(.max)]) }
        expectError(.invalid, "node `n`: ConstantOfShape") { _ = try fold("ConstantOfShape", [ints(-1)]) }
        expectError(.invalid, "9 dimensions") { _ = try fold("ConstantOfShape", [ints(1, 1, 1, 1, 1, 1, 1, 1, 1)]) }
    }

    /// Whatever the operands: a result whose count fits its shape, or an error.
    @Test(arguments: 0..<4) func anything(seed: UInt64) {
        var generator = SeededGenerator(seed: 77 + seed)
        let names = NodeFolding.operators.sorted()
        let values: [Int64] = [.min, -3, -1, 0, 1, 2, 3, 7, 1 << 31, 1 << 62, .max]
        func tensor() -> Tensor? {
            let shapes: [[Int]] = [[], [1], [2], [3], [2, 3], [0], [1, 0, 2], [4, 1]]
            let shape = shapes.randomElement(using: &generator) ?? [], count = shape.reduce(1, *)
            switch Int.random(in: 0..<8, using: &generator) {
            case 0: return nil
            case 1...3:
                let floats: [Float] = [.nan, .infinity, -1.5, 0, 1, 1e38]
                return Tensor(shape: shape, (0..<count).map { _ in floats.randomElement(using: &generator) ?? 0 })
            default: return Tensor(shape: shape, (0..<count).map { _ in values.randomElement(using: &generator) ?? 0 })
            }
        }
        var successes = 0
        for _ in 0..<4_000 {
            let name = names.randomElement(using: &generator) ?? ""
            var attributes: [String: AttributeValue] = [:]
            for attribute in ["axis", "axes", "to", "perm", "keepdims", "fmod", "start", "block_size"]
            where Int.random(in: 0..<6, using: &generator) == 0 {
                let number = values.randomElement(using: &generator) ?? 0
                attributes[attribute] = ["axes", "perm"].contains(attribute) ? .ints([number]) : .int(number)
            }
            let inputs = (0..<Int.random(in: 0...4, using: &generator)).map { _ in tensor() }
            guard let results = try? fold(name, inputs, attributes, outputs: Int.random(in: 1...3, using: &generator), limit: 1000)
            else { continue }
            successes += 1
            for result in results { #expect(elementCount(of: result.shape) == result.count, "\(name) \(inputs) \(attributes)") }
        }
        #expect(successes > 200)
    }
}
