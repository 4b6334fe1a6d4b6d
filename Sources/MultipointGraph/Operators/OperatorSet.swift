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
        "Abs": [6, 13],
        "Add": [7, 13, 14],
        "ArgMax": [1, 11, 12, 13],
        "ArgMin": [1, 11, 12, 13],
        "AveragePool": [7, 10, 11, 19, 22],
        "BatchNormalization": [7, 9, 14, 15],
        "Cast": [6, 9, 13, 19, 21, 23, 24, 25, 28],
        "CastLike": [15, 19, 21, 23, 24, 25],
        "Ceil": [6, 13],
        "Celu": [12, 28],
        "Clip": [6, 11, 12, 13],
        "Concat": [4, 11, 13],
        "Constant": [1, 9, 11, 12, 13, 19, 21, 23, 24, 25],
        "Conv": [1, 11, 22],
        "ConvTranspose": [1, 11, 22],
        "Cos": [7, 22],
        "DepthToSpace": [1, 11, 13, 28],
        "Div": [7, 13, 14],
        "Dropout": [7, 10, 12, 13, 22],
        "Elu": [6, 22],
        "Erf": [9, 13],
        "Exp": [6, 13],
        "Expand": [8, 13],
        "Flatten": [1, 9, 11, 13, 21, 23, 24, 25],
        "Floor": [6, 13],
        "Gather": [1, 11, 13],
        "Gelu": [20],
        "Gemm": [7, 9, 11, 13],
        "GlobalAveragePool": [1, 22],
        "GlobalLpPool": [2, 22],
        "GlobalMaxPool": [1, 22],
        "GroupNormalization": [18, 21],
        "HardSigmoid": [6, 22],
        "HardSwish": [14, 22],
        "Identity": [1, 13, 14, 16, 19, 21, 23, 24, 25],
        "InstanceNormalization": [6, 22],
        "LRN": [1, 13],
        "LayerNormalization": [17],
        "LeakyRelu": [6, 16],
        "Log": [6, 13],
        "LogSoftmax": [1, 11, 13],
        "LpNormalization": [1, 22],
        "MatMul": [1, 9, 13],
        "Max": [6, 8, 12, 13],
        "MaxPool": [1, 8, 10, 11, 12, 22],
        "Mean": [6, 8, 13],
        "MeanVarianceNormalization": [9, 13],
        "Min": [6, 8, 12, 13],
        "Mish": [18, 22],
        "Mul": [7, 13, 14],
        "Neg": [6, 13],
        "PRelu": [7, 9, 16],
        "Pad": [2, 11, 13, 18, 19, 21, 23, 24, 25],
        "Pow": [7, 12, 13, 15],
        "Reciprocal": [6, 13],
        "ReduceL1": [1, 11, 13, 18],
        "ReduceL2": [1, 11, 13, 18],
        "ReduceLogSum": [1, 11, 13, 18, 28],
        "ReduceLogSumExp": [1, 11, 13, 18, 28],
        "ReduceMax": [1, 11, 12, 13, 18, 20],
        "ReduceMean": [1, 11, 13, 18],
        "ReduceMin": [1, 11, 12, 13, 18, 20],
        "ReduceProd": [1, 11, 13, 18],
        "ReduceSum": [1, 11, 13],
        "ReduceSumSquare": [1, 11, 13, 18],
        "Relu": [6, 13, 14],
        "Reshape": [5, 13, 14, 19, 21, 23, 24, 25],
        "Resize": [10, 11, 13, 18, 19],
        "Round": [11, 22],
        "Selu": [6, 22],
        "Sigmoid": [6, 13],
        "Sign": [9, 13],
        "Sin": [7, 22],
        "Slice": [1, 10, 11, 13],
        "Softmax": [1, 11, 13],
        "Softplus": [1, 22],
        "Softsign": [1, 22],
        "SpaceToDepth": [1, 13, 28],
        "Split": [2, 11, 13, 18],
        "Sqrt": [6, 13],
        "Squeeze": [1, 11, 13, 21, 23, 24, 25],
        "Sub": [7, 13, 14],
        "Sum": [6, 8, 13],
        "Swish": [24],
        "Tanh": [6, 13],
        "ThresholdedRelu": [10, 22],
        "Transpose": [1, 13, 21, 23, 24, 25],
        "Unsqueeze": [1, 11, 13, 21, 23, 24, 25],
        "Upsample": [7, 9, 10],
    ]

    /// - Parameter node: the one to name in the error: the first whose form cannot be known.
    /// - Throws: `GraphError` if the operator set is older or newer than what can be read.
    static func check(_ version: Int, node: NodeDefinition?) throws(GraphError) {
        guard !(oldest...newest).contains(version) else { return }
        let problem = "operator set \(version) of the default ONNX domain; versions \(oldest) to \(newest) can be read"
        guard let node else { throw GraphError(problem, kind: .unsupported) }
        let name = node.name.isEmpty ? "\(node.operatorType)_\(node.outputs.first ?? "")" : node.name
        throw GraphError(node: name, "\(node.operatorType): \(problem)", kind: .unsupported)
    }

    /// The version of the operator's definition that holds in an operator set, or nil for an operator that is not supported.
    static func sinceVersion(_ operatorType: String, in version: Int) -> Int? {
        sinceVersions[operatorType]?.last { $0 <= version }
    }

    static var supportedOperators: String { sinceVersions.keys.sorted().joined(separator: ", ") }
}
