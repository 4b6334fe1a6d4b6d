extension Operation {
    /// ONNX's name of the operator; a layer's is that of its entry in `layers`.
    public func operatorType(layers: [String: Layer]) -> String {
        switch self {
        case .layer(let name): if case .convolution = layers[name]?.operation { "Conv" } else { "Gemm" }
        case .elementwise(let function): function.operatorType
        case .binary(let function): function.operatorType
        case .prelu: "PRelu"
        case .matrixProduct: "MatMul"
        case .maxPool: "MaxPool"
        case .averagePool: "AveragePool"
        case .globalAveragePool: "GlobalAveragePool"
        case .reduce(let reduction, _, _): reduction.operatorType
        case .argument(let extremum, _, _, _): extremum == .maximum ? "ArgMax" : "ArgMin"
        case .softmax: "Softmax"
        case .logSoftmax: "LogSoftmax"
        case .layerNormalization: "LayerNormalization"
        case .localResponseNormalization: "LRN"
        case .concat: "Concat"
        case .flatten: "Flatten"
        case .reshape: "Reshape"
        case .squeeze: "Squeeze"
        case .unsqueeze: "Unsqueeze"
        case .transpose: "Transpose"
        case .expand: "Expand"
        case .slice: "Slice"
        case .gather: "Gather"
        case .pad: "Pad"
        case .resize: "Resize"
        case .depthToSpace: "DepthToSpace"
        case .spaceToDepth: "SpaceToDepth"
        }
    }
}

extension Elementwise {
    public var operatorType: String {
        switch self {
        case .abs: "Abs"
        case .ceil: "Ceil"
        case .clip: "Clip"
        case .cos: "Cos"
        case .elu: "Elu"
        case .erf: "Erf"
        case .exp: "Exp"
        case .floor: "Floor"
        case .gelu, .geluTanh: "Gelu"
        case .hardSigmoid: "HardSigmoid"
        case .hardSwish: "HardSwish"
        case .leakyRelu: "LeakyRelu"
        case .log: "Log"
        case .mish: "Mish"
        case .neg: "Neg"
        case .pow: "Pow"
        case .reciprocal: "Reciprocal"
        case .relu: "Relu"
        case .round: "Round"
        case .selu: "Selu"
        case .sigmoid: "Sigmoid"
        case .sign: "Sign"
        case .sin: "Sin"
        case .softplus: "Softplus"
        case .softsign: "Softsign"
        case .sqrt: "Sqrt"
        case .swish: "Swish"
        case .tanh: "Tanh"
        case .thresholdedRelu: "ThresholdedRelu"
        case .truncate: "Cast"
        }
    }
}

extension Binary {
    public var operatorType: String {
        switch self {
        case .add: "Add"
        case .subtract: "Sub"
        case .multiply: "Mul"
        case .divide: "Div"
        case .minimum: "Min"
        case .maximum: "Max"
        case .power: "Pow"
        }
    }
}

extension Reduction {
    public var operatorType: String {
        switch self {
        case .mean: "ReduceMean"
        case .sum: "ReduceSum"
        case .maximum: "ReduceMax"
        case .minimum: "ReduceMin"
        case .product: "ReduceProd"
        case .l1: "ReduceL1"
        case .l2: "ReduceL2"
        case .sumOfSquares: "ReduceSumSquare"
        }
    }
}
