extension Operation {
    /// ONNX's name of the operator; a layer's is that of its entry in `layers`.
    public func operatorType(layers: [String: Layer]) -> String {
        switch self {
        case .layer(let name): if case .convolution = layers[name]?.operation { "Conv" } else { "Gemm" }
        case .relu: "Relu"
        case .clip: "Clip"
        case .leakyRelu: "LeakyRelu"
        case .sigmoid: "Sigmoid"
        case .add: "Add"
        case .multiply: "Mul"
        case .maxPool: "MaxPool"
        case .averagePool: "AveragePool"
        case .globalAveragePool: "GlobalAveragePool"
        case .concat: "Concat"
        case .flatten: "Flatten"
        case .reshape: "Reshape"
        case .squeeze: "Squeeze"
        case .unsqueeze: "Unsqueeze"
        case .transpose: "Transpose"
        case .slice: "Slice"
        case .pad: "Pad"
        case .softmax: "Softmax"
        }
    }
}
