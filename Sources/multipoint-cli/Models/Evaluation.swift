import Glibc
import MultipointGraph
import NumPyArrays

/// The class of every image.
struct Labels {
    let path: String
    let values: [Int]

    init(path: String) throws { try self.init(path: path, NPYArray(path: path)) }

    init(path: String, _ array: NPYArray) throws(CommandError) {
        self.path = path
        guard array.shape.count == 1 else {
            throw CommandError("`\(path)`: shape \(sizesText(array.shape)); one class number per image expected")
        }
        switch array.elements {
        case .uint8(let labels): values = labels.map { Int($0) }
        case .int32(let labels): values = labels.map { Int($0) }
        case .int64(let labels): values = labels.map { Int($0) }
        case .float32: throw CommandError("`\(path)`: float32; class numbers of type int64, int32 or uint8 expected")
        }
    }
}

/// A classifier's output: [count, classes].
struct Logits {
    let count: Int
    let classes: Int
    private let values: [Float]

    init(_ output: NPYArray?, model: String) throws(CommandError) {
        guard let output, case .float32(let values) = output.elements, output.shape.count >= 2, let count = output.shape.first,
            count > 0, values.count > 0, values.count % count == 0
        else {
            throw CommandError(
                "`\(model)`: its first output has shape \(sizesText(output?.shape ?? [])); images × classes expected")
        }
        (self.count, classes, self.values) = (count, values.count / count, values)
    }

    subscript(image: Int) -> ArraySlice<Float> { values[image * classes..<(image + 1) * classes] }

    /// The class with the largest value, the first of equals; nil where all are NaN.
    func best(_ image: Int) -> Int? {
        self[image].enumerated().filter { !$0.element.isNaN }.max { $0.element < $1.element }?.offset
    }

    /// How many images have the same best class as another model finds.
    func agreeing(_ other: Logits) -> Int {
        (0..<count).count { image in best(image).map { $0 == other.best(image) } ?? false }
    }

    /// How many classes come before `label`: those with larger values and, of equal ones, the earlier. NaN comes last.
    func rank(of label: Int, _ image: Int) -> Int {
        let row = self[image]
        let own = row[row.startIndex + label]
        guard !own.isNaN else { return classes }
        return row.enumerated().count { $0.element > own || ($0.element == own && $0.offset < label) }
    }

    /// 10 log₁₀(Σ reference² / Σ (self − reference)²) over all images; infinite where they are equal.
    func signalToNoise(_ reference: Logits) -> Double {
        var (signal, noise) = (0.0, 0.0)
        for (value, expected) in zip(values, reference.values) {
            signal += Double(expected) * Double(expected)
            noise += (Double(value) - Double(expected)) * (Double(value) - Double(expected))
        }
        return noise == 0 ? .infinity : 10 * log10(signal / noise)
    }
}

/// One model on all images. Fractions are from 0 to 1.
struct EvaluationResult: Encodable, Equatable {
    var model: String
    var images: Int
    /// Nil without labels.
    var top1: Double?
    /// Nil with five classes or fewer.
    var top5: Double?
    /// Compared with the first model: images with the same best class, whether all logits are equal, and their distance in
    /// decibels (nil where it is no finite number).
    var agreement: Double?
    var equalsFirst: Bool?
    var signalToNoise: Double?
    var millisecondsPerImage: Double
    /// Without labels: every output's distance from the first model's; empty for the first model itself.
    var outputs: [OutputDifference]?

    /// Without labels.
    init(
        model: String, _ outputs: [(name: String, array: NPYArray)], images: Int, reference: [NPYArray]?, milliseconds: Double
    ) throws(CommandError) {
        self.model = model
        self.images = images
        millisecondsPerImage = milliseconds
        guard let reference else {
            self.outputs = []
            return
        }
        guard reference.count == outputs.count else {
            throw CommandError("`\(model)` has \(outputs.count) outputs, the first model \(reference.count)")
        }
        var differences: [OutputDifference] = []
        for (output, expected) in zip(outputs, reference) {
            differences.append(try OutputDifference(output: output.name, output.array, expected))
        }
        self.outputs = differences
    }

    init(model: String, _ logits: Logits, _ labels: Labels, reference: Logits?, milliseconds: Double) throws(CommandError) {
        guard labels.values.count == logits.count else {
            throw CommandError("`\(labels.path)`: \(labels.values.count) labels for \(logits.count) images")
        }
        if let image = labels.values.firstIndex(where: { !(0..<logits.classes).contains($0) }) {
            throw CommandError(
                "`\(labels.path)`: label \(image) is \(labels.values[image]); `\(model)` tells 0 to \(logits.classes - 1) apart")
        }
        self.model = model
        images = logits.count
        millisecondsPerImage = milliseconds
        let ranks = labels.values.enumerated().map { logits.rank(of: $0.element, $0.offset) }
        let count = Double(logits.count)
        top1 = Double(ranks.count { $0 < 1 }) / count
        top5 = logits.classes > 5 ? Double(ranks.count { $0 < 5 }) / count : nil
        guard let reference else { return }
        guard reference.classes == logits.classes, reference.count == logits.count else {
            throw CommandError("`\(model)` has \(logits.classes) outputs per image, the first model \(reference.classes)")
        }
        agreement = Double(logits.agreeing(reference)) / count
        let decibels = logits.signalToNoise(reference)
        equalsFirst = decibels == .infinity
        signalToNoise = decibels.isFinite ? decibels : nil
    }
}

extension [EvaluationResult] {
    var text: String { contains { $0.outputs != nil } ? outputText : classText }

    private var outputText: String {
        var table = TextTable([
            .left("model"), .right("images"), .right("ms/image"), .left("output"), .right("cosine"), .right("SNR"),
        ])
        for result in self {
            let own = [result.model, "\(result.images)", decimal(result.millisecondsPerImage, digits: 3)]
            let outputs = result.outputs ?? []
            if outputs.isEmpty { table.add(own + ["–", "–", "–"]) }
            for (index, output) in outputs.enumerated() {
                table.add(
                    (index == 0 ? own : ["", "", ""])
                        + [output.output, output.cosine.map { decimal($0, digits: 5) } ?? "–", output.decibelText])
            }
        }
        return table.text
    }

    private var classText: String {
        var table = TextTable([
            .left("model"), .right("images"), .right("top-1"), .right("top-5"), .right("agreement"), .right("SNR"),
            .right("ms/image"),
        ])
        func percent(_ value: Double?) -> String { value.map { decimal($0 * 100, digits: 2) + " %" } ?? "–" }
        for result in self {
            let decibels =
                result.signalToNoise.map { decimal($0, digits: 1) + " dB" } ?? (result.equalsFirst == true ? "equal" : "–")
            table.add([
                result.model, "\(result.images)", percent(result.top1), percent(result.top5), percent(result.agreement), decibels,
                decimal(result.millisecondsPerImage, digits: 3),
            ])
        }
        return table.text
    }
}
