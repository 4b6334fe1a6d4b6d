import Glibc
import NumPyArrays

/// How far an output of a network is from that of another one, over all images.
struct OutputDifference: Encodable, Equatable {
    var output: String
    private var signal = 0.0
    private var noise = 0.0
    private var product = 0.0
    private var power = 0.0

    init(output: String) { self.output = output }

    /// - Throws: `CommandError` if they are not of the same size.
    init(output: String, _ found: NPYArray, _ expected: NPYArray) throws(CommandError) {
        self.init(output: output)
        guard found.count == expected.count else {
            throw CommandError("output `\(output)` has shape \(sizesText(found.shape)), the first model's \(sizesText(expected.shape))")
        }
        add(found.floats, expected.floats)
    }

    mutating func add(_ found: some Sequence<Float>, _ expected: some Sequence<Float>) {
        for (found, expected) in zip(found, expected) {
            let (x, y) = (Double(found), Double(expected))
            signal += y * y
            noise += (x - y) * (x - y)
            product += x * y
            power += x * x
        }
    }

    var isEqual: Bool { noise == 0 }

    /// 10 log₁₀(Σ y² / Σ (x − y)²), in decibels; nil where that is no finite number.
    var signalToNoise: Double? {
        let decibels = 10 * log10(signal / noise)
        return decibels.isFinite ? decibels : nil
    }

    /// Σ x y / √(Σ x² Σ y²); nil if one of them is zero.
    var cosine: Double? {
        let cosine = product / (signal * power).squareRoot()
        return cosine.isFinite ? cosine : nil
    }

    /// "23.1 dB", "equal", or a dash.
    var decibelText: String { signalToNoise.map { decimal($0, digits: 1) + " dB" } ?? (isEqual ? "equal" : "–") }

    private enum CodingKeys: String, CodingKey { case output, isEqual, signalToNoise, cosine }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(output, forKey: .output)
        try container.encode(isEqual, forKey: .isEqual)
        try container.encodeIfPresent(signalToNoise, forKey: .signalToNoise)
        try container.encodeIfPresent(cosine, forKey: .cosine)
    }
}
