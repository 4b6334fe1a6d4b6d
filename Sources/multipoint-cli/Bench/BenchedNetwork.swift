import MultipointGraph
import MultipointRuntime

/// A session with inputs and outputs of its own, run again and again.
final class BenchedNetwork {
    let session: Session
    let batch: Int
    private let inputs: [AlignedBuffer]
    private let outputs: [AlignedBuffer]
    private let sources: [ExternalTensor]
    private let destinations: [ExternalTensor]

    init(_ prepared: PreparedNetwork, batch: Int, threads: Int) throws {
        session = try Session(prepared, maximumBatch: batch, threads: threads)
        self.batch = batch
        let network = prepared.network
        let shapes = try network.shapes(batch: batch)
        func buffers(_ values: [ValueInfo]) throws -> [AlignedBuffer] {
            try values.map { try AlignedBuffer(byteCount: (shapes[$0.name].flatMap(elementCount(of:)) ?? 0) * 4) }
        }
        (inputs, outputs) = (try buffers(network.inputs), try buffers(network.outputs))
        for buffer in inputs { buffer.fillWithNoise() }
        sources = inputs.map { ExternalTensor(data: $0.base) }
        destinations = outputs.map { ExternalTensor(data: $0.base) }
    }

    func run() throws {
        try sources.withUnsafeBufferPointer { sources in
            try destinations.withUnsafeBufferPointer { try session.run(batch: batch, inputs: sources, outputs: $0) }
        }
    }
}
