import MultipointGraph
import SeededNumbers
import Testing

// How the tests write definitions down.

/// An ONNX node whose only output is `output`; its name is `name`, or else the output's.
func node(
    _ operatorType: String, _ inputs: [String], _ output: String, _ attributes: [String: AttributeValue] = [:],
    name: String? = nil, layer: String? = nil
) -> NodeDefinition {
    NodeDefinition(
        name: name ?? output, operatorType: operatorType, inputs: inputs, outputs: [output], attributes: attributes, layer: layer)
}

/// A definition with one input `x` and one output `y`, whose shape is left open.
func definition(
    opset: Int = 17, input: [ValueInfo.Dimension] = [.batch, 4, 8, 8], _ nodes: [NodeDefinition],
    _ initializers: [String: Tensor] = [:], quantization: [String: AffineQuantization] = [:]
) -> GraphDefinition {
    GraphDefinition(
        name: "test", operatorSet: opset, inputs: [ValueInfo(name: "x", shape: input)],
        outputs: [ValueInfo(name: "y", shape: [])], nodes: nodes, initializers: initializers, quantization: quantization)
}

extension ValueInfo.Dimension: ExpressibleByIntegerLiteral {
    public init(integerLiteral value: Int) { self = .fixed(value) }
}

extension AttributeValue: ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral
{
    public init(integerLiteral value: Int64) { self = .int(value) }
    public init(arrayLiteral elements: Int64...) { self = .ints(elements) }
    public init(floatLiteral value: Float) { self = .float(value) }
    public init(stringLiteral value: String) { self = .string(value) }
}

/// A list of integers.
func ints(_ values: Int64...) -> Tensor { Tensor(shape: [values.count], values) }

func scalar(_ value: Float) -> Tensor { Tensor(shape: [], [value]) }

func zeros(_ shape: Int...) -> Tensor { Tensor(shape: shape, Array(repeating: Float(0), count: shape.reduce(1, *))) }

/// The operations of a definition's network.
func operations(_ definition: GraphDefinition) throws -> [Operation] {
    try Network(definition: definition).nodes.map(\.operation)
}

/// The shape of `y` for a batch size.
func outputShape(_ definition: GraphDefinition, batch: Int = 1) throws -> [Int]? {
    try Network(definition: definition).shapes(batch: batch)["y"]
}

/// Expects an error of a kind whose message has all the fragments.
func expectError(
    _ kind: GraphError.Kind, _ fragments: String..., sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) {
    do {
        try body()
        Issue.record("an error expected", sourceLocation: sourceLocation)
    } catch let error as GraphError {
        #expect(error.kind == kind, "\(error)", sourceLocation: sourceLocation)
        for fragment in fragments {
            #expect(error.description.contains(fragment), "`\(fragment)` expected in: \(error)", sourceLocation: sourceLocation)
        }
    } catch {
        Issue.record("\(error)", sourceLocation: sourceLocation)
    }
}

func expectError(
    _ kind: GraphError.Kind, _ definition: GraphDefinition, _ fragments: String...,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    do {
        let network = try Network(definition: definition)
        Issue.record("an error expected, found \(network.nodes)", sourceLocation: sourceLocation)
    } catch {
        #expect(error.kind == kind, "\(error)", sourceLocation: sourceLocation)
        for fragment in fragments {
            #expect(error.description.contains(fragment), "`\(fragment)` expected in: \(error)", sourceLocation: sourceLocation)
        }
    }
}

extension SeededGenerator {
    mutating func tensor(_ shape: [Int], _ range: ClosedRange<Float> = -1...1) -> Tensor {
        Tensor(shape: shape, (0..<shape.reduce(1, *)).map { _ in Float.random(in: range, using: &self) })
    }
}
