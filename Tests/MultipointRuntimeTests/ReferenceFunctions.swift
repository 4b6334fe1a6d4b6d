import Foundation
import MultipointGraph

/// ONNX's formulas in double precision.
extension Elementwise {
    func exact(_ x: Double) -> Double {
        func sigmoid(_ x: Double) -> Double { 1 / (1 + Foundation.exp(-x)) }
        switch self {
        case .abs: return Swift.abs(x)
        case .ceil: return x.rounded(.up)
        case .clip(let minimum, let maximum): return min(max(x, Double(minimum)), Double(maximum))
        case .cos: return Foundation.cos(x)
        case .elu(let alpha): return x < 0 ? Double(alpha) * (Foundation.exp(x) - 1) : x
        case .erf: return Foundation.erf(x)
        case .exp: return Foundation.exp(x)
        case .floor: return x.rounded(.down)
        case .gelu: return x * 0.5 * (1 + Foundation.erf(x / 2.0.squareRoot()))
        case .geluTanh: return 0.5 * x * (1 + Foundation.tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * Foundation.pow(x, 3))))
        case .hardSigmoid(let alpha, let beta): return max(0, min(1, Double(alpha) * x + Double(beta)))
        case .hardSwish: return x * max(0, min(6, x + 3)) / 6
        case .leakyRelu(let alpha): return x < 0 ? Double(alpha) * x : x
        case .log: return Foundation.log(x)
        case .mish: return x * Foundation.tanh(Foundation.log(1 + Foundation.exp(x)))
        case .neg: return -x
        case .pow(let exponent): return Foundation.pow(x, Double(exponent))
        case .reciprocal: return 1 / x
        case .relu: return max(x, 0)
        case .round: return x.rounded(.toNearestOrEven)
        case .selu(let alpha, let gamma): return Double(gamma) * (x > 0 ? x : Double(alpha) * Foundation.exp(x) - Double(alpha))
        case .sigmoid: return sigmoid(x)
        case .sign: return x > 0 ? 1 : x < 0 ? -1 : 0
        case .sin: return Foundation.sin(x)
        case .softplus: return x > 30 ? x : Foundation.log(Foundation.exp(x) + 1)
        case .softsign: return x / (1 + Swift.abs(x))
        case .sqrt: return x.squareRoot()
        case .swish(let alpha): return x * sigmoid(Double(alpha) * x)
        case .tanh: return Foundation.tanh(x)
        case .thresholdedRelu(let alpha): return x > Double(alpha) ? x : 0
        case .truncate: return x.rounded(.towardZero)
        }
    }
}

extension Binary {
    func exact(_ a: Double, _ b: Double) -> Double {
        switch self {
        case .add: a + b
        case .subtract: a - b
        case .multiply: a * b
        case .divide: a / b
        case .minimum: min(a, b)
        case .maximum: max(a, b)
        case .power: pow(a, b)
        }
    }
}

extension Reduction {
    func exact(_ values: [Double]) -> Double {
        switch self {
        case .mean: values.reduce(0, +) / Double(values.count)
        case .sum: values.reduce(0, +)
        case .maximum: values.max() ?? 0
        case .minimum: values.min() ?? 0
        case .product: values.reduce(1, *)
        case .l1: values.reduce(0) { $0 + abs($1) }
        case .l2: values.reduce(0) { $0 + $1 * $1 }.squareRoot()
        case .sumOfSquares: values.reduce(0) { $0 + $1 * $1 }
        }
    }
}

/// ONNX's reference implementation of Resize, axis by axis, in its own terms (onnx/reference/ops/op_resize.py, version 1.17):
/// neighbours in order of distance, coefficients of the ratio, edges repeated.
struct ReferenceResize {
    let resize: Resize

    init(_ resize: Resize) { self.resize = resize }

    func value(_ input: [Double], _ shape: [Int]) -> [Double] {
        var (values, shape) = (input, shape)
        for (number, axis) in resize.axes.enumerated() {
            let inner = shape[(axis + 1)...].reduce(1, *), outer = shape[..<axis].reduce(1, *), size = resize.sizes[number]
            var result = [Double](repeating: 0, count: outer * size * inner)
            for o in 0..<outer {
                for i in 0..<inner {
                    let line = (0..<shape[axis]).map { values[(o * shape[axis] + $0) * inner + i] }
                    for place in 0..<size { result[(o * size + place) * inner + i] = interpolated(line, place, number) }
                }
            }
            values = result
            shape[axis] = size
        }
        return values
    }

    private func interpolated(_ line: [Double], _ place: Int, _ number: Int) -> Double {
        let (scale, size, from) = (Double(resize.scales[number]), Double(resize.sizes[number]), Double(line.count))
        let output = Double(place)
        var x: Double
        switch resize.coordinates {
        case .alignCorners: x = size == 1 ? 0 : output * (from - 1) / (size - 1)
        case .asymmetric: x = output / scale
        case .pytorchHalfPixel: x = size == 1 ? 0 : (output + 0.5) / scale - 0.5
        case .halfPixel: x = (output + 0.5) / scale - 0.5
        case .halfPixelSymmetric:
            let offset = from / 2 * (1 - size / (scale * from))
            x = offset + (output + 0.5) / scale - 0.5
        }
        if abs(x - x.rounded()) < 1e-6 { x = x.rounded() }
        let floor = x.rounded(.down)
        let ratio = x == floor ? 1 : x - floor
        var weights = coefficients(ratio, resize.antialiases ? min(scale, 1) : 1)
        let neighbours = nearest(x, weights.count)
        if resize.excludesOutside {
            for (index, position) in neighbours.enumerated() where !line.indices.contains(position) { weights[index] = 0 }
            let sum = weights.reduce(0, +)
            weights = weights.map { $0 / sum }
        }
        return zip(weights, neighbours).reduce(0) { $0 + $1.0 * line[max(0, min(line.count - 1, $1.1))] }
    }

    /// The `count` integers nearest to x, the lower of two equally near ones, in ascending order.
    private func nearest(_ x: Double, _ count: Int) -> [Int] {
        let middle = Int(x.rounded(.down))
        let all = ((middle - count - 2)...(middle + count + 2)).sorted { (abs(x - Double($0)), $0) < (abs(x - Double($1)), $1) }
        return all.prefix(count).sorted()
    }

    private func coefficients(_ ratio: Double, _ scale: Double) -> [Double] {
        switch resize.mode {
        case .nearest(let rounding):
            if ratio == 1 { return [0, 1] }
            let takesLower =
                switch rounding {
                case .roundPreferFloor: ratio <= 0.5
                case .roundPreferCeil: ratio < 0.5
                case .floor: true
                case .ceil: false
                }
            return takesLower ? [1, 0] : [0, 1]
        case .linear:
            if scale == 1 { return [1 - ratio, ratio] }
            let start = Int((-1 / scale).rounded(.down)) + 1
            let weights = (start..<(2 - start)).map { max(0, 1 - abs((Double($0) - ratio) * scale)) }
            return weights.map { $0 / weights.reduce(0, +) }
        case .cubic(let coefficient):
            let a = Double(coefficient)
            func cubic(_ x: Double) -> Double {
                let x = abs(x)
                if x <= 1 { return (a + 2) * x * x * x - (a + 3) * x * x + 1 }
                return x < 2 ? a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a : 0
            }
            let start = Int((-2 / scale).rounded(.down)) + 1
            let weights = (start..<(2 - start)).map { cubic((Double($0) - ratio) * scale) }
            return scale == 1 ? weights : weights.map { $0 / weights.reduce(0, +) }
        }
    }
}
