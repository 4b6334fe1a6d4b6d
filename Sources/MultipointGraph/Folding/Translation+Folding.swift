// Nodes that need not run: their inputs are constants, or shapes.
//
// Where the batch is open, a shape is not one value. It is computed for two batch sizes, like everything that is made of it; what
// comes out the same is a constant (Network+Batch.swift finds the batch dimension in the same way).

/// The values of a tensor that depends on the batch size, for the sizes of `Translation.sampleBatches`.
struct SampledTensor {
    var samples: [Tensor]
    /// The operator and the node from which it comes, for messages.
    var origin: String
}

/// How much a translation may still make and read: constants that are folded, those that nodes are given, weights of layers, indices.
///
/// What is made is counted in words of 4 bytes, also where it shares its memory with what it was made of: simplification may part them.
struct FoldingBudget {
    private var rest: Int
    /// Elements that may still be gone through: a few numbers of a large constant take as long as all of them.
    private var work: Int
    /// The most elements of one constant: what a large file has, it may have in another form.
    private let largest: Int

    /// The most elements of a result whose inputs are smaller.
    static let resultLimit = 1 << 23
    /// Words that are made of nothing, 208 MiB.
    static let wordLimit = 52 << 20

    /// - Parameter given: elements in the file.
    init(given: Int) {
        largest = max(TensorLimits.computedCount, given)
        let given = 64 * min(given, 1 << 40)
        rest = FoldingBudget.wordLimit + given
        work = (1 << 28) + given
    }

    /// What a node's results may have.
    func limit(inputs: [Tensor?]) -> Int {
        min(rest, max(FoldingBudget.resultLimit, inputs.reduce(0) { max($0, $1?.count ?? 0) }))
    }

    /// - Returns: false if so many words are too many.
    mutating func spend(_ words: Int) -> Bool {
        guard words <= rest else { return false }
        rest -= words
        return true
    }

    /// The same for one constant.
    mutating func spend(_ count: Int, words: Int) -> Bool { count <= largest && spend(words * count) }

    /// - Returns: false if these are too many elements to go through.
    mutating func read(_ count: Int) -> Bool {
        guard count <= work else { return false }
        work -= count
        return true
    }
}

extension Tensor {
    /// Words of 4 bytes.
    var wordCount: Int { integers == nil ? count : 2 * count }
}

extension Translation {
    /// Batch sizes that stand for all. The first is the one that shapes are inferred for.
    static var sampleBatches: [Int] { [1, 3] }

    /// Computes a node if everything that it needs is known, and defines its outputs.
    /// - Returns: false if it is one that has to run.
    mutating func fold(_ node: NodeDefinition) throws(GraphError) -> Bool {
        guard isFoldable(node) else { return false }
        let version = OperatorSet.sinceVersion(node.operatorType, in: operatorSet) ?? operatorSet
        let reader = NodeReader(node: node, version: version)
        let results: [[Tensor]]
        if let shapes = try sampledShapes(reader) {
            results = try shapes.map { shape throws(GraphError) in
                let folding = NodeFolding(reader: reader, inputs: [], limit: TensorLimits.count)
                return [node.operatorType == "Shape" ? try folding.shape(of: shape) : try folding.size(of: shape)]
            }
        } else {
            results = try foldSamples(reader)
        }
        for (index, output) in node.outputs.enumerated() where !output.isEmpty {
            let samples = results.compactMap { index < $0.count ? $0[index] : nil }
            guard let first = samples.first, samples.count == results.count else {
                throw reader.unsupported("it has \(node.outputs.count) outputs; \(results.first?.count ?? 0) are computed of constants")
            }
            if samples.allSatisfy({ $0 == first }) {
                define(output, first)
            } else {
                sampled[output] = SampledTensor(samples: samples, origin: origin(reader))
            }
        }
        release(node.inputs)
        return true
    }

    /// Charges what a node is about to make.
    /// - Parameters:
    ///   - count: its elements; nil if they are too many for an integer.
    ///   - words: of an element.
    mutating func charge(_ count: Int?, words: Int = 1, _ reader: NodeReader) throws(GraphError) {
        guard let count, budget.spend(count, words: words) else {
            throw reader.unsupported(
                "it needs a constant of \(count.map { "\($0)" } ?? "too many") elements, which with those of the nodes before is too large")
        }
    }

    /// Charges going through the constants that a node reads.
    mutating func chargeReading(_ count: Int, _ reader: NodeReader) throws(GraphError) {
        guard budget.read(count) else {
            throw reader.unsupported("the network computes too much of its constants; fold them before (with onnxsim, say)")
        }
    }

    /// The same for a node's inputs.
    mutating func chargeReading(_ node: NodeDefinition) throws(GraphError) {
        try chargeReading(node.inputs.reduce(0) { $0 + (constants[$1]?.count ?? 0) }, NodeReader(node: node, version: operatorSet))
    }

    private func isFoldable(_ node: NodeDefinition) -> Bool {
        guard node.layer == nil, NodeFolding.operators.contains(node.operatorType) else { return false }
        let isQuantization = node.operatorType == "QuantizeLinear" || node.operatorType == "DequantizeLinear"
        guard node.isOfDefaultDomain || isQuantization && node.isOfQuantizationDomain else { return false }
        if node.operatorType == "Shape" || node.operatorType == "Size" { return true }
        let inputs = node.inputs.filter { !$0.isEmpty }
        return !inputs.isEmpty && inputs.allSatisfy { constants[$0] != nil || sampled[$0] != nil }
    }

    /// For Shape and Size of a computed value: its shapes for the sample batch sizes, or one if the batch is not open.
    private func sampledShapes(_ reader: NodeReader) throws(GraphError) -> [[Int]]? {
        guard reader.node.operatorType == "Shape" || reader.node.operatorType == "Size", let input = reader.node.inputs.first,
            let shape = shapes[input]
        else { return nil }
        try reader.checkInputCount(1...1)
        guard isBatchOpen else { return [shape] }
        guard let other = otherShapes[input] else {
            throw reader.unsupported("the shape of `\(input)` cannot be told for another batch size than 1")
        }
        return [shape, other]
    }

    private mutating func foldSamples(_ reader: NodeReader) throws(GraphError) -> [[Tensor]] {
        let dependsOnBatch = reader.node.inputs.contains { sampled[$0] != nil }
        var results: [[Tensor]] = []
        for sample in 0..<(dependsOnBatch ? Translation.sampleBatches.count : 1) {
            let inputs = reader.node.inputs.map { sampled[$0]?.samples[sample] ?? constants[$0] }
            let folding = NodeFolding(reader: reader, inputs: inputs, limit: budget.limit(inputs: inputs))
            try chargeReading(try folding.work(), reader)
            let made = try folding.results()
            guard budget.spend(made.reduce(0) { $0 + $1.wordCount }) else {
                throw reader.unsupported("with this node, what is computed of constants is too large")
            }
            results.append(made)
        }
        return results
    }

    private func origin(_ reader: NodeReader) -> String {
        for input in reader.node.inputs { if let origin = sampled[input]?.origin { return origin } }
        return "\(reader.node.operatorType) of `\(reader.node.inputs.first ?? "")`"
    }

    /// Forgets constants that only folded nodes needed: dequantized weights would be kept several times.
    private mutating func release(_ inputs: [String]) {
        for input in inputs where !input.isEmpty {
            guard let uses = useCounts[input] else { continue }
            foldedUses[input, default: 0] += 1
            if foldedUses[input] == uses { forget(input) }
        }
    }
}

extension GraphDefinition {
    /// Elements of the initializers, and of the tensors in Constant nodes. Those that share their memory count once.
    public var constantElementCount: Int {
        var seen: Set<UnsafeRawPointer> = []
        func count(_ tensor: Tensor) -> Int { tensor.address.map { seen.insert($0).inserted } == true ? tensor.count : 0 }
        let given = initializers.values.reduce(0) { $0 + count($1) }
        return nodes.reduce(given) { if case .tensor(let tensor) = $1.attributes["value"] { $0 + count(tensor) } else { $0 } }
    }
}

extension Tensor {
    /// Where the elements are.
    fileprivate var address: UnsafeRawPointer? {
        switch elements {
        case .float(let values): values.withUnsafeBytes { $0.baseAddress }
        case .int64(let values): values.withUnsafeBytes { $0.baseAddress }
        }
    }
}

extension NodeDefinition {
    var isOfDefaultDomain: Bool { domain.isEmpty || domain == "ai.onnx" }
}
