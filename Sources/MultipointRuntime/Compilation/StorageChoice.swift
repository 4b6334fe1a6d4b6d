import MultipointGraph

/// How a value of a network is kept between its producer and its readers.
enum ValueStorage: Hashable {
    case float
    /// 8 bits.
    case quantized(AffineQuantization)
    /// 8 bits in the quantization of what the value is made of, if that is in 8 bits.
    case asItComes

    var quantization: AffineQuantization? {
        if case .quantized(let quantization) = self { quantization } else { nil }
    }

    /// A layer's result has no quantization to take over.
    var ofLayer: LayerDestination {
        quantization.map { LayerDestination(type: .uint8, quantization: $0) } ?? .float
    }
}

/// Decides what is kept in 8 bits: a value whose readers all take it so, if some reader or the file says how.
struct StorageChoice {
    private let prepared: PreparedNetwork
    private var readers: [String: [Reader]] = [:]

    private enum Reader {
        /// A packed layer.
        case packed(AffineQuantization)
        /// Passes the value on in this quantization; takes another one.
        case preferring(AffineQuantization)
        /// Takes any 8 bits.
        case any
        case float
    }

    init(_ prepared: PreparedNetwork, outputNames: [String]) {
        self.prepared = prepared
        for name in outputNames { readers[name, default: []].append(.float) }
    }

    mutating func storages(_ nodes: [FusedNode]) -> [String: ValueStorage] {
        var result: [String: ValueStorage] = [:]
        // Readers come after what they read, so from the end every reader is known.
        for node in nodes.reversed() {
            switch node {
            case .absorbed: continue
            case .single(let node):
                let storage = storage(node.output)
                result[node.output] = storage
                let reader = reader(node.operation, storage)
                for input in node.inputs { readers[input, default: []].append(reader) }
            case .layer(let group, _):
                result[group.output] = storage(group.output)
                let quantization = prepared.inputQuantization(group.layer, of: group.input)
                readers[group.input, default: []].append(quantization.map { .packed($0) } ?? .float)
                if let residual = group.residual { readers[residual, default: []].append(.any) }
            }
        }
        return result
    }

    /// The quantization that packed layers want: it was made for this value. Else the one that a concatenation or pooling would give the
    /// value anyway, if every reader does: what is cut off for one of them, such as a slice, another may need. Else the one that the
    /// file has for it.
    private func storage(_ value: String) -> ValueStorage {
        let readers = readers[value] ?? [.float]
        var packed: AffineQuantization?
        for reader in readers {
            switch reader {
            case .float: return .float
            case .packed(let quantization) where packed == nil || packed == quantization: packed = quantization
            case .packed: return .float
            case .preferring, .any: continue
            }
        }
        return (packed ?? commonPreference(readers) ?? prepared.network.quantization[value]).map { .quantized($0) } ?? .asItComes
    }

    private func commonPreference(_ readers: [Reader]) -> AffineQuantization? {
        guard case .preferring(let first) = readers.first else { return nil }
        let agree = readers.allSatisfy { if case .preferring(let quantization) = $0 { quantization == first } else { false } }
        return agree ? first : nil
    }

    private func reader(_ operation: Operation, _ output: ValueStorage) -> Reader {
        switch (operation.eightBits, output) {
        case (.none, _), (_, .float): .float
        case (.passing, .quantized(let quantization)): .preferring(quantization)
        case (.table, .asItComes), (.combining, .asItComes): .float
        case (.passing, .asItComes), (.averaging, _), (.table, _), (.combining, _): .any
        }
    }
}

extension Operation {
    enum EightBits {
        /// Needs floats.
        case none
        /// The result's elements are elements of the inputs, chosen in a way that quantization does not change.
        case passing
        /// Means of elements.
        case averaging
        /// Elements are computed from single elements.
        case table
        /// Elements are computed from two.
        case combining
    }

    /// What the operation does with values of 8 bits.
    var eightBits: EightBits {
        switch self {
        case .maxPool, .concat, .flatten, .reshape, .squeeze, .unsqueeze, .transpose, .slice, .pad, .expand, .gather, .depthToSpace,
            .spaceToDepth, .reduce(.maximum, _, _), .reduce(.minimum, _, _):
            .passing
        case .averagePool, .globalAveragePool, .reduce(.mean, axes: [2, 3], _): .averaging
        case .resize(let resize): resize.eightBits
        case .elementwise: .table
        case .binary(.add), .binary(.subtract), .binary(.multiply), .binary(.minimum), .binary(.maximum), .prelu: .combining
        // Quotients and powers of steps are far apart.
        case .binary(.divide), .binary(.power): .none
        case .layer, .matrixProduct, .reduce, .argument, .softmax, .logSoftmax, .layerNormalization, .localResponseNormalization: .none
        }
    }
}

extension Resize {
    fileprivate var eightBits: Operation.EightBits {
        switch mode {
        case .nearest: .passing
        case .linear: .averaging
        // Overshoots the range of its input.
        case .cubic: .none
        }
    }
}

extension FusedNode {
    /// Values that are read where the node is executed.
    var inputs: [String] {
        switch self {
        case .absorbed: []
        case .single(let node): node.inputs
        case .layer(let group, _): [group.input] + (group.residual.map { [$0] } ?? [])
        }
    }
}
