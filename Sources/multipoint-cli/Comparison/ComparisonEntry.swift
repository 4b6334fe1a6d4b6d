import ArgumentParser
import MultipointQuantization
import PostTrainingQuantization

/// One method of a comparison, as `--entry` names it: METHOD[:NUMBER[:DETAIL]].
struct ComparisonEntry: Equatable {
    /// As given.
    var text: String
    /// Nil: the float network itself.
    var options: QuantizationOptions?

    static let standard = [
        "w8a8", "nearest:4:max", "nearest:4:mse", "greedy:4", "subset:4", "single:4", "ladder:4.25", "ladder:3.5", "ladder:3.0",
        "ladder:2.5",
    ]

    /// - Throws: `ValidationError` that says what is possible.
    init(_ text: String) throws {
        self.text = text
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let form = parts.first.flatMap { name in EntryForm.all.first { $0.name == name.lowercased() } }
        guard let form else {
            throw ValidationError("no method is called `\(parts.first ?? "")`; \(EntryForm.list) expected")
        }
        guard parts.count <= form.maximumParts, parts.count >= form.minimumParts else {
            throw ValidationError("`\(text)`: \(form.usage) expected, such as \(form.example)")
        }
        guard var options = try form.options(parts.dropFirst().map { $0.lowercased() }) else {
            throw ValidationError("`\(text)`: \(form.usage) expected, such as \(form.example)")
        }
        do { try options.validate() } catch { throw ValidationError("`\(text)`: \(error.description)") }
        if options.keepsFloat {
            self.options = nil
        } else {
            options.measuresCurves = false
            self.options = options
        }
    }
}

/// What a method takes after its name.
private struct EntryForm: Sendable {
    var name: String
    var usage: String
    var example: String
    var minimumParts: Int
    var maximumParts: Int
    /// From the parts after the name; nil if one of them makes no sense.
    var options: @Sendable ([String]) throws -> QuantizationOptions?

    static var list: String { all.map(\.usage).joined(separator: ", ") }

    static let all: [EntryForm] = [
        EntryForm(name: "float", usage: "float", example: "float", minimumParts: 1, maximumParts: 1) { _ in
            var options = QuantizationOptions()
            options.keepsFloat = true
            return options
        },
        EntryForm(name: "w8a8", usage: "w8a8", example: "w8a8", minimumParts: 1, maximumParts: 1) { _ in method(.w8a8) },
        EntryForm(
            name: "nearest", usage: "nearest:BITS[:max|mse]", example: "nearest:4:mse", minimumParts: 2, maximumParts: 3
        ) { parts in
            guard let bits = Int(parts[0]) else { return nil }
            switch parts.dropFirst().first {
            case nil, "mse": return method(.nearest(bits: bits, scale: .meanSquaredError))
            case "max": return method(.nearest(bits: bits, scale: .maximum))
            default: return nil
            }
        },
        EntryForm(
            name: "greedy", usage: "greedy:BITS[:RELATIVE-EPSILON]", example: "greedy:4:0.01", minimumParts: 2, maximumParts: 3
        ) { parts in
            var options = QuantizationOptions()
            guard let bits = Int(parts[0]) else { return nil }
            options.bits = bits
            guard let epsilon = parts.dropFirst().first else { return options }
            guard let number = Double(epsilon) else { return nil }
            options.relativeEpsilon = number
            return options
        },
        EntryForm(name: "subset", usage: "subset:BITS[:all]", example: "subset:4", minimumParts: 2, maximumParts: 3) { parts in
            guard let bits = Int(parts[0]) else { return nil }
            switch parts.dropFirst().first {
            case nil: return method(.subset(bits: bits))
            case "all": return method(.subset(bits: bits, ends: nil))
            default: return nil
            }
        },
        EntryForm(name: "single", usage: "single:BITS", example: "single:4", minimumParts: 2, maximumParts: 2) { parts in
            Int(parts[0]).map { method(.single(bits: $0)) }
        },
        EntryForm(
            name: "ladder", usage: "ladder:BITS-PER-WEIGHT", example: "ladder:3.5", minimumParts: 2, maximumParts: 2
        ) { parts in
            Double(parts[0]).map { method(.ladder(.bitsPerWeight($0))) }
        },
    ]

    private static func method(_ method: QuantizationOptions.Method) -> QuantizationOptions {
        var options = QuantizationOptions()
        options.method = method
        return options
    }
}
