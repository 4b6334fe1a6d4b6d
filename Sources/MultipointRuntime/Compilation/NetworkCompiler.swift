import DNNL
import Headroom
import MultipointGraph

/// A network's structure with its decoded layers: what sessions are compiled from. Immutable, shared between threads.
public final class PreparedNetwork: Sendable {
    /// Without weights: those are in `layers`.
    public let network: Network
    public let layers: [String: PreparedLayer]
    /// Constants as they are in C order, or channels last in a shape.
    let constants = BufferCache<ConstantKey>()

    struct ConstantKey: Equatable {
        var name: String
        /// Nil in C order.
        var channelsLast: [Int]?
    }

    /// Decodes every layer of the network that is not given.
    public init(_ network: Network, layers given: [String: PreparedLayer] = [:]) {
        var bare = network
        var prepared: [String: PreparedLayer] = [:]
        for (name, layer) in network.layers {
            let ready = given[name] ?? PreparedLayer(layer)
            prepared[name] = ready
            bare.layers[name] = ready.layer
        }
        self.network = bare
        layers = prepared
    }

    /// How a packed layer takes a value; nil for a float layer.
    func inputQuantization(_ layer: String, of value: String) -> AffineQuantization? {
        guard layers[layer]?.rows != nil else { return nil }
        return layers[layer]?.layer.inputQuantization ?? network.quantization[value]
    }
}

/// Layouts of a program's inputs and outputs in the caller's memory.
struct ProgramInterface: Hashable {
    var batch: Int
    var inputs: [Layout]
    var outputs: [Layout]
}

/// Compiles a network for one batch size into a program. Externals are the inputs, then the outputs.
struct NetworkCompiler {
    let prepared: PreparedNetwork
    let builder: ProgramBuilder
    let shapes: [String: [Int]]
    let outputNames: [String]
    /// Where each value is, in the form it was produced in.
    var values: [String: StoredValue] = [:]
    /// Conversions made so far, so that several readers share one.
    private var conversions: [Conversion: StoredValue] = [:]
    /// How each value is best stored.
    private var storages: [String: ValueStorage] = [:]
    /// The position of the last node that reads a value, or of none that ever comes for what the caller gets.
    private var lastReads: [String: Int] = [:]
    /// Elements that tables of positions may still have.
    private var tableRest = 1 << 24

    private struct Conversion: Hashable {
        var value: String
        var layout: Layout
        var type: ElementType
        var quantization: AffineQuantization?
    }

    var network: Network { prepared.network }

    /// - Parameter shapes: of all values, for the interface's batch.
    static func compile(
        _ prepared: PreparedNetwork, _ interface: ProgramInterface, _ shapes: [String: [Int]], outputs: [String], threads: Int
    ) throws -> Program {
        try compileTraced(prepared, interface, shapes, outputs: outputs, threads: threads).program
    }

    /// A value as its producer leaves it, and how many steps have run by then.
    struct TracedValue {
        var value: StoredValue
        var steps: Int
    }

    /// Also tells where every value is that exists on its own.
    static func compileTraced(
        _ prepared: PreparedNetwork, _ interface: ProgramInterface, _ shapes: [String: [Int]], outputs: [String], threads: Int
    ) throws -> (program: Program, values: [String: TracedValue]) {
        var compiler = NetworkCompiler(
            prepared: prepared, builder: ProgramBuilder(threads: threads), shapes: shapes, outputNames: outputs)
        let steps = try compiler.run(interface)
        let traced = compiler.values.map { ($0.key, TracedValue(value: $0.value, steps: steps[$0.key] ?? 0)) }
        return (try compiler.builder.finish(), Dictionary(uniqueKeysWithValues: traced))
    }

    private init(prepared: PreparedNetwork, builder: ProgramBuilder, shapes: [String: [Int]], outputNames: [String]) {
        self.prepared = prepared
        self.builder = builder
        self.shapes = shapes
        self.outputNames = outputNames
    }

    /// Emits everything.
    /// - Returns: how many steps there were once each value was made.
    private mutating func run(_ interface: ProgramInterface) throws -> [String: Int] {
        var steps: [String: Int] = [:]
        for (index, input) in network.inputs.enumerated() {
            values[input.name] = StoredValue(
                shape: input.shape(batch: interface.batch), layout: interface.inputs[index], type: .float32,
                buffer: builder.buffer(.external(index)), isExternal: true)
        }
        let nodes = network.fused(keeping: Set(outputNames), shapes: shapes)
        var choice = StorageChoice(prepared, outputNames: outputNames)
        storages = choice.storages(nodes)
        for (position, node) in nodes.enumerated() { for input in node.inputs { lastReads[input] = position } }
        for name in outputNames { lastReads[name] = .max }
        for (position, node) in nodes.enumerated() {
            switch node {
            case .absorbed: continue
            case .single(let node):
                try placing("node `\(node.name)`") { try emit(node) }
                steps[node.output] = builder.steps.count
            case .layer(let group, let name):
                try placing("layer `\(name)`") { try emit(group, name: name, position: position) }
                steps[group.output] = builder.steps.count
            }
        }
        for (index, name) in outputNames.enumerated() {
            let value = try value(name)
            let destination = StoredValue(
                shape: value.shape, layout: interface.outputs[index], type: .float32,
                buffer: builder.buffer(.external(network.inputs.count + index)))
            try placing("output `\(name)`") {
                _ = try builder.converted(value, to: interface.outputs[index], .float32, name: name, into: destination)
            }
        }
        return steps
    }

    // MARK: values

    func shape(_ name: String) throws(RuntimeError) -> [Int] {
        guard let shape = shapes[name] else { throw RuntimeError(.invalidArgument, "value `\(name)` has no known shape") }
        return shape
    }

    func value(_ name: String) throws(RuntimeError) -> StoredValue {
        guard let value = values[name] else { throw RuntimeError(.invalidArgument, "value `\(name)` is not produced by any node") }
        return value
    }

    /// The value as float in a layout.
    mutating func float(_ name: String, _ layout: Layout) throws -> StoredValue {
        try converted(name, layout, .float32, nil)
    }

    /// The value in the layout of images: channels last where it has four dimensions.
    mutating func image(_ name: String) throws -> StoredValue {
        try float(name, shape(name).count == 4 ? .channelsLast : .dense)
    }

    mutating func converted(
        _ name: String, _ layout: Layout, _ type: ElementType, _ quantization: AffineQuantization?
    ) throws -> StoredValue {
        let key = Conversion(value: name, layout: layout, type: type, quantization: quantization)
        if let known = conversions[key] { return known }
        let result = try builder.converted(value(name), to: layout, type, quantization, name: name)
        conversions[key] = result
        return result
    }

    func storage(of value: String) -> ValueStorage { storages[value] ?? .float }

    /// The operand of an operation that only passes values on: in 8 bits where it is stored so and may stay so.
    mutating func passed(_ name: String, _ storage: ValueStorage) throws -> StoredValue {
        let stored = try value(name)
        guard storage != .float else { return try image(name) }
        let layout: Layout = stored.shape.count == 4 ? .channelsLast : .dense
        if stored.type == .uint8 { return try converted(name, layout, .uint8, stored.quantization) }
        return try converted(name, layout, storage.quantization == nil ? .float32 : .uint8, storage.quantization)
    }

    /// Charges a table of positions that a node is about to make: a few bytes of a file can ask for any length.
    mutating func chargeTable(_ count: Int, _ node: Node) throws {
        guard count <= tableRest else {
            throw RuntimeError(
                .unsupported, "node `\(node.name)`: a table of \(count) positions, which with those of the nodes before is too large")
        }
        try requireMemory(count, of: 2 * MemoryLayout<Int>.stride)
        tableRest -= count
    }

    // MARK: layers

    private func inputQuantization(_ layer: String, of value: String) -> AffineQuantization? {
        prepared.inputQuantization(layer, of: value)
    }

    /// Whether nothing reads a buffer after the node at a position.
    private func isFree(_ buffer: BufferID, after position: Int) -> Bool {
        func isRead(_ name: String) -> Bool { lastReads[name, default: -1] > position }
        if case .arena = builder.kind(buffer) {} else { return false }
        return !values.contains { $0.value.buffer == buffer && isRead($0.key) }
            && !conversions.contains { $0.value.buffer == buffer && isRead($0.key.value) }
    }

    private mutating func emit(_ group: FusedLayer, name: String, position: Int) throws {
        guard let layer = prepared.layers[group.layer] else {
            throw RuntimeError(.invalidArgument, "layer `\(group.layer)` has no weights")
        }
        let shape = try self.shape(group.input)
        let geometry = try ConvolutionGeometry(layer.layer, input: shape)
        let compiler = LayerCompiler(
            builder: builder, layer: layer, geometry: geometry, inputQuantization: inputQuantization(group.layer, of: group.input),
            activation: group.activation, name: name)
        var source = try layerInput(group.input, layer, compiler.inputQuantization)
        source.shape = geometry.inputShape
        let residual = try group.residual.map { name in
            let stored = try value(name)
            var addend = try converted(name, layer.layer.layout, stored.type, stored.quantization)
            addend.shape = geometry.outputShape(channels: layer.layer.channels)
            addend.layout = .channelsLast
            return LayerCompiler.Residual(value: addend, isReplaceable: isFree(addend.buffer, after: position))
        }
        // What a Gemm reads and writes in C order is, as the convolution that it becomes, channels last.
        source.layout = .channelsLast
        var result = try compiler.emit(source, residual: residual, storage(of: group.output).ofLayer)
        result.shape = geometry.resultShape(layer.layer, input: shape, channels: layer.layer.channels)
        if layer.layer.operation == .gemm { result.layout = .dense }
        values[group.output] = result
    }

    /// A layer's operand: 8-bit for packed layers, float otherwise.
    private mutating func layerInput(
        _ name: String, _ layer: PreparedLayer, _ quantization: AffineQuantization?
    ) throws -> StoredValue {
        guard layer.rows != nil, let quantization else { return try float(name, layer.layer.layout) }
        return try converted(name, layer.layer.layout, .uint8, quantization)
    }
}

extension Layer {
    /// What the layer reads and writes: images channels last, matrices in C order.
    fileprivate var layout: Layout {
        switch operation {
        case .convolution: .channelsLast
        case .gemm: .dense
        }
    }
}
