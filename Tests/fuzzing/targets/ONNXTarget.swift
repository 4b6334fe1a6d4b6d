import MultipointFormat
import MultipointGraph
import MultipointRuntime
import ONNXImport

func runONNX(_ bytes: UnsafeRawBufferPointer, _ bounds: FuzzBounds) -> FuzzOutcome {
    guard let definition = try? readONNX(bytes: Array(bytes), source: "memory") else { return .refused }
    guard let network = (try? Examination(definition))?.network else { return .refused }
    writeAndRead(network)
    // As a packed file's layers, float layers are checked once more.
    let layers = network.layers.values
    guard layers.allSatisfy({ layer in (try? layer.validate()) != nil }) else { return .refused }
    let sizes = network.inputs.map { elementCount(of: $0.shape(batch: 1)) ?? 0 }
    guard sizes.allSatisfy({ $0 <= 1 << 22 }) else { return .read }
    var limits = SessionLimits(storedByteCount: layers.reduce(0) { $0 + $1.storedByteCount }, inputCount: sizes.reduce(0, +))
    if bounds.work > 0 { limits = SessionLimits(runByteCount: Int(bounds.runByteCount), work: Int(bounds.work)) }
    guard let session = try? Session(PreparedNetwork(network), maximumBatch: 1, threads: 1, limits: limits) else { return .read }
    let inputs = sizes.enumerated().map { position, count in
        (0..<count).map { inputValue($0, seed: bytes.count &+ position) }
    }
    return (try? session.run(inputs, batch: 1)) == nil ? .read : .run
}

/// What is written as a packed file can be read back, whatever the limits.
private func writeAndRead(_ network: Network) {
    let file = PackedFile(name: network.name, layers: network.layerOrder.compactMap { network.layers[$0] }, network: network)
    guard let bytes = try? file.encoded() else { return }
    do {
        _ = try bytes.withUnsafeBytes { try PackedFile(bytes: $0, source: "memory", limits: ReadingLimits(nodeCount: .max, weightByteCount: .max)) }
    } catch {
        require(false, "what is written can be read: \(error)")
    }
}
