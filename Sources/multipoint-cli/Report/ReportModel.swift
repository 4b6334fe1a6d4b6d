import Glibc
import MultipointFormat
import MultipointGraph

/// What a report tells about a layer.
struct ReportedLayer {
    var summary: LayerSummary
    /// Bits per weight of the codes alone; nil in float.
    var codeBits: Double?
    /// Output error with nearest rounding at as many bits per weight as the layer's codes have, interpolated between widths.
    var nearestError: Double?
    /// Of the record: relative output errors at widths.
    var nearestCurve: [ChartPoint] = []
    var roundedCurve: [ChartPoint] = []
    var truncations: [Truncation] = []
    /// ŵ, or the weights of a float layer; nil where all are 0.
    var histogram: WeightHistogram?
    var originalHistogram: WeightHistogram?
    /// ‖ŵ − w‖² / ‖w‖², where the original is known.
    var weightError: Double?

    /// - Parameter original: the layer before it was packed.
    init(_ layer: Layer, _ file: PackedFile, original: [Float]?) {
        summary = LayerSummary(layer, relativeOutputError: file.relativeOutputErrors[layer.name])
        var weights: [Float]
        switch layer.weights {
        case .float(let values): weights = values
        case .packed(let packed):
            codeBits = packed.codeBitsPerWeight
            truncations = Truncation.all(packed, original: original)
            weights = packed.reconstruction()
            if let record = file.record, let errors = record.layers[layer.name] {
                nearestCurve = zip(record.nearestBits, errors.nearest).map { ChartPoint(x: Double($0), y: Double($1)) }
                roundedCurve = zip(record.roundedBits, errors.rounded).map { ChartPoint(x: Double($0), y: Double($1)) }
                nearestError = interpolated(nearestCurve, at: packed.codeBitsPerWeight)
            }
            if original != nil { weightError = truncations.last?.relativeError }
        }
        let limit = max(WeightHistogram.limit(weights), WeightHistogram.limit(original ?? []))
        guard limit > 0, limit.isFinite else { return }
        histogram = WeightHistogram(weights, limit: limit)
        originalHistogram = original.map { WeightHistogram($0, limit: limit) }
    }
}

/// Errors fall about geometrically with the width: between two widths their logarithm is taken to be straight. Nil beyond the widths.
private func interpolated(_ curve: [ChartPoint], at bits: Double) -> Double? {
    let sorted = curve.filter { $0.y > 0 }.sorted { $0.x < $1.x }
    for (low, high) in zip(sorted, sorted.dropFirst()) where low.x <= bits && bits <= high.x && high.x > low.x {
        let t = (bits - low.x) / (high.x - low.x)
        return exp(log(low.y) * (1 - t) + log(high.y) * t)
    }
    return nil
}

/// What a report tells about a file.
struct ReportModel {
    var summary: ModelSummary
    var method: String?
    var size: SizeSplit
    var layers: [ReportedLayer]
    var hasOriginal: Bool

    /// - Parameter original: the float network that was packed.
    /// - Throws: `CommandError` if none of the file's layers is one of the original's.
    init(_ file: PackedFile, path: String, byteCount: Int, original: Network?, originalPath: String) throws(CommandError) {
        summary = ModelSummary(file, path: path, byteCount: byteCount)
        method = file.record?.method
        size = SizeSplit(file, fileBytes: byteCount)
        var found = 0
        layers = file.layers.map { layer in
            var weights: [Float]?
            if let other = original?.layers[layer.name], other.shape == layer.shape, case .float(let values) = other.weights {
                weights = values
                found += 1
            }
            return ReportedLayer(layer, file, original: weights)
        }
        hasOriginal = found > 0
        if original != nil, found == 0 {
            throw CommandError("`\(originalPath)`: none of its layers has name and shape of one in `\(path)`")
        }
    }

    /// Mean over layers of their relative errors at every width that all of them know.
    func meanCurve(_ curve: KeyPath<ReportedLayer, [ChartPoint]>) -> [ChartPoint] {
        let known = layers.map { $0[keyPath: curve] }.filter { !$0.isEmpty }
        guard let first = known.first else { return [] }
        return first.indices.compactMap { index in
            guard known.allSatisfy({ $0.count == first.count && $0[index].x == first[index].x }) else { return nil }
            return ChartPoint(x: first[index].x, y: known.reduce(0) { $0 + $1[index].y } / Double(known.count))
        }
    }

    /// The file itself among the curves: bits per packed weight of the codes alone, and the mean of the relative output errors.
    var filePoint: ChartPoint? {
        var (bits, weights, errors) = (0.0, 0.0, [Double]())
        for layer in layers {
            guard let codeBits = layer.codeBits, let error = layer.summary.relativeOutputError else { continue }
            bits += codeBits * Double(layer.summary.weights)
            weights += Double(layer.summary.weights)
            errors.append(error)
        }
        return weights > 0 ? ChartPoint(x: bits / weights, y: errors.reduce(0, +) / Double(errors.count)) : nil
    }

    /// All packed layers with at most 1, 2, … points per channel: bits per packed weight, and the mean of the relative weight errors.
    var truncationCurve: [ChartPoint] {
        let packed = layers.filter { !$0.truncations.isEmpty }
        let most = packed.map(\.truncations.count).max() ?? 0
        guard most > 1 else { return [] }
        let weights = packed.reduce(0) { $0 + $1.summary.weights }
        return (0..<most).map { index in
            let (bits, error) = packed.reduce((0.0, 0.0)) { sum, layer in
                let entry = layer.truncations[min(index, layer.truncations.count - 1)]
                return (sum.0 + entry.bitsPerWeight * Double(layer.summary.weights), sum.1 + entry.relativeError)
            }
            return ChartPoint(x: bits / Double(max(1, weights)), y: error / Double(packed.count))
        }
    }
}
