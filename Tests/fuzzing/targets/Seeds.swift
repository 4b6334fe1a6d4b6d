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
