import MultipointGraph
import SeededNumbers

/// Small networks with random weights, written node by node.
struct NetworkBuilder {
    var network = Network(name: "test", inputs: [], outputs: [], nodes: [], layers: [:], layerOrder: [])
    var generator: SeededGenerator

    init(seed: UInt64, input shape: [ValueInfo.Dimension]) {
        generator = SeededGenerator(seed: seed)
        network.inputs = [ValueInfo(name: "image", shape: shape)]
    }

    mutating func convolution(
        _ name: String, from value: String, _ shape: [Int], _ attributes: ConvolutionAttributes = ConvolutionAttributes()
    ) -> String {
        layer(name, from: value, shape, .convolution(attributes))
    }

    mutating func gemm(_ name: String, from value: String, _ shape: [Int]) -> String { layer(name, from: value, shape, .gemm) }

    private mutating func layer(_ name: String, from value: String, _ shape: [Int], _ operation: Layer.Operator) -> String {
        let length = shape.dropFirst().reduce(1, *)
        network.layers[name] = Layer(
            name: name, operation: operation, shape: shape,
            weights: .float(generator.normals(shape.reduce(1, *), scale: (2 / Float(length)).squareRoot())),
            bias: generator.normals(shape[0], scale: 0.1))
        network.layerOrder.append(name)
        return node(.layer(name), [value], name)
    }

    mutating func node(_ operation: MultipointGraph.Operation, _ inputs: [String], _ name: String) -> String {
        network.nodes.append(Node(name: name, operation: operation, inputs: inputs, output: "\(name).out"))
        return "\(name).out"
    }

    mutating func output(_ value: String) {
        network.outputs.append(ValueInfo(name: value, shape: []))
    }
}

extension Network {
    /// conv → relu → (depthwise → relu → pointwise) + skip → relu → global average pool → fc.
    static func residual(seed: UInt64, batch: ValueInfo.Dimension = .batch) -> Network {
        var builder = NetworkBuilder(seed: seed, input: [batch, .fixed(2), .fixed(9), .fixed(8)])
        let padded = { (group: Int) in ConvolutionAttributes(pads: [1, 1, 1, 1], group: group) }
        let stem = builder.convolution("stem", from: "image", [8, 2, 3, 3], padded(1))
        let relu = builder.node(.relu, [stem], "stem.relu")
        let depthwise = builder.convolution("depthwise", from: relu, [8, 1, 3, 3], padded(8))
        let middle = builder.node(.relu, [depthwise], "depthwise.relu")
        let pointwise = builder.convolution("pointwise", from: middle, [8, 8, 1, 1])
        let sum = builder.node(.add, [relu, pointwise], "add")
        let joined = builder.node(.relu, [sum], "add.relu")
        let grouped = builder.convolution("grouped", from: joined, [6, 4, 3, 3], ConvolutionAttributes(strides: [2, 2], group: 2))
        let pool = builder.node(.globalAveragePool, [grouped], "pool")
        let flat = builder.node(.flatten(axis: 1), [pool], "flatten")
        builder.output(builder.gemm("fc", from: flat, [5, 6]))
        builder.network.outputs[0].shape = [batch, .fixed(5)]
        return builder.network
    }
}
