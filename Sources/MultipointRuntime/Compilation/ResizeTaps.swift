import Glibc
import MultipointGraph

/// Along one axis, the terms of every output sample: which input samples, with which weights.
///
/// Computed as ONNX's reference does (Resize-19, `reference/ops/op_resize.py`): in double precision, samples beyond the border repeat the
/// outermost ones, or count nothing where `excludesOutside`.
struct ResizeTaps: Equatable, Sendable {
    let sourceCount: Int
    let destinationCount: Int
    /// Terms of each sum.
    let count: Int
    /// [destinationCount, count]
    let indices: [Int32]
    let weights: [Float]

    /// - Parameter number: of the axis among those that `resize` names.
    init(_ resize: Resize, axis number: Int, sourceCount: Int) {
        let coordinates = ResizeCoordinates(resize, axis: number, sourceCount: sourceCount)
        let size = resize.sizes[number]
        // A filter far wider than the input is a mean of all of it.
        let widening = resize.antialiases ? max(1, min(1 / Double(resize.scales[number]), 4 * Double(sourceCount))) : 1
        // Twice, so that no more is held than the tables: first how many terms there are.
        var terms: [(index: Int, weight: Double)] = [], most = 1
        for place in 0..<size {
            ResizeTaps.find(&terms, at: coordinates.exact(place), resize, widening: widening, size: sourceCount)
            most = max(most, terms.count)
        }
        var indices: [Int32] = [], weights: [Float] = []
        indices.reserveCapacity(size * most)
        weights.reserveCapacity(size * most)
        for place in 0..<size {
            ResizeTaps.find(&terms, at: coordinates.exact(place), resize, widening: widening, size: sourceCount)
            for term in 0..<most {
                indices.append(term < terms.count ? Int32(truncatingIfNeeded: terms[term].index) : 0)
                weights.append(term < terms.count ? Float(terms[term].weight) : 0)
            }
        }
        (self.sourceCount, destinationCount, count) = (sourceCount, size, most)
        (self.indices, self.weights) = (indices, weights)
    }

    /// Input samples inside the filter's support, each once, with weights whose sum is 1.
    private static func find(
        _ terms: inout [(index: Int, weight: Double)], at x: Double, _ resize: Resize, widening: Double, size: Int
    ) {
        var radius = widening
        if case .cubic = resize.mode { radius = 2 * widening }
        terms.removeAll(keepingCapacity: true)
        for position in Int((x - radius).rounded(.up))...max(Int((x - radius).rounded(.up)), Int((x + radius).rounded(.down))) {
            if resize.excludesOutside, !(0..<size).contains(position) { continue }
            let index = max(0, min(size - 1, position)), weight = filter(resize.mode, (Double(position) - x) / widening)
            // Positions ascend: those that repeat a sample follow each other.
            if terms.last?.index == index { terms[terms.count - 1].weight += weight } else { terms.append((index, weight)) }
        }
        let total = terms.reduce(0) { $0 + $1.weight }
        let nearest = max(0, min(size - 1, Int(x.rounded())))
        guard total.isFinite, abs(total) > 1e-12 else { return terms = [(nearest, 1)] }
        terms.removeAll { $0.weight == 0 }
        for index in terms.indices { terms[index].weight /= total }
    }

    private static func filter(_ mode: Resize.Mode, _ offset: Double) -> Double {
        let x = abs(offset)
        guard case .cubic(let coefficient) = mode else { return max(0, 1 - x) }
        let a = Double(coefficient)
        if x <= 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
        return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0
    }
}

/// Where output samples of one axis lie in the input.
struct ResizeCoordinates {
    private let coordinates: Resize.Coordinates
    private let sourceCount: Int
    private let size: Int
    private let scale: Float

    init(_ resize: Resize, axis number: Int, sourceCount: Int) {
        coordinates = resize.coordinates
        self.sourceCount = sourceCount
        size = resize.sizes[number]
        scale = resize.scales[number]
    }

    /// Far outside of the input all positions are alike, so that none is too large for an integer.
    func exact(_ place: Int) -> Double {
        let x = position(Double(place), Double(scale))
        return x.isFinite ? max(-1e9, min(4e9, x)) : 0
    }

    /// The neighbour that `nearest` takes. In single precision, as ONNX Runtime computes it: where a position lies halfway, the last bit decides.
    func nearest(_ place: Int, _ rounding: Resize.Rounding) -> Int {
        let x = position(Float(place), scale)
        let nearest =
            switch rounding {
            case .floor: x.rounded(.down)
            case .ceil: x.rounded(.up)
            case .roundPreferFloor: (x - 0.5).rounded(.up)
            case .roundPreferCeil: (x + 0.5).rounded(.down)
            }
        guard nearest > 0 else { return 0 }
        return nearest < Float(sourceCount) ? min(sourceCount - 1, Int(nearest)) : sourceCount - 1
    }

    private func position<Number: BinaryFloatingPoint>(_ place: Number, _ scale: Number) -> Number {
        let (from, to) = (Number(sourceCount), Number(size))
        switch coordinates {
        case .halfPixel: return (place + 0.5) / scale - 0.5
        case .halfPixelSymmetric:
            // The middle stays the middle where the size is not exactly the scaled one.
            let adjustment = to / (scale * from)
            return from / 2 * (1 - adjustment) + (place + 0.5) / scale - 0.5
        case .pytorchHalfPixel: return size > 1 ? (place + 0.5) / scale - 0.5 : 0
        case .alignCorners: return size > 1 ? place * (from - 1) / (to - 1) : 0
        case .asymmetric: return place / scale
        }
    }
}
