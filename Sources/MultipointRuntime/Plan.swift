import DNNL
import Headroom
import MultipointGraph
import Synchronization

/// One layer compiled for an input shape, layouts, types and fusions. Immutable, shared between threads.
public final class Plan: Sendable {
    /// A tensor as the host has it.
    public struct Port: Sendable {
        public var type: ElementType
        public var layout: Layout
        /// Of u8 tensors, and of a float source of a packed layer: how it is quantized.
        public var quantization: AffineQuantization?

        public init(type: ElementType, layout: Layout, quantization: AffineQuantization? = nil) {
            self.type = type
            self.layout = layout
            self.quantization = quantization
        }
    }

    public let layer: PreparedLayer
    /// Shapes in ONNX order. The destination's channels are rows where it holds raw sums.
    public let sourceShape: [Int]
    public let destinationShape: [Int]
    public let source: Port
    public let destination: Port
    public let residual: Port?
    public let threads: Int
    private let program: Program
    private let idle = Mutex<[IdleExecution]>([])
    private let generation = Fork.generation

    /// An execution that no call uses at the moment, with a workspace if it was made for a call without one.
    private struct IdleExecution: @unchecked Sendable {
        var execution: Execution
        var workspace: AlignedBuffer?
    }

    /// - Parameters:
    ///   - sourceShape: the layer's input in ONNX order: N, C, H, W, or for Gemm any leading dimensions and the features.
    ///   - residual: a tensor of the destination's shape and layout that is added before the activation.
    public init(
        _ layer: PreparedLayer, sourceShape: [Int], source: Port, residual: Port? = nil, destination: Port,
        activation: Elementwise? = nil, threads: Int = 0
    ) throws {
        try requireSupportedMachine()
        let threadCount = try resolvedThreads(threads)
        try requireThreads(threadCount)
        try requireMemory()
        let geometry = try ConvolutionGeometry(layer.layer, input: sourceShape)
        let channels = destination.type == .int32 ? layer.rows?.count ?? 0 : layer.layer.channels
        self.layer = layer
        self.sourceShape = sourceShape
        self.source = source
        self.residual = residual
        self.destination = destination
        self.threads = threadCount
        destinationShape = geometry.resultShape(layer.layer, input: sourceShape, channels: channels)
        if destination.type == .int32, layer.rows == nil {
            throw RuntimeError(.invalidArgument, "layer `\(layer.layer.name)` is kept in float: it has no row sums")
        }
        program = try Threads.with(threadCount) {
            try placing("layer `\(layer.layer.name)`") {
                try Plan.compile(layer, geometry, channels, source, residual, destination, activation, threadCount)
            }
        }
    }

    private static func compile(
        _ layer: PreparedLayer, _ geometry: ConvolutionGeometry, _ channels: Int, _ source: Port, _ residual: Port?,
        _ destination: Port, _ activation: Elementwise?, _ threads: Int
    ) throws -> Program {
        let builder = ProgramBuilder(threads: threads)
        let isMatrix = layer.layer.operation == .gemm
        func external(_ port: Port, _ shape: [Int], _ number: Int) -> StoredValue {
            StoredValue(
                shape: shape, layout: isMatrix ? .channelsLast : port.layout, type: port.type,
                quantization: port.type == .uint8 ? port.quantization : nil, buffer: builder.buffer(.external(number)),
                isExternal: true)
        }
        let outputShape = geometry.outputShape(channels: channels)
        let from = external(source, geometry.inputShape, 0)
        let to = external(destination, outputShape, 1)
        let compiler = LayerCompiler(
            builder: builder, layer: layer, geometry: geometry, inputQuantization: source.quantization, activation: activation,
            name: layer.layer.name)
        let addend = residual.map { LayerCompiler.Residual(value: external($0, outputShape, 2), isReplaceable: false) }
        let wanted = LayerDestination(
            type: destination.type, quantization: destination.type == .uint8 ? destination.quantization : nil)
        let direct = to.layout == .channelsLast || to.layoutsAgree
        var directTo = to
        directTo.layout = .channelsLast
        let result = try compiler.emit(from, residual: addend, wanted, into: direct ? directTo : nil)
        if !direct {
            _ = try builder.converted(
                result, to: to.layout, to.type, to.quantization, name: layer.layer.name, into: to)
        }
        return try builder.finish()
    }

    /// Bytes of the 64-byte-aligned memory that one execution needs.
    public var workspaceByteCount: Int { program.arenaByteCount }

    /// oneDNN's names of the implementations in use.
    public var implementations: [String] { program.steps.map(\.implementation) }

    /// Executes with tensors of the plan's shapes, types and layouts; memory needs no alignment, except the workspace's 64 bytes.
    /// Any number of threads may execute one plan at once, each with its own workspace; with nil the plan keeps them.
    public func execute(
        source: UnsafeMutableRawPointer, residual: UnsafeMutableRawPointer?, destination: UnsafeMutableRawPointer,
        workspace: UnsafeMutableRawPointer?
    ) throws {
        try requireThreads(threads)
        var mine = try withIdle { $0.popLast() } ?? IdleExecution(execution: placedExecution())
        if workspace == nil, mine.workspace == nil {
            mine.workspace = try AlignedBuffer(byteCount: program.arenaByteCount)
        }
        defer { withIdle { $0.append(mine) } }
        guard let arena = workspace ?? mine.workspace?.base else { return }
        try withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer.self, capacity: 3) { externals in
            externals.initializeElement(at: 0, to: source)
            externals.initializeElement(at: 1, to: destination)
            externals.initializeElement(at: 2, to: residual ?? destination)
            try placing("layer `\(layer.layer.name)`") {
                try mine.execution.run(arena: arena, externals: UnsafeBufferPointer(externals))
            }
        }
    }

    /// The executions that no call uses. In a process that was forked since the plan was made, the lock may be held by a thread that is not
    /// there: then there are none, and none are kept.
    private func withIdle<R>(_ body: (inout [IdleExecution]) -> R) -> R {
        if Fork.generation == generation { return idle.withLock { body(&$0) } }
        var none: [IdleExecution] = []
        return idle.withLockIfAvailable { body(&$0) } ?? body(&none)
    }

    private func placedExecution() throws -> Execution {
        try requireMemory()
        return try placing("layer `\(layer.layer.name)`") { try Execution(program) }
    }
}
