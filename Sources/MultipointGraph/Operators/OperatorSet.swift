/// The versions of ONNX's default operator set that can be read.
enum OperatorSet {
    /// The oldest: 7 brought NumPy broadcasting and inference-only BatchNormalization and Dropout.
    static let oldest = 7
    /// The newest whose definitions were compared with the translations here (ONNX 1.23).
    static let newest = 28

    /// For every operator that can be translated, the operator set versions in which its definition changed (ONNX's
    /// "since version"), up to `newest`.
    ///
    /// Many changes only added element types. The translations mention the versions that matter to them.
    static let sinceVersions: [String: [Int]] = [
        "Add": [7, 13, 14],
        "AveragePool": [7, 10, 11, 19, 22],
        "BatchNormalization": [7, 9, 14, 15],
        "Clip": [6, 11, 12, 13],
        "Concat": [4, 11, 13],
        "Constant": [1, 9, 11, 12, 13, 19, 21, 23, 24, 25],
        "Conv": [1, 11, 22],
        "Div": [7, 13, 14],
        "Dropout": [7, 10, 12, 13, 22],
        "Flatten": [1, 9, 11, 13, 21, 23, 24, 25],
        "Gemm": [7, 9, 11, 13],
        "GlobalAveragePool": [1, 22],
        "Identity": [1, 13, 14, 16, 19, 21, 23, 24, 25],
        "LeakyRelu": [6, 16],
        "MatMul": [1, 9, 13],
        "MaxPool": [1, 8, 10, 11, 12, 22],
        "Mul": [7, 13, 14],
        "Pad": [2, 11, 13, 18, 19, 21, 23, 24, 25],
        "Relu": [6, 13, 14],
        "Reshape": [5, 13, 14, 19, 21, 23, 24, 25],
        "Sigmoid": [6, 13],
        "Slice": [1, 10, 11, 13],
        "Softmax": [1, 11, 13],
        "Squeeze": [1, 11, 13, 21, 23, 24, 25],
        "Sub": [7, 13, 14],
        "Transpose": [1, 13, 21, 23, 24, 25],
        "Unsqueeze": [1, 11, 13, 21, 23, 24, 25],
    ]

    /// - Throws: `GraphError` if the operator set is older or newer than what can be read.
    static func check(_ version: Int) throws(GraphError) {
        guard (oldest...newest).contains(version) else {
            throw GraphError(
                "operator set \(version) of the default ONNX domain; versions \(oldest) to \(newest) can be read",
                kind: .unsupported)
        }
    }

    /// The version of the operator's definition that holds in an operator set, or nil for an operator that is not supported.
    static func sinceVersion(_ operatorType: String, in version: Int) -> Int? {
        sinceVersions[operatorType]?.last { $0 <= version }
    }

    static var supportedOperators: String { sinceVersions.keys.sorted().joined(separator: ", ") }
}
