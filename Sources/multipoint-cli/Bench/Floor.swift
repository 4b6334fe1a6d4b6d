import DNNL
import MultipointGraph
import MultipointRuntime

/// The bare products of all layers of a network, one after the other.
final class Floor {
    let products: [FloorProduct]
    private let threads: Int
    private let stream: Stream
    /// Of the first layer; then each reads what the one before it wrote.
    private let input: AlignedBuffer
    private let ping: AlignedBuffer
    private let pong: AlignedBuffer

    init(_ network: Network, batch: Int, threads: Int) throws {
        self.threads = threads
        stream = try Stream()
        let shapes = try network.shapes(batch: batch)
        products = try Threads.with(threads) {
            try network.nodes.compactMap { node in
                guard case .layer(let name) = node.operation, let layer = network.layers[name], let input = shapes[node.inputs[0]],
                    let output = shapes[node.output]
                else { return nil }
                return try Floor.product(node.name, layer, input: input, output: output, threads)
            }
        }
        let largest = products.reduce(0) { max($0, $1.sourceByteCount, $1.destinationByteCount) }
        input = try AlignedBuffer(byteCount: products.first?.sourceByteCount ?? 0)
        (ping, pong) = (try AlignedBuffer(byteCount: largest), try AlignedBuffer(byteCount: largest))
        for buffer in [input, ping, pong] { buffer.fillWithNoise() }
        var source = input
        for (index, product) in products.enumerated() {
            let destination = index % 2 == 0 ? ping : pong
            try product.place(source: source.base, destination: destination.base)
            source = destination
        }
    }

    /// A packed layer's u8 product, or with groups the cheaper of u8 and float with both conversions; a float layer's float product.
    private static func product(
        _ node: String, _ layer: Layer, input: [Int], output: [Int], _ threads: Int
    ) throws -> FloorProduct {
        let shape = FloorProduct.Shape(layer, input: input, output: output)
        guard layer.isPacked else { return try .float(node: node, shape, conversions: false) }
        let integer = try FloorProduct.integer(node: node, shape)
        guard layer.group > 1 else { return integer }
        let float = try FloorProduct.float(node: node, shape, conversions: true)
        return try fastest([integer, float])
    }

    private static func fastest(_ candidates: [FloorProduct]) throws -> FloorProduct {
        let stream = try Stream()
        var best = [Double](repeating: .infinity, count: candidates.count)
        let (source, destination) = (
            try AlignedBuffer(byteCount: candidates.reduce(0) { max($0, $1.sourceByteCount) }),
            try AlignedBuffer(byteCount: candidates.reduce(0) { max($0, $1.destinationByteCount) })
        )
        source.fillWithNoise()
        for candidate in candidates { try candidate.place(source: source.base, destination: destination.base) }
        try withExtendedLifetime((source, destination)) {
            for _ in 0..<20 {
                for (index, candidate) in candidates.enumerated() {
                    best[index] = min(best[index], try seconds { try candidate.run(stream) })
                }
            }
        }
        return candidates[best.firstIndex(of: best.min() ?? 0) ?? 0]
    }

    func run() throws {
        try Threads.with(threads) { for product in products { try product.run(stream) } }
    }

    /// Runs once and lowers `minima`, one per product, to its times.
    func run(minima: inout [Double]) throws {
        try Threads.with(threads) {
            for (index, product) in products.enumerated() {
                minima[index] = min(minima[index], try seconds { try product.run(stream) })
            }
        }
    }
}

extension AlignedBuffer {
    /// Floats from 0 to 1, which are also bytes of all values.
    func fillWithNoise() {
        var noise = Noise()
        let values = base.assumingMemoryBound(to: Float.self)
        for index in 0..<(byteCount / 4) { values[index] = abs(noise.next()) }
    }
}
