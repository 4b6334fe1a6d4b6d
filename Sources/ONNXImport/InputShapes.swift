import MultipointGraph
import ONNXMessages

/// A dimension as a file has it.
enum StatedSize {
    case fixed(Int)
    /// With its symbol, which may be empty.
    case open(String)
}

/// What the caller says of the shapes of inputs.
struct InputShapes {
    /// By the input's name; empty for the only one.
    private let shapes: [String: [ValueInfo.Dimension]]

    init(_ shapes: [String: [ValueInfo.Dimension]]) { self.shapes = shapes }

    func checkNames(of inputs: [Onnx_ValueInfoProto]) throws(ONNXImportError) {
        let names = inputs.map(\.name), list = names.map { "`\($0)`" }.joined(separator: ", ")
        for name in shapes.keys.sorted() where !names.contains(name) {
            guard name.isEmpty else { throw ONNXImportError("there is no input `\(name)` to give a shape to; the inputs are \(list)") }
            guard names.count == 1 else {
                throw ONNXImportError("the inputs are \(list): say which one the shape \(InputShapes.text(shapes[name] ?? [])) is for")
            }
        }
    }

    /// The input's shape, whose first dimension may be the batch.
    /// - Parameter stated: in the file; nil if it says nothing.
    func shape(of name: String, isOnly: Bool, stated: [StatedSize]?) throws(ONNXImportError) -> [ValueInfo.Dimension] {
        if let given = shapes[name] ?? (isOnly ? shapes[""] : nil) { return try check(given, of: name, stated) }
        guard let stated else {
            throw ONNXImportError(
                "input `\(name)` has no shape; give it one, such as --input-shape \(name)=N,3,224,224", kind: .unsupported)
        }
        var shape: [ValueInfo.Dimension] = []
        for (axis, size) in stated.enumerated() {
            switch size {
            case .fixed(let size): shape.append(.fixed(size))
            case .open where axis == 0: shape.append(.batch)
            case .open(let symbol):
                let what = symbol.isEmpty ? "no size" : "the symbol `\(symbol)`"
                throw ONNXImportError(
                    "input `\(name)`: dimension \(axis) has \(what); only the first, the batch, may be open: give it a fixed size with --input-shape \(name)=\(InputShapes.suggestion(stated))",
                    kind: .unsupported)
            }
        }
        return shape
    }

    private func check(
        _ given: [ValueInfo.Dimension], of name: String, _ stated: [StatedSize]?
    ) throws(ONNXImportError) -> [ValueInfo.Dimension] {
        guard !given.dropFirst().contains(.batch), given.allSatisfy({ if case .fixed(let size) = $0 { size >= 1 } else { true } })
        else {
            throw ONNXImportError(
                "input `\(name)`: shape \(InputShapes.text(given)); sizes from 1 expected, and N (the batch) in the first place only")
        }
        guard let stated else { return given }
        guard stated.count == given.count else {
            throw ONNXImportError("input `\(name)` has \(stated.count) dimensions; shape \(InputShapes.text(given)) is given for it")
        }
        for (axis, size) in stated.enumerated() {
            guard case .fixed(let size) = size, given[axis] != .fixed(size), axis > 0 || size != 1 || given[axis] != .batch else { continue }
            throw ONNXImportError(
                "input `\(name)`: dimension \(axis) is \(size) in the file; shape \(InputShapes.text(given)) is given for it")
        }
        return given
    }

    private static func text(_ shape: [ValueInfo.Dimension]) -> String {
        shape.map { if case .fixed(let size) = $0 { "\(size)" } else { "N" } }.joined(separator: ",")
    }

    /// "N,3,<height>,<width>".
    private static func suggestion(_ stated: [StatedSize]) -> String {
        stated.enumerated().map { axis, size in
            switch size {
            case .fixed(let size): "\(size)"
            case .open where axis == 0: "N"
            case .open(let symbol): "<\(symbol.isEmpty ? "size" : symbol)>"
            }
        }.joined(separator: ",")
    }
}
