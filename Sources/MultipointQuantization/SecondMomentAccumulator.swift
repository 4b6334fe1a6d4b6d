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

    private var groups: Int { layer.group }
    private var rowLength: Int { layer.rowLength }

    /// - Parameters:
    ///   - layer: has passed `Layer.validate`; only its shape matters.
    ///   - expectedPositions: output positions in all inputs that will come. They are sampled evenly.
    ///   - maximumPatches: how many positions enter H at most.
    /// - Throws: `QuantizationError` if the matrices are beyond all memory.
    public init(
        layer: Layer, expectedPositions: Int, maximumPatches: Int = 16_384, matrixMultiply: @escaping MatrixMultiply
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
    public mutating func add(_ activation: UnsafeBufferPointer<Float>, shape: [Int]) throws(QuantizationError) {
        let geometry = try PatchGeometry(layer, inputShape: shape)
        guard activation.count == geometry.inputCount else {
            throw QuantizationError(
                "layer `\(layer.name)`: \(geometry.inputCount) inputs expected for shape \(shape), found \(activation.count)")
        }
        for position in sample.next(geometry.positions) {
            if filled == capacity { try flush() }
            let (first, step, length) = (filled * rowLength, capacity * rowLength, rowLength)
            block.withUnsafeMutableBufferPointer { block in
                for group in 0..<geometry.group {
                    let start = group * step + first
                    geometry.copyPatch(
                        position: position, group: group, from: activation,
                        to: UnsafeMutableBufferPointer(rebasing: block[start..<start + length]))
                }
            }
            filled += 1
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
            return try SecondMoment(groups: groups, rowLength: rowLength, matrices: sums)
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
        let (groups, step, length, count, multiply) = (groups, capacity * rowLength, rowLength, filled, multiply)
        do {
            try block.withUnsafeBufferPointer { block in
                try sums.withUnsafeMutableBufferPointer { sums in
                    guard let x = block.baseAddress, let h = sums.baseAddress else { return }
                    for group in 0..<groups {
                        let first = x + group * step
                        try multiply(
                            MatrixProduct(
                                transposeA: true, m: length, n: length, k: count, a: first, b: first,
                                c: h + group * length * length, accumulates: true))
                    }
                }
            }
        } catch {
            throw QuantizationError("layer `\(layer.name)`: \(error)", kind: .computation)
        }
        filled = 0
    }
}
