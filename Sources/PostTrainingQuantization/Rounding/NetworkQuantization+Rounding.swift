import MultipointGraph
import MultipointQuantization

/// The methods with output-aware rounding: a layer is first rounded at every width that it may get, then widths are chosen, then the
/// layers are rounded once more in the order of the network.
extension NetworkQuantization {
    /// Nil for the methods that round otherwise.
    func roundedLayer(_ layer: Layer, _ moment: SecondMoment) throws(QuantizationError) -> RoundedLayer? {
        switch options.method {
        case .greedy, .nearest, .subset: return nil
        case .single(let bits):
            return try RoundedLayer(layer, moment, .ladder(.odd), widths: [bits], linearAlgebra, threads: threads)
        case .ladder(let budget):
            guard options.foldsLadder else {
                let widths = RoundedLayer.widths.filter { $0 == 0 || FreePoints.widths.contains($0) }
                return try RoundedLayer(layer, moment, .free, widths: widths, linearAlgebra, threads: threads)
            }
            return try LadderChoice(
                layer: layer, moment: moment, algebra: linearAlgebra, threads: threads, meanBits: meanBits(budget)
            ).best(options.ladderFamily)
        }
    }

    /// What a budget comes to in bits per weight.
    private func meanBits(_ budget: QuantizationOptions.Budget) -> Double {
        switch budget {
        case .bitsPerWeight(let bits): return bits
        case .bytes(let bytes):
            let weights = names.reduce(0) { $0 + (network.layers[$1].map { $0.channels * $0.rowLength } ?? 0) }
            return weights > 0 ? Double(bytes) * 8 / Double(weights) : 0
        case .drop: return 4
        }
    }

    /// Chooses a width for every channel of the rounded layers, and packs them.
    mutating func packRounded(_ progress: (QuantizationStage, Double) -> Bool) throws {
        switch options.method {
        case .greedy, .nearest, .subset: return
        case .single(let bits):
            let widths = rounded.mapValues { [Int](repeating: bits, count: $0.channels) }
            try pack(widths, outputSensitivity(), progress)
        case .ladder(let budget):
            let sensitivity = try outputSensitivity()
            let allocation = try LayerAllocation(
                network, names: uses.order.filter(names.contains), layers: rounded, sensitivity: sensitivity, meanBits: meanBits(budget)
            ) { progress(.probing, $0) }
            switch budget {
            case .drop(let drop): try pack(within: drop, allocation, sensitivity, progress)
            case .bitsPerWeight(let bits):
                try pack(allocation.widths(within: Int(bits * Double(allocation.weightCount) / 8)), sensitivity, progress)
            case .bytes(let bytes): try pack(allocation.widths(within: bytes), sensitivity, progress)
            }
        }
    }

    /// On as many samples as take a bearable time: a network is run again for every layer, more than once.
    private func outputSensitivity() throws -> OutputSensitivity<Inputs> {
        let run = CalibrationRun(network: network, shapes: shapes, uses: uses, threads: threads)
        let operations = try names.reduce(1.0) { sum, name in
            guard let layer = network.layers[name] else { return sum }
            return sum + Double(try run.positions(layer, samples: 1)) * Double(layer.channels) * Double(layer.rowLength)
        }
        let runs = operations * Double(names.count * LayerAllocation<Inputs>.rounds)
        let bearable = Int(min(max(2e12 / runs, 16), 1e6))
        return try OutputSensitivity(
            network, calibration, maximumSamples: min(options.maximumProbes, bearable), threads: threads)
    }

    /// Packs with these widths.
    private mutating func pack(
        _ widths: [String: [Int]], _ sensitivity: OutputSensitivity<Inputs>, _ progress: (QuantizationStage, Double) -> Bool
    ) throws {
        var layers = rounded
        if options.sequence != .never {
            let inOrder = try roundedInOrder(widths) { progress(.rounding, $0) }
            // Sequential rounding fits the very samples that it is judged with.
            let isBetter = try options.sequence == .always
                || sensitivity.change(to: applied(inOrder, widths)) < 0.98 * sensitivity.change(to: applied(rounded, widths))
            if isBetter { layers = inOrder }
        }
        try pack(layers, widths)
    }

    private mutating func pack(_ layers: [String: RoundedLayer], _ widths: [String: [Int]]) throws(QuantizationError) {
        for (name, layer) in layers {
            do {
                packings[name] = try layer.packing(widths[name] ?? [])
                biases[name] = network.layers[name].map { layer.bias($0, widths[name] ?? []) }
            } catch {
                throw QuantizationError("layer `\(name)`: \(error)", kind: error.kind)
            }
        }
    }

    /// The float network with rounded weights.
    private func applied(_ layers: [String: RoundedLayer], _ widths: [String: [Int]]) -> Network {
        var result = network
        for (name, layer) in layers {
            if let original = network.layers[name], let bits = widths[name] { result.layers[name] = layer.applied(to: original, bits) }
        }
        return result
    }

    /// Rounds the layers once more, now with the inputs that the rounded layers before them give.
    private func roundedInOrder(_ widths: [String: [Int]], _ progress: (Double) -> Bool) throws -> [String: RoundedLayer] {
        var (current, result) = (network, rounded)
        let samples = try SegmentedRun.samples(
            of: network, count: calibration.sampleCount, maximum: .max, bytes: options.momentBytes, copies: 2)
        var run = try SegmentedRun(network, calibration, samples: samples, threads: threads)
        var originalRun = run
        let firstUses = network.firstUses
        for (index, name) in uses.order.enumerated() {
            guard let layer = network.layers[name], let bits = widths[name], let first = rounded[name], let node = firstUses[name]
            else { continue }
            // What several nodes share has further inputs, which are not known yet.
            if uses.inputs[name]?.count == 1, layer.rowLength <= OutputAwareRounding.longestWhole {
                let inputs = try run.advance(to: node, in: current)
                let originalInputs = try originalRun.advance(to: node, in: network)
                result[name] = try rounded(layer, bits, first.points, inputs: inputs, original: originalInputs, run.batches.map(\.count))
            }
            current.layers[name] = result[name]?.applied(to: layer, bits)
            guard progress(Double(index + 1) / Double(uses.order.count)) else { throw QuantizationError.cancelled }
        }
        return result
    }

    /// - Parameter inputs: for every batch the values that nodes from the layer's on read.
    private func rounded(
        _ layer: Layer, _ bits: [Int], _ points: RoundedLayer.Points, inputs: [[String: [Float]]], original: [[String: [Float]]],
        _ counts: [Int]
    ) throws -> RoundedLayer {
        guard let value = uses.inputs[layer.name]?.first else {
            throw QuantizationError("layer `\(layer.name)`: no node uses it", kind: .computation)
        }
        let run = CalibrationRun(network: network, shapes: shapes, uses: uses, threads: threads)
        var accumulator = try SecondMomentAccumulator(
            layer: layer, expectedPositions: run.positions(layer, samples: counts.reduce(0, +)), maximumPatches: options.maximumPatches,
            measuresDrift: true, matrixMultiply: multiply)
        for ((inputs, original), count) in zip(zip(inputs, original), counts) {
            guard let x = inputs[value], let other = original[value] else { continue }
            let shape = try network.hasFixedBatch ? shapes[value] : network.shapes(batch: count)[value]
            try x.withUnsafeBufferPointer { x in
                try other.withUnsafeBufferPointer { try accumulator.add(x, original: $0, shape: shape ?? []) }
            }
        }
        let drift = try accumulator.finishDrift()
        return try RoundedLayer(layer, used(accumulator.finish()), drift: drift, points, bits: bits, linearAlgebra, threads: threads)
    }
}

/// The least budget for a permitted drop in agreement.
extension NetworkQuantization {
    /// In bits per weight.
    private static var leastBudget: Double { 2 }
    private static var budgetStep: Double { 0.125 }

    private mutating func pack(
        within drop: Double, _ allocation: LayerAllocation<Inputs>, _ sensitivity: OutputSensitivity<Inputs>,
        _ progress: (QuantizationStage, Double) -> Bool
    ) throws {
        let agreement = try OutputAgreement(network, calibration, threads: threads)
        func widths(_ step: Int) throws -> [String: [Int]] {
            let bits = Self.leastBudget + Double(step) * Self.budgetStep
            return try allocation.widths(within: Int(bits * Double(allocation.weightCount) / 8), orLeast: true)
        }
        let most = Double(allocation.largestByteCount) * 8 / Double(max(1, allocation.weightCount))
        let last = Int(max(0, (most - Self.leastBudget) / Self.budgetStep) + 1)
        // Agreement is nearly monotonous in the bits, so halving finds about the least budget that keeps it.
        var (low, high) = (0, last)
        while low < high {
            let middle = (low + high) / 2
            let chosen = try widths(middle)
            try pack(rounded, chosen)
            if try agreement.measure(result().network) >= 1 - drop { high = middle } else { low = middle + 1 }
            guard progress(.searching, 1 - Double(high - low) / Double(last)) else { throw QuantizationError.cancelled }
        }
        // The layers as they will be may still do worse than those that were looked at.
        var best = 0.0
        for step in low...last {
            try pack(widths(step), sensitivity, progress)
            let found = try agreement.measure(result { progress(.correctingBiases, $0) }.network)
            if found >= 1 - drop { return }
            best = max(best, found)
        }
        throw QuantizationError(
            "drop: agreement of at least \(1 - drop) with the float network asked for, found \(best) with \(most) bits per weight")
    }
}
