import MultipointGraph
import SeededNumbers
import Testing

@Suite struct LayerTranslationTests {
    private func onlyLayer(_ definition: GraphDefinition) throws -> Layer {
        let network = try Network(definition: definition)
        let name = try #require(network.layerOrder.first)
        return try #require(network.layers[name])
    }

    @Test(arguments: [7, 11, 22, 28]) func convolution(opset: Int) throws {
        var generator = SeededGenerator(seed: 1)
        let weights = generator.tensor([6, 2, 3, 5]), bias = generator.tensor([6])
        let attributes: [String: AttributeValue] = [
            "kernel_shape": [3, 5], "strides": [2, 1], "pads": [1, 2, 0, 3], "dilations": [1, 2], "group": 2,
        ]
        let layer = try onlyLayer(
            definition(opset: opset, [node("Conv", ["x", "w", "b"], "y", attributes, name: "stem")], ["w": weights, "b": bias]))
        let expected = ConvolutionAttributes(strides: [2, 1], pads: [1, 2, 0, 3], dilations: [1, 2], group: 2)
        #expect(
            layer
                == Layer(
                    name: "stem", operation: .convolution(expected), shape: [6, 2, 3, 5], weights: .float(weights.floats ?? []),
                    bias: bias.floats))
    }

    /// Values from ONNX's formulas: size 8, kernel 3 dilated to 5, stride 2: 4 results need 3·2 + 5 = 11 samples, 3 pads.
    @Test(arguments: [
        ("SAME_UPPER", [1, 0, 2, 1]), ("SAME_LOWER", [2, 1, 1, 0]), ("VALID", [0, 0, 0, 0]), ("NOTSET", [0, 0, 0, 0]),
    ])
    func automaticPadding(mode: String, pads: [Int]) throws {
        let attributes: [String: AttributeValue] = ["auto_pad": .string(mode), "strides": [2, 2], "dilations": [2, 1]]
        let padded = definition(input: [.batch, 4, 8, 8], [node("Conv", ["x", "w"], "y", attributes)], ["w": zeros(2, 4, 3, 3)])
        let layer = try onlyLayer(padded)
        #expect(layer.operation == .convolution(ConvolutionAttributes(strides: [2, 2], pads: pads, dilations: [2, 1])))
        #expect(try outputShape(padded) == (mode.hasPrefix("SAME") ? [1, 2, 4, 4] : [1, 2, 2, 3]))
    }

    @Test func automaticPaddingOfPooling() throws {
        // 7 samples, window 2, stride 2: 4 results need 8 samples.
        let attributes: [String: AttributeValue] = [
            "auto_pad": "SAME_UPPER", "kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1,
        ]
        let pooled = definition(input: [.batch, 4, 7, 7], [node("MaxPool", ["x"], "y", attributes)])
        #expect(try operations(pooled) == [.maxPool(Pooling(kernel: [2, 2], strides: [2, 2], pads: [0, 0, 1, 1]))])
        #expect(try outputShape(pooled) == [1, 4, 4, 4])
    }

    @Test func convolutionErrors() {
        let conv: (Tensor, [String: AttributeValue]) -> GraphDefinition = { weights, attributes in
            definition([node("Conv", ["x", "w"], "y", attributes, name: "conv2")], ["w": weights])
        }
        expectError(.invalid, conv(zeros(2, 3, 3, 3), [:]), "node `conv2`", "3 channels expected, input `x` has 4")
        expectError(.invalid, conv(zeros(2, 4, 3), [:]), "node `conv2`", "4 dimensions expected")
        let volume = definition(input: [.batch, 4, 8, 8, 8], [node("Conv", ["x", "w"], "y", name: "conv3")], ["w": zeros(2, 4, 3, 3, 3)])
        expectError(.unsupported, volume, "node `conv3`", "only images of 4 dimensions")
        expectError(.unsupported, conv(zeros(2, 4, 3, 3), ["pads": [0, 0, -1, 0]]), "negative pad (-1)")
        expectError(.invalid, conv(zeros(2, 4, 3, 3), ["kernel_shape": [1, 1]]), "kernel_shape [1, 1]")
        expectError(.invalid, conv(zeros(2, 4, 3, 3), ["strides": [0, 1]]), "strides [0, 1]")
        expectError(.invalid, conv(zeros(2, 4, 3, 3), ["pads": [1, 1]]), "pads [1, 1]")
        expectError(.invalid, conv(zeros(2, 4, 3, 3), ["auto_pad": "SAME"]), "auto_pad `SAME`")
        expectError(.invalid, conv(zeros(2, 4, 3, 3), ["auto_pad": "VALID", "pads": [1, 1, 1, 1]]), "exclude each other")
        expectError(.invalid, conv(zeros(2, 4, 3, 3), ["group": 3]), "group 3")
        expectError(.invalid, conv(zeros(2, 4, 3, 3), ["group": 0]), "group 0")
        expectError(.invalid, conv(zeros(2, 4, 3, 3), ["group": "two"]), "attribute `group`: an integer expected")
        expectError(.invalid, conv(zeros(2, 4, 3, 3), ["padding": 1]), "no attribute `padding`")
        expectError(.invalid, conv(zeros(2, 4, 9, 9), [:]), "node `conv2`", "height 8 of input `x`", "window of 9")
        expectError(
            .invalid, conv(Tensor(shape: [2, 4, 1, 1], Array(repeating: Float.nan, count: 8)), [:]), "`conv2`", "weight 0 is nan")
        expectError(.invalid, conv(Tensor(shape: [2, 4, 3, 3], [Float(0)]), [:]), "initializer `w`", "1 elements")
        let bias = definition([node("Conv", ["x", "w", "b"], "y")], ["w": zeros(2, 4, 3, 3), "b": zeros(3)])
        expectError(.invalid, bias, "bias `b` of shape [3]; [2] expected")
        expectError(
            .unsupported, definition([node("Relu", ["x"], "w"), node("Conv", ["x", "w"], "y")]), "weights `w` is computed")
    }

    @Test(arguments: [7, 9, 11, 13]) func gemm(opset: Int) throws {
        // [in, out] = [2, 3] and its transpose.
        let columns = Tensor(shape: [2, 3], [Float(1), 2, 3, 4, 5, 6]), rows = Tensor(shape: [3, 2], [Float(1), 4, 2, 5, 3, 6])
        let bias = Tensor(shape: [1, 3], [Float(10), 20, 30])
        let expected = Layer(
            name: "y", operation: .gemm, shape: [3, 2], weights: .float([2, 8, 4, 10, 6, 12]), bias: [5, 10, 15])
        let forms: [(Tensor, [String: AttributeValue])] = [
            (columns, ["alpha": 2.0, "beta": 0.5]), (rows, ["alpha": 2, "beta": 0.5, "transB": 1, "transA": 0]),
        ]
        for (weights, attributes) in forms {
            let found = try onlyLayer(
                definition(
                    opset: opset, input: [.batch, 2], [node("Gemm", ["x", "w", "b"], "y", attributes)], ["w": weights, "b": bias])
            )
            #expect(found == expected)
        }
    }

    @Test func gemmBiasesBroadcast() throws {
        for bias in [
            scalar(7), Tensor(shape: [1], [Float(7)]), Tensor(shape: [1, 1], [Float(7)]), Tensor(shape: [3], [Float(7), 7, 7]),
        ] {
            let layer = try onlyLayer(
                definition(input: [.batch, 2], [node("Gemm", ["x", "w", "b"], "y")], ["w": zeros(2, 3), "b": bias]))
            #expect(layer.bias == [7, 7, 7])
        }
        let gemm: (Tensor) -> GraphDefinition = { bias in
            definition(input: [.batch, 2], [node("Gemm", ["x", "w", "b"], "y")], ["w": zeros(2, 3), "b": bias])
        }
        expectError(.invalid, gemm(zeros(2)), "bias `b` of shape [2] does not broadcast to 3 features")
        expectError(.invalid, gemm(zeros(4, 3)), "node `y`", "`b` of shape [4, 3] does not broadcast to [1, 3]")
        let transposed = definition(input: [.batch, 2], [node("Gemm", ["x", "w"], "y", ["transA": 1])], ["w": zeros(1, 3)])
        expectError(.invalid, transposed, "with batch size 2", "node `y`")
        expectError(
            .invalid, definition([node("Gemm", ["x", "w"], "y")], ["w": zeros(8, 3)]),
            "2 dimensions expected, `x` has shape [1, 4, 8, 8]")
    }

    @Test func matrixProductsMapTheLastAxis() throws {
        let product = definition(
            input: [.batch, 5, 2], [node("MatMul", ["x", "w"], "y")], ["w": Tensor(shape: [2, 3], [Float(1), 2, 3, 4, 5, 6])])
        #expect(
            try onlyLayer(product) == Layer(name: "y", operation: .gemm, shape: [3, 2], weights: .float([1, 4, 2, 5, 3, 6])))
        #expect(try outputShape(product, batch: 7) == [7, 5, 3])
        let wrong = definition(input: [.batch, 5, 4], [node("MatMul", ["x", "w"], "y")], ["w": zeros(2, 3)])
        expectError(.invalid, wrong, "node `y`", "2 features expected, input `x` has 4")
    }

    @Test func layersOfAFileAreUsedAsTheyAre() throws {
        let layer = Layer(
            name: "a layer", operation: .convolution(ConvolutionAttributes(pads: [1, 1, 1, 1])), shape: [2, 4, 3, 3],
            weights: .float(Array(repeating: 1, count: 72)))
        let unused = Layer(name: "unused", operation: .gemm, shape: [1, 1], weights: .float([1]))
        let nodes = [
            node("Conv", ["x"], "c", layer: "a layer"),
            node("Mul", ["c", "two"], "y"),
        ]
        let network = try Network(definition: definition(nodes, ["two": scalar(2)]), layers: [unused, layer])
        #expect(network.layerOrder == ["unused", "a layer"])
        #expect(network.layers == ["unused": unused, "a layer": layer])
        #expect(network.nodes.map(\.operation) == [.layer("a layer"), .multiply])
        let fails: ([NodeDefinition], [Layer], String) -> Void = { nodes, layers, problem in
            expectError(.invalid, problem) { _ = try Network(definition: definition(nodes), layers: layers) }
        }
        fails([node("Conv", ["x"], "y", layer: "missing")], [layer], "there is no layer `missing`")
        fails([node("Gemm", ["x"], "y", layer: "a layer")], [layer], "layer `a layer` is for a Conv")
        fails([node("Conv", ["x"], "y", layer: "unused")], [unused], "layer `unused` is for a Gemm")
        fails([node("Conv", ["x", "x"], "y", layer: "a layer")], [layer], "1 inputs expected, found 2")
        fails([node("Conv", ["x"], "y", ["group": 1], layer: "a layer")], [layer], "its attributes belong to layer `a layer`")
        fails([node("Relu", ["x"], "y")], [layer, layer], "two layers are called `a layer`")
    }
}
