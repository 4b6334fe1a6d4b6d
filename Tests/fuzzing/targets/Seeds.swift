import MultipointFormat
import MultipointGraph
import ONNXImport

/// Inputs made of an ONNX model, to start from: the network as a packed file, and its graph alone.
/// - Returns: nil for a model that does not run.
public func seeds(onnx bytes: [UInt8]) -> (packed: [UInt8], graph: [UInt8])? {
    guard let definition = try? readONNX(bytes: bytes, source: "memory"), let network = try? Network(definition: definition),
        let packed = try? PackedFile(network: network, producer: "").encoded(), let (header, _) = unframed(packed),
        let graph = jsonString("\"graph\":\"", in: Array(header))
    else { return nil }
    return (packed, Array(graph.utf8))
}

/// Packed files with layers of several points, with a graph and without.
public var packedSeeds: [[UInt8]] { [callFiles.network, callFiles.weights] }

/// Graphs that use the layers and constants of `GraphShell`.
public var graphSeeds: [[UInt8]] {
    let layers = [("conv", "Conv", "2,4,4"), ("depthwise", "Conv", "4,4,4"), ("float", "Conv", "4,2,2"), ("gemm", "Gemm", "16"), ("square", "Gemm", "4")]
    let constants = ["scalar", "vector", "channels", "matrix", "empty", "image"]
    let layered = layers.map { name, type, shape in
        """
        {"operator_set":7,"inputs":[{"name":"x","shape":["N",\(shape)]}],"outputs":[{"name":"y"}],"nodes":[\
        {"operator":"\(type)","inputs":["x"],"outputs":["c"],"layer":"\(name)"},\
        {"operator":"Clip","inputs":["c"],"outputs":["y"],"attributes":{"min":0,"max":6}}],\
        "values":{"x":{"scale":0.1,"zero_point":7},"y":{"scale":0.2,"zero_point":0}}}
        """
    }
    let constant = constants.map { name in
        """
        {"operator_set":13,"inputs":[{"name":"x","shape":["N",2,4,4]}],"outputs":[{"name":"y"}],"nodes":[\
        {"operator":"Constant","outputs":["k"],"attributes":{"value":"\(name)"}},{"operator":"Mul","inputs":["x","k"],"outputs":["y"]}]}
        """
    }
    return (layered + constant + [callGraph]).map { Array($0.utf8) }
}

/// The text of a JSON string whose only escapes are those of quotes and backslashes.
private func jsonString(_ key: String, in text: [UInt8]) -> String? {
    guard let start = text.firstRange(of: Array(key.utf8))?.upperBound else { return nil }
    var result: [UInt8] = []
    var position = start
    while position < text.count, text[position] != UInt8(ascii: "\"") {
        if text[position] == UInt8(ascii: "\\") { position += 1 }
        if position < text.count { result.append(text[position]) }
        position += 1
    }
    return String(decoding: result, as: UTF8.self)
}
