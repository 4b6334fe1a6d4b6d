extension Network {
    /// Removes nodes whose result is their input: reshapes to the same shape, slices of everything, pads by nothing, ...
    ///
    /// An identity that makes an output of an input, or a second output of a value, stays.
    mutating func removeIdentities() {
        let shapes = sampleShapes()
        let outputNames = Set(outputs.map(\.name))
        var replacements = Replacements()
        var uniform = UniformConstants(constants)
        var kept: [Node] = []
        /// Indices into `kept`.
        var producers: [String: Int] = [:]
        for var node in nodes {
            node.inputs = node.inputs.map(replacements.resolve)
            let output = node.output
            if let input = node.identityInput(shapes, &uniform) {
                if !outputNames.contains(output) {
                    replacements.replace(output, by: input)
                    keepQuantization(of: output, for: input)
                    continue
                }
                if let producer = producers[input], !outputNames.contains(input) {
                    kept[producer].output = output
                    producers[output] = producers.removeValue(forKey: input)
                    replacements.replace(input, by: output)
                    keepQuantization(of: input, for: output)
                    continue
                }
            }
            producers[output] = kept.count
            kept.append(node)
        }
        for index in kept.indices { kept[index].inputs = kept[index].inputs.map(replacements.resolve) }
        nodes = kept
    }

    private mutating func keepQuantization(of removed: String, for value: String) {
        if let parameters = quantization[removed], quantization[value] == nil { quantization[value] = parameters }
    }
}

/// Values that are now called otherwise.
private struct Replacements {
    private var names: [String: String] = [:]

    mutating func replace(_ name: String, by other: String) { names[name] = other }

    /// Chains are short: what replaces a value was resolved before, and is itself renamed at most once, to an output.
    func resolve(_ name: String) -> String {
        var name = name
        while let other = names[name] { name = other }
        return name
    }
}

extension Node {
    /// The input that the node's result is equal to, if it is.
    /// - Parameter shapes: of all values, for different batch sizes, by the names that values had before identities were removed.
    fileprivate func identityInput(_ shapes: [[String: [Int]]], _ uniform: inout UniformConstants) -> String? {
        let input = inputs.first { !uniform.contains($0) }
        guard let input else { return nil }
        let isIdentity =
            switch operation {
            case .transpose(let permutation): permutation == Array(permutation.indices)
            case .concat: inputs.count == 1
            case .pad(let pads, _): pads.allSatisfy { $0 == 0 }
            case .slice(_, _, _, let steps): steps.allSatisfy { $0 > 0 } && keepsShape(of: input, shapes)
            case .flatten, .reshape, .squeeze, .unsqueeze, .expand: keepsShape(of: input, shapes)
            case .binary(.add): keepsShape(of: input, shapes) && inputs.contains { uniform.number($0) == 0 }
            case .binary(.multiply): keepsShape(of: input, shapes) && inputs.contains { uniform.number($0) == 1 }
            default: false
            }
        return isIdentity ? input : nil
    }

    private func keepsShape(of input: String, _ shapes: [[String: [Int]]]) -> Bool {
        !shapes.isEmpty && shapes.allSatisfy { $0[input] != nil && $0[input] == $0[output] }
    }
}

/// Constants that are one number everywhere. Each is gone through once, however many nodes use it.
private struct UniformConstants {
    private let constants: [String: Tensor]
    private var numbers: [String: Float?] = [:]

    init(_ constants: [String: Tensor]) { self.constants = constants }

    func contains(_ name: String) -> Bool { constants[name] != nil }

    /// Nil if the value is not a constant or its elements differ.
    mutating func number(_ name: String) -> Float? {
        if let known = numbers[name] { return known }
        let floats = constants[name]?.floats, first = floats?.first
        let number = floats?.allSatisfy { $0 == first } == true ? first : nil
        numbers[name] = .some(number)
        return number
    }
}
