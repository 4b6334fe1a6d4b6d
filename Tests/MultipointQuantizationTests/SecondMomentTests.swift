import MultipointGraph
import MultipointQuantization
import SeededNumbers
import XCTest

final class SecondMomentTests: XCTestCase {
    private func layer(_ shape: [Int], group: Int = 1) -> Layer {
        Layer(
            name: "conv", operation: .convolution(ConvolutionAttributes(pads: [1, 1, 1, 1], group: group)), shape: shape,
            weights: .float([]))
    }

    /// Mean of x xᵀ over all patches of a group, Double.
    private func expected(_ layer: Layer, _ inputs: [[Float]], _ shape: [Int], group: Int) throws -> [Double] {
        let geometry = try PatchGeometry(layer, inputShape: shape)
        let length = geometry.rowLength
        var sums = [Double](repeating: 0, count: length * length)
        var patch = [Float](repeating: 0, count: length)
        for input in inputs {
            for position in 0..<geometry.positions {
                input.withUnsafeBufferPointer { input in
                    patch.withUnsafeMutableBufferPointer {
                        geometry.copyPatch(position: position, group: group, from: input, to: $0)
                    }
                }
                for i in 0..<length { for j in 0..<length { sums[i * length + j] += Double(patch[i]) * Double(patch[j]) } }
            }
        }
        return sums.map { $0 / Double(inputs.count * geometry.positions) }
    }

    private func accumulate(
        _ layer: Layer, _ inputs: [[Float]], _ shape: [Int], expecting: Int? = nil, maximumPatches: Int = 16_384
    ) throws -> SecondMoment {
        let positions = try PatchGeometry(layer, inputShape: shape).positions * inputs.count
        var accumulator = try SecondMomentAccumulator(
            layer: layer, expectedPositions: expecting ?? positions, maximumPatches: maximumPatches,
            matrixMultiply: multiplyMatrices)
        for input in inputs { try input.withUnsafeBufferPointer { try accumulator.add($0, shape: shape) } }
        return try accumulator.finish()
    }

    private func assertEqual(_ found: [Float], _ expected: [Double], _ message: String) {
        XCTAssertEqual(found.count, expected.count)
        for (a, b) in zip(found, expected) { XCTAssertEqual(Double(a), b, accuracy: 1e-5, message) }
    }

    /// Dense, grouped and depthwise layers; with many patches, and with fewer patches than weights.
    func testMeanOverAllPatches() throws {
        var generator = SeededGenerator(seed: 8)
        let cases: [(layer: Layer, shape: [Int])] = [
            (layer([4, 3, 3, 3]), [2, 3, 9, 8]), (layer([6, 2, 3, 3], group: 3), [2, 6, 7, 7]),
            (layer([8, 1, 3, 3], group: 8), [1, 8, 20, 20]), (layer([4, 16, 3, 3]), [1, 16, 4, 5]),
            (layer([4, 8, 3, 3], group: 2), [1, 16, 3, 3]),
        ]
        for (layer, shape) in cases {
            let inputs = (0..<3).map { _ in generator.normals(shape.reduce(1, *)) }
            let moment = try accumulate(layer, inputs, shape)
            XCTAssertEqual(moment.groups, layer.group)
            for group in 0..<layer.group {
                assertEqual(
                    try moment.matrix(group: group, multiply: multiplyMatrices),
                    try expected(layer, inputs, shape, group: group), "group \(group) of \(layer.shape)")
            }
        }
    }

    /// More than one block of patches.
    func testManyBlocks() throws {
        var generator = SeededGenerator(seed: 9)
        let layer = layer([4, 2, 3, 3])
        let inputs = (0..<8).map { _ in generator.normals(2 * 30 * 30) }
        let moment = try accumulate(layer, inputs, [1, 2, 30, 30])
        assertEqual(
            try moment.matrix(group: 0, multiply: multiplyMatrices), try expected(layer, inputs, [1, 2, 30, 30], group: 0), "")
    }

    /// If fewer inputs come than were announced, what came counts.
    func testFewerInputsThanExpected() throws {
        var generator = SeededGenerator(seed: 10)
        for (layer, shape) in [(layer([4, 1, 3, 3], group: 4), [1, 4, 8, 8]), (layer([4, 16, 3, 3], group: 2), [1, 32, 3, 3])] {
            let inputs = (0..<2).map { _ in generator.normals(shape.reduce(1, *)) }
            let positions = 2 * shape[2] * shape[3]
            let moment = try accumulate(layer, inputs, shape, expecting: positions * 2)
            for group in 0..<layer.group {
                assertEqual(
                    try moment.matrix(group: group, multiply: multiplyMatrices),
                    try expected(layer, inputs, shape, group: group), "group \(group)")
            }
        }
    }

    /// A sample estimates the whole, and does not depend on how the inputs are divided into batches.
    func testSampling() throws {
        var generator = SeededGenerator(seed: 11)
        let layer = Layer(
            name: "conv", operation: .convolution(ConvolutionAttributes()), shape: [4, 2, 1, 1], weights: .float([]))
        // The mean of the input depends on the column: a sample that always met the same columns would be far off.
        let images = (0..<16).map { _ in (0..<2 * 16 * 16).map { Float($0 % 16) / 16 + generator.normal() * 0.1 } }
        let whole = try expected(layer, images, [1, 2, 16, 16], group: 0)
        let single = try accumulate(layer, images, [1, 2, 16, 16], maximumPatches: 256)
        let found = try single.matrix(group: 0, multiply: multiplyMatrices)
        for (a, b) in zip(found, whole) { XCTAssertEqual(Double(a), b, accuracy: 0.05 * b) }
        let batches = stride(from: 0, to: 16, by: 4).map { images[$0..<$0 + 4].flatMap { $0 } }
        let batched = try accumulate(layer, batches, [4, 2, 16, 16], maximumPatches: 256)
        XCTAssertEqual(try batched.matrix(group: 0, multiply: multiplyMatrices), found)
    }

    func testGemm() throws {
        let fc = Layer(name: "fc", operation: .gemm, shape: [2, 2], weights: .float([]))
        let moment = try accumulate(fc, [[1, 2], [3, 4], [0, -2], [1, 0]], [1, 2])
        // (1, 2), (3, 4), (0, −2), (1, 0): means of x², xy, y².
        XCTAssertEqual(try moment.matrix(group: 0, multiply: multiplyMatrices), [2.75, 3.5, 3.5, 6])
    }

    func testWhatIsRefused() throws {
        let conv = layer([4, 3, 3, 3])
        XCTAssertThrowsError(try accumulate(conv, [], [1, 3, 4, 4], expecting: 16)) {
            XCTAssertTrue("\($0)".contains("no inputs"), "\($0)")
        }
        for strange in [Float.nan, .infinity, 1e30] {
            var input = [Float](repeating: 1, count: 3 * 64)
            input[70] = strange
            XCTAssertThrowsError(try accumulate(conv, [input], [1, 3, 8, 8])) { XCTAssertTrue("\($0)".contains("finite"), "\($0)") }
        }
        XCTAssertThrowsError(try accumulate(conv, [[1, 2, 3]], [1, 3, 4, 4])) {
            XCTAssertTrue("\($0)".contains("48 inputs expected"), "\($0)")
        }
        XCTAssertThrowsError(try SecondMoment(rowLength: 2, matrices: [1, 2, 3]))
        XCTAssertThrowsError(try SecondMoment(rowLength: Int.max, matrices: [1, 2, 3]))
        XCTAssertThrowsError(try SecondMoment(rowLength: 1, matrices: [.nan]))
        XCTAssertThrowsError(try SecondMoment(rowLength: 2, patches: [1, 2, 3], count: 2))
    }
}
