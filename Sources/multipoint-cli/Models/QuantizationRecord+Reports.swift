import MultipointFormat
import PostTrainingQuantization

extension QuantizationRecord {
    /// Nil where no layer was measured.
    init?(_ method: QuantizationOptions.Method, _ reports: [LayerReport]) {
        let measured = reports.compactMap { report in
            report.curves.flatMap { $0.nearest.isEmpty ? nil : (name: report.name, curves: $0) }
        }
        guard let first = measured.first?.curves else { return nil }
        // Layers may have widths of their own; what all of them have can be compared.
        let common = first.rounded.map(\.bits).filter { bits in
            bits > 0 && measured.allSatisfy { $0.curves.rounded.contains { $0.bits == bits } }
        }
        self.init(
            method: method.text, nearestBits: first.nearest.map(\.bits), roundedBits: common,
            layers: Dictionary(
                measured.map { name, curves in
                    (name, LayerErrors(
                        nearest: curves.nearest.map(\.relativeError),
                        rounded: curves.rounded.filter { common.contains($0.bits) }.map(\.relativeError)))
                },
                uniquingKeysWith: { first, _ in first }))
    }
}

extension QuantizationOptions.Method {
    /// For people.
    var text: String {
        switch self {
        case .greedy: "greedy points"
        case .ladder(.bitsPerWeight(let bits)): "ladder, \(bits) bits per weight"
        case .ladder(.bytes(let bytes)): "ladder, \(bytes) bytes"
        case .ladder(.drop(let drop)): "ladder, agreement within \(drop) of 1"
        case .single(let bits): "single \(bits)-bit points"
        case .nearest(let bits, .maximum, _): "nearest rounding to \(bits) bits, largest weight kept"
        case .nearest(let bits, .meanSquaredError, _): "nearest rounding to \(bits) bits, best scales"
        case .subset(let bits, _): "subsets of \(bits) bits"
        }
    }
}
