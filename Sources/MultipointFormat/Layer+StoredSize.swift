import MultipointGraph

extension Layer {
    /// Bytes of the layer's tensors in a packed file.
    public var storedByteCount: Int { weightByteCount + (bias?.count ?? 0) * 4 }

    /// Stored bits per weight, with points, scales and codebooks counted, the bias not: 32 in float.
    public var bitsPerWeight: Double {
        let count = elementCount(of: shape) ?? 0
        return count > 0 ? Double(weightByteCount) * 8 / Double(count) : 0
    }

    /// The same without the bias.
    var weightByteCount: Int {
        switch weights {
        case .float(let values): return values.count * 4
        case .packed(let packed):
            let levels = packed.levels.indices.reduce(0) {
                $0 + packed.codesByteCount(level: $1) + packed.levels[$1].codebook.count
            }
            return packed.points.count + levels + packed.scales.count * 4
        }
    }
}

extension PackedWeights {
    func vectorCount(level: Int) -> Int { points.count(where: { Int($0) > level }) }

    /// Bytes of a level's codes in a packed file.
    package func codesByteCount(level: Int) -> Int {
        vectorCount(level: level) * BitPacking(bits: levels[level].bits, vectorLength: rowLength).vectorByteCount
    }
}
