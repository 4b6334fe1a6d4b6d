import MultipointGraph

/// Gathers H = E[x xᵀ] over a calibration. Patches are collected until there is a block of them, then the block's Xᵀ X is
/// added: inside a block the caller's matrix product sums, between blocks there are few additions, so Float holds the sums well.
public struct SecondMomentAccumulator {
    private let layer: Layer
    private let multiply: MatrixMultiply
    private var sample: PatchSample
    /// Patches of a full block; all of the sample where X is to be kept itself.
    private let capacity: Int
    private let keepsPatches: Bool
    /// [groups, capacity, K].
    private var block: [Float]
    private var filled = 0
    /// [groups, K, K], empty if the patches are kept.
    private var sums: [Float]
    /// [groups, K]: Σ x of the blocks added to `sums`.
    private var valueSums: [Double]
    /// The same of the drift d from these inputs to those of the original network: its patches, Σ x dᵀ and Σ d; empty if not wanted.
    private var driftBlock: [Float] = []
    private var driftSums: [Float] = []
    private var driftValueSums: [Double] = []

    private var groups: Int { layer.group }
    private var rowLength: Int { layer.rowLength }

    /// - Parameters:
    ///   - layer: has passed `Layer.validate`; only its shape matters.
    ///   - expectedPositions: output positions in all inputs that will come. They are sampled evenly.
    ///   - maximumPatches: how many positions enter H at most.
    ///   - measuresDrift: every `add` also gets the original network's inputs, and there is a `finishDrift`.
    /// - Throws: `QuantizationError` if the matrices are beyond all memory.
    public init(
        layer: Layer, expectedPositions: Int, maximumPatches: Int = 16_384, measuresDrift: Bool = false,
        matrixMultiply: @escaping MatrixMultiply
    ) throws(QuantizationError) {
        var layer = layer
        layer.weights = .float([])
        self.layer = layer
        multiply = matrixMultiply
        sample = PatchSample(total: expectedPositions, maximum: maximumPatches)
        guard let sizes = Sizes(layer, patches: sample.count), sizes.byteCount < 1 << 40 else {
            throw QuantizationError(
                "layer `\(layer.name)`: \(layer.group) second moments of \(layer.rowLength) inputs are too large")
        }
        keepsPatches = sizes.sums == 0
        capacity = sizes.capacity
        block = [Float](repeating: 0, count: sizes.block)
        sums = [Float](repeating: 0, count: sizes.sums)
        valueSums = [Double](repeating: 0, count: keepsPatches ? 0 : layer.group * layer.rowLength)
        guard measuresDrift else { return }
        driftBlock = block
        driftSums = [Float](repeating: 0, count: layer.group * layer.rowLength * layer.rowLength)
        driftValueSums = [Double](repeating: 0, count: layer.group * layer.rowLength)
    }

    /// Bytes that an accumulator for the layer holds; `Int.max` if they overflow.
    public static func byteCount(layer: Layer, expectedPositions: Int, maximumPatches: Int) -> Int {
        let patches = PatchSample(total: expectedPositions, maximum: maximumPatches).count
        return Sizes(layer, patches: patches)?.byteCount ?? Int.max
    }

    /// Elements of the arrays.
    private struct Sizes {
        /// Patches in a block.
        var capacity: Int
        var block: Int
        /// 0 if the patches are kept.
        var sums: Int
        var byteCount: Int

        /// Nil on overflow.
        init?(_ layer: Layer, patches: Int) {
            let (groups, length) = (layer.group, layer.rowLength)
            guard let row = product(groups, length), let all = product(row, length) else { return nil }
            let keepsPatches = patches < length
            // Blocks of 8 MB are long enough for an efficient product.
            capacity = keepsPatches ? patches : min(patches, max(64, min(1024, (1 << 21) / max(1, row))))
            sums = keepsPatches ? 0 : all
            guard let block = product(row, capacity), let bytes = product(4, block), let more = product(4, sums) else { return nil }
            self.block = block
            let (total, overflow) = bytes.addingReportingOverflow(more)
            guard !overflow else { return nil }
            byteCount = total
        }
    }

    /// Takes the next inputs: dense floats of `shape` (N, C, H, W for a convolution).
    /// - Parameter original: what the original network has in their place, where drift is measured.
    public mutating func add(
        _ activation: UnsafeBufferPointer<Float>, original: UnsafeBufferPointer<Float>? = nil, shape: [Int]
    ) throws(QuantizationError) {
        let geometry = try PatchGeometry(layer, inputShape: shape)
        guard activation.count == geometry.inputCount else {
            throw QuantizationError(
                "layer `\(layer.name)`: \(geometry.inputCount) inputs expected for shape \(shape), found \(activation.count)")
        }
        guard original.map({ $0.count == activation.count }) ?? driftSums.isEmpty else {
            throw QuantizationError("layer `\(layer.name)`: the original network's inputs are missing or of another shape")
        }
        let step = capacity * rowLength
        for position in sample.next(geometry.positions) {
            if filled == capacity { try flush() }
            let first = filled * rowLength
            geometry.copyPatches(position: position, from: activation, to: &block, first: first, step: step)
            if let original, !driftSums.isEmpty {
                geometry.copyPatches(position: position, from: original, to: &driftBlock, first: first, step: step)
                subtractInputs(first)
            }
            filled += 1
        }
    }

    /// Makes the original inputs at one place of the block their distance from these inputs.
    private mutating func subtractInputs(_ first: Int) {
        let (length, step) = (rowLength, capacity * rowLength)
        block.withUnsafeBufferPointer { block in
            driftBlock.withUnsafeMutableBufferPointer { drift in
                for start in stride(from: first, to: drift.count, by: step) {
                    for k in start..<start + length { drift[k] -= block[k] }
                }
            }
        }
    }

    /// E[x dᵀ] and E[d] over everything that came, d being the original network's inputs less x. To be called before `finish`.
    public mutating func finishDrift() throws(QuantizationError) -> InputDrift {
        guard sample.taken > 0, !driftSums.isEmpty else {
            throw QuantizationError("layer `\(layer.name)`: no inputs to measure a drift with")
        }
        if keepsPatches { try addDrift() } else { try flush() }
        let inverse = 1 / Float(sample.taken)
        let drift = InputDrift(
            groups: groups, rowLength: rowLength, moment: driftSums.map { $0 * inverse },
            mean: driftValueSums.map { Float($0 / Double(sample.taken)) })
        (driftBlock, driftSums) = ([], [])
        return drift
    }

    private mutating func addDrift() throws(QuantizationError) {
        guard !driftSums.isEmpty, filled > 0 else { return }
        let size = BlockSize(groups: groups, capacity: capacity, rowLength: rowLength, filled: filled)
        size.addValues(of: driftBlock, to: &driftValueSums)
        do {
            try size.addProducts(of: block, driftBlock, to: &driftSums, multiply)
        } catch {
            throw QuantizationError("layer `\(layer.name)`: \(error)", kind: .computation)
        }
    }

    /// H over everything that came.
    /// - Throws: `QuantizationError` if nothing came, or a number is not finite.
    public mutating func finish() throws(QuantizationError) -> SecondMoment {
        guard sample.taken > 0 else { throw QuantizationError("layer `\(layer.name)`: no inputs to calibrate with") }
        do {
            if keepsPatches {
                dropUnfilled()
                return try SecondMoment(groups: groups, rowLength: rowLength, patches: block, count: filled)
            }
            try flush()
            let inverse = 1 / Float(sample.taken)
            for i in sums.indices { sums[i] *= inverse }
            let mean = valueSums.map { Float($0 / Double(sample.taken)) }
            return try SecondMoment(groups: groups, rowLength: rowLength, matrices: sums, mean: mean)
        } catch {
            throw QuantizationError("layer `\(layer.name)`: \(error)", kind: error.kind)
        }
    }

    /// Fewer inputs than expected came: closes the gaps between the groups.
    private mutating func dropUnfilled() {
        guard filled < capacity else { return }
        var kept: [Float] = []
        kept.reserveCapacity(groups * filled * rowLength)
        for group in 0..<groups {
            let start = group * capacity * rowLength
            kept += block[start..<start + filled * rowLength]
        }
        block = kept
    }

    /// sums += Xᵀ X of the block, group by group.
    private mutating func flush() throws(QuantizationError) {
        guard filled > 0, !keepsPatches else { return }
        try addDrift()
        let size = BlockSize(groups: groups, capacity: capacity, rowLength: rowLength, filled: filled)
        size.addValues(of: block, to: &valueSums)
        do {
            try size.addProducts(of: block, block, to: &sums, multiply)
        } catch {
            throw QuantizationError("layer `\(layer.name)`: \(error)", kind: .computation)
        }
        filled = 0
    }
}

/// How a block of patches is stored, [groups, capacity, K], and how many there are.
private struct BlockSize {
    let groups: Int
    let capacity: Int
    let rowLength: Int
    let filled: Int

    /// sums += Σ x.
    func addValues(of block: [Float], to sums: inout [Double]) {
        block.withUnsafeBufferPointer { block in
            sums.withUnsafeMutableBufferPointer { sums in
                for group in 0..<groups {
                    for patch in 0..<filled {
                        let first = (group * capacity + patch) * rowLength
                        for k in 0..<rowLength { sums[group * rowLength + k] += Double(block[first + k]) }
                    }
                }
            }
        }
    }

    /// sums += Xᵀ Y of two blocks, group by group.
    func addProducts(of x: [Float], _ y: [Float], to sums: inout [Float], _ multiply: MatrixMultiply) throws {
        let step = capacity * rowLength
        try x.withUnsafeBufferPointer { x in
            try y.withUnsafeBufferPointer { y in
                try sums.withUnsafeMutableBufferPointer { sums in
                    guard let x = x.baseAddress, let y = y.baseAddress, let h = sums.baseAddress else { return }
                    for group in 0..<groups {
                        try multiply(
                            MatrixProduct(
                                transposeA: true, m: rowLength, n: rowLength, k: filled, a: x + group * step, b: y + group * step,
                                c: h + group * rowLength * rowLength, accumulates: true))
                    }
                }
            }
        }
    }
}

extension PatchGeometry {
    /// Writes a position's patches of all groups, the first at `first`, each `step` after the one before.
    fileprivate func copyPatches(
        position: Int, from input: UnsafeBufferPointer<Float>, to block: inout [Float], first: Int, step: Int
    ) {
        let length = rowLength
        block.withUnsafeMutableBufferPointer { block in
            for group in 0..<group {
                let start = group * step + first
                copyPatch(
                    position: position, group: group, from: input,
                    to: UnsafeMutableBufferPointer(rebasing: block[start..<start + length]))
            }
        }
    }
}
