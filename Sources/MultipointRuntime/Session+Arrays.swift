import MultipointGraph

extension Session {
    /// For tools and tests: runs dense C-order (NCHW) arrays and returns arrays.
    /// - Throws: `RuntimeError` if a length does not fit the batch.
    public func run(_ inputs: [[Float]], batch: Int) throws -> [[Float]] {
        let network = prepared.network
        guard inputs.count == network.inputs.count else {
            throw RuntimeError(.invalidArgument, "\(network.inputs.count) inputs expected, found \(inputs.count)")
        }
        for (input, values) in zip(network.inputs, inputs) {
            let shape = input.shape(batch: batch)
            guard elementCount(of: shape) == values.count else {
                throw RuntimeError(
                    .invalidArgument, "input `\(input.name)`: \(values.count) values do not make up shape \(shape)")
            }
        }
        let shapes = try network.shapes(batch: batch)
        let sizes = outputNames.map { shapes[$0].flatMap(elementCount(of:)) ?? 0 }
        let inputStorage = try inputs.map { try AlignedBuffer(byteCount: $0.count * 4) }
        let outputStorage = try sizes.map { try AlignedBuffer(byteCount: $0 * 4) }
        for (values, buffer) in zip(inputs, inputStorage) { buffer.base.copyMemory(from: values, byteCount: values.count * 4) }
        let (sources, destinations) = (inputStorage.map { ExternalTensor(data: $0.base) }, outputStorage.map { ExternalTensor(data: $0.base) })
        try withExtendedLifetime((inputStorage, outputStorage)) {
            try sources.withUnsafeBufferPointer { sources in
                try destinations.withUnsafeBufferPointer { try run(batch: batch, inputs: sources, outputs: $0) }
            }
        }
        return zip(outputStorage, sizes).map { buffer, count in
            Array(UnsafeBufferPointer(start: buffer.base.assumingMemoryBound(to: Float.self), count: count))
        }
    }
}
