extension Network {
    /// Removes nodes whose result is their input: reshapes to the same shape, slices of everything, pads by nothing, ...
    ///
    /// An identity that makes an output of an input, or a second output of a value, stays.
    mutating func removeIdentities() {
        let shapes = sampleShapes()
        let outputNames = Set(outputs.map(\.name))
        var replacements = Replacements()
        var kept: [Node] = []
        /// Indices into `kept`.
        var producers: [String: Int] = [:]
        for var node in nodes {
            node.inputs = node.inputs.map(replacements.resolve)
            let output = node.output
            if let input = node.identityInput(shapes, constants) {
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
    fileprivate func identityInput(_ shapes: [[String: [Int]]], _ constants: [String: Tensor]) -> String? {
        let input = inputs.first { constants[$0] == nil }
        guard let input else { return nil }
        let isIdentity =
            switch operation {
            case .transpose(let permutation): permutation == Array(permutation.indices)
            case .concat: inputs.count == 1
            case .pad(let pads, _): pads.allSatisfy { $0 == 0 }
            case .slice(_, _, _, let steps): steps.allSatisfy { $0 > 0 } && keepsShape(of: input, shapes)
            case .flatten, .reshape, .squeeze, .unsqueeze, .expand: keepsShape(of: input, shapes)
            case .binary(.add): hasOperand(of: 0, constants) && keepsShape(of: input, shapes)
            case .binary(.multiply): hasOperand(of: 1, constants) && keepsShape(of: input, shapes)
            default: false
            }
        return isIdentity ? input : nil
    }

    private func keepsShape(of input: String, _ shapes: [[String: [Int]]]) -> Bool {
        !shapes.isEmpty && shapes.allSatisfy { $0[input] != nil && $0[input] == $0[output] }
    }

    /// Whether an operand is a constant with this number everywhere.
    private func hasOperand(of number: Float, _ constants: [String: Tensor]) -> Bool {
        inputs.contains { constants[$0]?.floats?.allSatisfy { $0 == number } == true }
    }
}
