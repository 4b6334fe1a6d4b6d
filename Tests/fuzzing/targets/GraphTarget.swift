func runGraph(_ bytes: UnsafeRawBufferPointer, _ bounds: FuzzBounds) -> FuzzOutcome {
    let parts = bytes.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
    let layers = parts.count == 2 ? parts[1] : GraphShell.layers
    let file = GraphShell.file(graph: parts.first ?? "", layers: layers)
    return file.withUnsafeBytes { runPacked($0, bounds) }
}

/// Sound tensors for any graph: those of five layers and a few constants.
public enum GraphShell {
    /// 2 → 4 channels of 3 × 3 (two points in some channels), 4 of 3 × 3 depthwise (a ladder), 4 → 4 of 1 × 1 in float, 16 → 3 and 4 → 4 features.
    public static let layers = """
        [{"name":"conv","operator":"Conv","shape":[4,2,3,3],"pads":[1,1,1,1],"input":{"scale":0.1,"zero_point":7},\
        "output":{"scale":0.2,"zero_point":0}},\
        {"name":"depthwise","operator":"Conv","shape":[4,1,3,3],"group":4,"ladder":[4],"input":{"scale":0.2,"zero_point":0}},\
        {"name":"float","operator":"Conv","shape":[4,4,1,1]},\
        {"name":"gemm","operator":"Gemm","shape":[3,16],"input":{"scale":0.05,"zero_point":0}},\
        {"name":"square","operator":"Gemm","shape":[4,4]}]
        """

    private static let tensors: [Safetensors.Tensor] = {
        func bytes(_ count: Int, _ start: UInt8) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37) &+ start } }
        let codebook: [UInt8] = [253, 255, 1, 3]
        return [
            .init("conv.points", "U8", [4], [1, 2, 2, 0]),
            .init("conv.codes.0", "U8", [3, 5], bytes(15, 1)), .init("conv.codebook.0", "I8", [4], codebook),
            .init("conv.codes.1", "U8", [2, 5], bytes(10, 9)), .init("conv.codebook.1", "I8", [4], codebook),
            .init("conv.scales", floats: [0.1, 0.2, 0.031, 0.3, 0.017]), .init("conv.bias", floats: [0, 1, -1, 0.5]),
            .init("depthwise.points", "U8", [4], [2, 2, 2, 2]),
            .init("depthwise.codes.0", "U8", [4, 3], bytes(12, 5)), .init("depthwise.codebook.0", "I8", [4], codebook),
            .init("depthwise.codes.1", "U8", [4, 3], bytes(12, 77)), .init("depthwise.codebook.1", "I8", [4], codebook),
            .init("depthwise.scales", floats: [0.1, 0.2, 0.3, 0.4]),
            .init("float.weight", floats: (0..<16).map { Float($0) / 8 - 1 }, [4, 4, 1, 1]),
            .init("gemm.points", "U8", [3], [1, 1, 1]), .init("gemm.codes.0", "U8", [3, 4], bytes(12, 200)),
            .init("gemm.codebook.0", "I8", [4], codebook), .init("gemm.scales", floats: [0.5, 0.25, 0.125]),
            .init("square.weight", floats: (0..<16).map { Float($0 % 5) - 2 }, [4, 4]),
            .init("scalar", floats: [0.5], []), .init("vector", floats: [1, 2, 0, -4]),
            .init("channels", floats: [1, -0.5, 3, 2], [4, 1, 1]), .init("matrix", floats: (0..<16).map { Float($0) }, [4, 4]),
            .init("empty", floats: [], [0]), .init("image", floats: (0..<32).map { Float($0) - 9 }, [1, 2, 4, 4]),
            .init("sizes", integers: [1, 2, 4, 4]), .init("axes", integers: [2, 3]), .init("indices", integers: [0, -1, 1, 0]),
            .init("huge", integers: [1 << 62, -1 << 63, 1 << 31, 0]), .init("minus", integers: [-1]),
        ]
    }()

    /// - Parameter graph: nil for a file of weights only.
    public static func file(graph: String?, layers: String) -> [UInt8] {
        let common = [(key: "format", text: "multipoint"), ("version", "1.0"), ("layers", layers)]
        return Safetensors(metadata: common + (graph.map { [("graph", $0)] } ?? []), tensors: tensors).bytes
    }
}
