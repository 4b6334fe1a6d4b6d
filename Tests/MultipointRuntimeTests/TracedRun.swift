import DNNL
import MultipointGraph

@testable import MultipointRuntime

/// One run of a compiled network, step by step, with every value that exists on its own.
struct TracedRun {
    struct Kept {
        /// In C order.
        var values: [Double]
        /// Of values in 8 bits.
        var quantization: AffineQuantization?
    }

    let program: Program
    private(set) var kept: [String: Kept] = [:]

    /// - Parameter inputs: of the network, dense, one array each.
    init(_ network: Network, inputs: [[Float]], batch: Int, threads: Int) throws {
        let outputs = network.outputs.map(\.name)
        let interface = ProgramInterface(batch: batch, inputs: inputs.map { _ in .dense }, outputs: outputs.map { _ in .dense })
        let shapes = try network.shapes(batch: batch)
        let traced: [String: NetworkCompiler.TracedValue]
        (program, traced) = try NetworkCompiler.compileTraced(
            PreparedNetwork(network), interface, shapes, outputs: outputs, threads: threads)
        let arena = try AlignedBuffer(byteCount: program.arenaByteCount)
        let sources = try inputs.map { try AlignedBuffer(byteCount: $0.count * 4) }
        for (source, values) in zip(sources, inputs) { source.base.copyMemory(from: values, byteCount: values.count * 4) }
        let results = try outputs.map { try AlignedBuffer(byteCount: (shapes[$0] ?? []).reduce(4, *)) }
        let externals = (sources + results).map(\.base)
        let addresses: [UnsafeMutableRawPointer?] = program.buffers.enumerated().map { [program] index, kind in
            switch kind {
            case .arena: arena.base + program.offsets[index]
            case .external(let number): externals[number]
            case .constant(let buffer): buffer.base
            }
        }
        // A value is read as soon as it is there: its memory may be another's later.
        func keep(after steps: Int, _ kept: inout [String: Kept]) {
            for (name, value) in traced where value.steps == steps {
                if let address = addresses[value.value.buffer.index] { kept[name] = read(value.value, address) }
            }
        }
        let stream = try DNNL.Stream()
        try withExtendedLifetime((arena, sources, results)) {
            keep(after: 0, &kept)
            for (index, step) in program.steps.enumerated() {
                let bound = try step.bound()
                try bound.move(to: addresses)
                try Threads.with(threads) { () throws(DNNLError) in try bound.run(stream) }
                keep(after: index + 1, &kept)
            }
        }
    }
}

private func read(_ value: StoredValue, _ address: UnsafeMutableRawPointer) -> TracedRun.Kept {
    let strides = value.strides
    let values = (0..<value.count).map { number in
        var (rest, offset) = (number, 0)
        for axis in value.shape.indices.reversed() {
            offset += rest % value.shape[axis] * strides[axis]
            rest /= value.shape[axis]
        }
        guard let quantization = value.quantization else { return Double(address.load(fromByteOffset: offset * 4, as: Float.self)) }
        let stored = address.load(fromByteOffset: offset, as: UInt8.self)
        return Double(quantization.scale) * Double(Int(stored) - Int(quantization.zeroPoint))
    }
    return TracedRun.Kept(values: values, quantization: value.quantization)
}
