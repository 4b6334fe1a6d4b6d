import MultipointGraph

extension Network {
    /// Whether running a batch takes a fraction of a second: a file may describe more work than anybody has time for.
    func isSmall(batch: Int) -> Bool {
        guard let shapes = try? shapes(batch: batch) else { return false }
        var elements = 0
        var work = 0
        for shape in shapes.values { elements += elementCount(of: shape) ?? 0 }
        for node in nodes {
            guard let count = shapes[node.output].flatMap(elementCount(of:)) else { return false }
            let inputs = node.inputs.map { shapes[$0] ?? constants[$0]?.shape ?? [] }
            let (product, overflow) = count.multipliedReportingOverflow(by: cost(of: node.operation, inputs))
            guard !overflow, product <= 1 << 26 else { return false }
            work += product
        }
        return elements <= 1 << 20 && work <= 1 << 26
    }

    /// Per element of the result.
    private func cost(of operation: Operation, _ inputs: [[Int]]) -> Int {
        let inputCount = inputs.first.flatMap { elementCount(of: $0) } ?? 1
        switch operation {
        case .layer(let name): return layers[name]?.rowLength ?? 1
        case .matrixProduct: return inputs.first?.last ?? 1
        case .maxPool(let pooling), .averagePool(let pooling, _): return elementCount(of: pooling.kernel) ?? .max
        case .reduce, .argument, .softmax, .logSoftmax, .layerNormalization, .globalAveragePool: return inputCount
        case .localResponseNormalization(let size, _, _, _): return size
        case .resize: return 64
        default: return 1
        }
    }
}
