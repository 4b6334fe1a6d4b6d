import ArgumentParser
import MultipointGraph

/// `--input-shape`: sizes for dimensions of inputs that an ONNX file leaves open.
struct InputShapeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            Shape of an input of the ONNX network whose file leaves sizes open, such as data=N,3,224,224; once for each such input. The \
            name may be left out if there is only one input. N is the batch.
            """, valueName: "name=shape"))
    var inputShape: [InputShape] = []

    func validate() throws {
        let names = inputShape.map(\.name)
        if let name = names.first(where: { name in names.count { $0 == name } > 1 }) {
            throw ValidationError("--input-shape: " + (name.isEmpty ? "two shapes without a name" : "two shapes for `\(name)`"))
        }
    }

    /// By the input's name; empty for the only one.
    var shapes: [String: [ValueInfo.Dimension]] {
        Dictionary(inputShape.map { ($0.name, $0.shape) }, uniquingKeysWith: { first, _ in first })
    }
}

/// A name, which may be left out, and sizes of which the first may be N, separated by commas or, as shapes are printed, by × or x.
struct InputShape: ExpressibleByArgument, Equatable {
    /// Empty if it is left out.
    var name: String
    var shape: [ValueInfo.Dimension]

    /// As it is written as an argument.
    var text: String {
        (name.isEmpty ? "" : "\(name)=") + shape.map { if case .fixed(let size) = $0 { "\(size)" } else { "N" } }.joined(separator: ",")
    }

    init?(argument: String) {
        // A name may contain anything, the shape no equals sign.
        let sizes = argument.lastIndex(of: "=").map { argument[argument.index(after: $0)...] } ?? argument[...]
        name = argument.count > sizes.count ? String(argument.dropLast(sizes.count + 1)) : ""
        shape = []
        for (axis, part) in sizes.split(omittingEmptySubsequences: false, whereSeparator: { ",×x".contains($0) }).enumerated() {
            if axis == 0, part == "N" {
                shape.append(.batch)
            } else if let size = Int(part), size >= 1 {
                shape.append(.fixed(size))
            } else {
                return nil
            }
        }
    }
}
