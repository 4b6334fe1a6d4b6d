import MultipointGraph
import MultipointQuantization
import SeededNumbers
import XCTest

final class PatchGeometryTests: XCTestCase {
    private func patch(_ geometry: PatchGeometry, _ position: Int, _ group: Int, _ input: [Float]) -> [Float] {
        var patch = [Float](repeating: .nan, count: geometry.rowLength)
        input.withUnsafeBufferPointer { input in
            patch.withUnsafeMutableBufferPointer { geometry.copyPatch(position: position, group: group, from: input, to: $0) }
        }
        return patch
    }

    /// Weight vectors times patches are the convolution, computed by its definition.
    func testAgainstConvolutionByDefinition() throws {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<60 {
            let group = Int.random(in: 1...3, using: &generator)
            let (inputs, outputs) = (Int.random(in: 1...3, using: &generator), group * Int.random(in: 1...2, using: &generator))
            let kernel = (0..<2).map { _ in Int.random(in: 1...3, using: &generator) }
            let attributes = ConvolutionAttributes(
                strides: (0..<2).map { _ in Int.random(in: 1...3, using: &generator) },
                pads: (0..<4).map { _ in Int.random(in: 0...2, using: &generator) },
                dilations: (0..<2).map { _ in Int.random(in: 1...2, using: &generator) }, group: group)
            let shape = [2, inputs * group, Int.random(in: 5...8, using: &generator), Int.random(in: 5...8, using: &generator)]
            let layer = Layer(
                name: "conv", operation: .convolution(attributes), shape: [outputs, inputs] + kernel, weights: .float([]))
            let weights = generator.normals(outputs * inputs * kernel[0] * kernel[1])
            let x = generator.normals(shape.reduce(1, *))
            let geometry = try PatchGeometry(layer, inputShape: shape)
            let expected = convolution(x, shape, weights, layer.shape, attributes)
            XCTAssertEqual(geometry.positions * outputs, expected.count)
            XCTAssertEqual(geometry.inputCount, x.count)
            let plane = geometry.positions / shape[0]
            for position in 0..<geometry.positions {
                for output in 0..<outputs {
                    let patch = patch(geometry, position, output / (outputs / group), x)
                    let row = weights[output * patch.count..<(output + 1) * patch.count]
                    let sum = zip(row, patch).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
                    let place = (position / plane * outputs + output) * plane + position % plane
                    XCTAssertEqual(sum, expected[place], accuracy: 1e-5)
                }
            }
        }
    }

    /// ONNX Conv-11 in seven loops, Double.
    private func convolution(
        _ x: [Float], _ shape: [Int], _ w: [Float], _ weightShape: [Int], _ a: ConvolutionAttributes
    ) -> [Double] {
        let (outputs, inputs) = (weightShape[0], weightShape[1])
        func size(_ axis: Int) -> Int {
            (shape[axis + 2] + a.pads[axis] + a.pads[axis + 2] - a.dilations[axis] * (weightShape[axis + 2] - 1) - 1) / a.strides[axis] + 1
        }
        var y: [Double] = []
        for n in 0..<shape[0] {
            for o in 0..<outputs {
                for p in 0..<size(0) {
                    for q in 0..<size(1) {
                        var sum = 0.0
                        for c in 0..<inputs {
                            for i in 0..<weightShape[2] {
                                for j in 0..<weightShape[3] {
                                    let h = p * a.strides[0] + i * a.dilations[0] - a.pads[0]
                                    let v = q * a.strides[1] + j * a.dilations[1] - a.pads[1]
                                    guard (0..<shape[2]).contains(h), (0..<shape[3]).contains(v) else { continue }
                                    let channel = o / (outputs / a.group) * inputs + c
                                    let weight = w[((o * inputs + c) * weightShape[2] + i) * weightShape[3] + j]
                                    sum += Double(weight) * Double(x[((n * shape[1] + channel) * shape[2] + h) * shape[3] + v])
                                }
                            }
                        }
                        y.append(sum)
                    }
                }
            }
        }
        return y
    }

    /// 1 × 1 × 2 × 3 image 1…6, 2 × 2 kernel, padding 1 on the left: the first patches written out.
    func testPatchesByHand() throws {
        let layer = Layer(
            name: "conv", operation: .convolution(ConvolutionAttributes(pads: [0, 1, 0, 0])), shape: [1, 1, 2, 2],
            weights: .float([]))
        let geometry = try PatchGeometry(layer, inputShape: [1, 1, 2, 3])
        XCTAssertEqual(geometry.positions, 3)
        XCTAssertEqual(patch(geometry, 0, 0, [1, 2, 3, 4, 5, 6]), [0, 1, 0, 4])
        XCTAssertEqual(patch(geometry, 2, 0, [1, 2, 3, 4, 5, 6]), [2, 3, 5, 6])
    }

    func testGemmTakesTheLastAxis() throws {
        let layer = Layer(name: "fc", operation: .gemm, shape: [4, 3], weights: .float([]))
        let geometry = try PatchGeometry(layer, inputShape: [2, 2, 3])
        XCTAssertEqual(geometry.positions, 4)
        XCTAssertEqual(patch(geometry, 2, 0, (0..<12).map(Float.init)), [6, 7, 8])
    }

    func testShapesThatDoNotFit() {
        let conv = Layer(
            name: "conv", operation: .convolution(ConvolutionAttributes()), shape: [4, 3, 3, 3], weights: .float([]))
        let fc = Layer(name: "fc", operation: .gemm, shape: [4, 3], weights: .float([]))
        let padded = Layer(
            name: "padded", operation: .convolution(ConvolutionAttributes(pads: [1 << 20, 1 << 20, 1 << 20, 1 << 20])),
            shape: [1, 1, 1, 1], weights: .float([]))
        let refused: [(Layer, [Int], String)] = [
            (padded, [1 << 30, 1, 1, 1], "too many"),
            (conv, [1, 2, 8, 8], "layer `conv`: 3 channels expected, input has 2"), (conv, [1, 3, 8], "4 dimensions"),
            (conv, [1, 3, 2, 8], "exceeds"), (conv, [0, 3, 8, 8], "positive"), (conv, [Int.max, 3, 8, 8], "positive"),
            (fc, [2, 4], "layer `fc`: 3 features expected"), (fc, [], "features"),
        ]
        for (layer, shape, message) in refused {
            XCTAssertThrowsError(try PatchGeometry(layer, inputShape: shape)) { error in
                XCTAssertTrue("\(error)".contains(message), "\(error)")
            }
        }
    }
}
