import MultipointGraph
import SeededNumbers
import Testing

@Suite struct ShapeTests {
    /// Window positions counted one by one: a window may start where its first sample is inside the input or the padding before
    /// it; without the ceiling its last sample must be inside the padded input.
    private func positions(size: Int, extent: Int, stride: Int, before: Int, after: Int, ceiling: Bool) -> Int {
        var count = 0, start = -before
        while true {
            let fits = start + extent <= size + after
            // With the ceiling, one more window if the last one that fits leaves samples over, unless it starts in the end's padding.
            let previousEnd = start - stride + extent
            let more = ceiling && previousEnd < size + after && start < size
            guard fits && (!ceiling || start < size) || more else { return count }
            count += 1
            start += stride
        }
    }

    @Test func poolingAndConvolutionSizes() throws {
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<500 {
            let kernel = Int.random(in: 1...4, using: &generator), dilation = Int.random(in: 1...2, using: &generator)
            let stride = Int.random(in: 1...4, using: &generator), extent = (kernel - 1) * dilation + 1
            let before = Int.random(in: 0..<extent, using: &generator), after = Int.random(in: 0..<extent, using: &generator)
            let size = Int.random(in: max(2, extent)...12, using: &generator), ceiling = Bool.random(using: &generator)
            let expected = positions(size: size, extent: extent, stride: stride, before: before, after: after, ceiling: ceiling)
            let pooling = Pooling(
                kernel: [kernel, 1], strides: [stride, 1], pads: [before, 0, after, 0], dilations: [dilation, 1],
                ceilMode: ceiling)
            #expect(try shape(.maxPool(pooling), [2, 3, size, 5]) == [2, 3, expected, 5], "\(pooling) over \(size)")
            #expect(try shape(.averagePool(pooling, countsPadding: true), [2, 3, size, 5]) == [2, 3, expected, 5])
            let layer = Layer(
                name: "l",
                operation: .convolution(
                    ConvolutionAttributes(strides: [stride, 1], pads: [before, 0, after, 0], dilations: [dilation, 1])),
                shape: [7, 3, kernel, 1], weights: .float(Array(repeating: 0, count: 21 * kernel)))
            let floor = positions(size: size, extent: extent, stride: stride, before: before, after: after, ceiling: false)
            #expect(try shape(.layer("l"), [2, 3, size, 5], layers: ["l": layer]) == [2, 7, floor, 5])
        }
    }

    /// The shape of an operation's result, in a network built by hand.
    private func shape(
        _ operation: Operation, _ shapes: [Int]..., layers: [String: Layer] = [:], constants: [String: Tensor] = [:]
    ) throws -> [Int]? {
        let inputs = shapes.enumerated().map { ValueInfo(name: "x\($0)", shape: $1.map { .fixed($0) }) }
        let network = Network(
            name: "", inputs: inputs, outputs: [ValueInfo(name: "y", shape: [])],
            nodes: [Node(name: "n", operation: operation, inputs: inputs.map(\.name) + constants.keys, output: "y")],
            layers: layers, layerOrder: Array(layers.keys), constants: constants)
        return try network.shapes(batch: 1)["y"]
    }

    /// 6 samples, window 3, stride 2: floor gives 2; the ceiling a third that starts at 4 and runs over the end. With one pad at
    /// the end and stride 4 the ceiling's window at 8 does not exist.
    @Test func ceilingByHand() throws {
        let pool: (Int, Int, Bool) throws -> Int? = { stride, pad, ceiling in
            try shape(
                .maxPool(Pooling(kernel: [1, 3], strides: [1, stride], pads: [0, 0, 0, pad], ceilMode: ceiling)), [1, 1, 1, 6])?
                .last
        }
        #expect(try pool(2, 0, false) == 2)
        #expect(try pool(2, 0, true) == 3)
        #expect(try pool(4, 1, true) == 2)
        // 2 samples, window 1, stride 2, one pad at the end: a window at 2 would see nothing but padding.
        #expect(
            try shape(.maxPool(Pooling(kernel: [1, 2], strides: [1, 2], pads: [0, 0, 0, 1], ceilMode: true)), [1, 1, 1, 2])?.last
                == 1)
        // SqueezeNet's 112, window 3, stride 2.
        #expect(
            try shape(.maxPool(Pooling(kernel: [3, 3], strides: [2, 2], ceilMode: true)), [1, 64, 111, 112]) == [1, 64, 55, 56])
        // Smaller than the window, with the ceiling.
        #expect(try shape(.maxPool(Pooling(kernel: [3, 3], strides: [2, 2], ceilMode: true)), [1, 1, 2, 2]) == [1, 1, 1, 1])
    }

    @Test func broadcasting() throws {
        #expect(try shape(.add, [2, 1, 4], [3, 1]) == [2, 3, 4])
        #expect(try shape(.multiply, [5], constants: ["c": scalar(1)]) == [5])
        #expect(try shape(.multiply, [], [7, 1]) == [7, 1])
        expectError(.invalid, "node `n`", "`x0` of shape [2, 3] and `x1` of shape [2, 4] do not broadcast") {
            _ = try shape(.add, [2, 3], [2, 4])
        }
        expectError(.invalid, "two inputs expected, found 1") { _ = try shape(.add, [2, 3]) }
    }

    @Test func rearrangements() throws {
        #expect(try shape(.flatten(axis: 1), [2, 3, 4, 5]) == [2, 60])
        #expect(try shape(.flatten(axis: 0), [2, 3]) == [1, 6])
        #expect(try shape(.flatten(axis: 2), [2, 3]) == [6, 1])
        #expect(try shape(.reshape([0, -1, 2], allowZero: false), [3, 4, 5]) == [3, 10, 2])
        #expect(try shape(.reshape([], allowZero: false), [1, 1]) == [])
        #expect(try shape(.squeeze(axes: nil), [1, 3, 1, 2]) == [3, 2])
        #expect(try shape(.squeeze(axes: [2]), [1, 3, 1, 2]) == [1, 3, 2])
        #expect(try shape(.unsqueeze(axes: [0, 3]), [4, 5]) == [1, 4, 5, 1])
        #expect(try shape(.transpose(permutation: [0, 2, 3, 1]), [1, 2, 3, 4]) == [1, 3, 4, 2])
        for (operation, problem) in [
            (.flatten(axis: 3), "axis 3: 0 to 2 expected"), (.flatten(axis: -1), "axis -1"),
            (.reshape([4], allowZero: false), "shape [4] does not fit `x0` of shape [2, 3]"),
            (.reshape([-1, -1], allowZero: false), "−1 at most once"),
            (.reshape([2, 3, 0], allowZero: false), "dimension 2 is copied"),
            (.reshape([0, 3], allowZero: true), "does not fit"), (.reshape([-2, -3], allowZero: false), "sizes, and −1"),
            (.reshape([Int.max, Int.max], allowZero: false), "does not fit"),
            (.reshape([-1, 4], allowZero: false), "does not fit"),
            (.squeeze(axes: [1]), "axis 1 of `x0` has size 3"), (.squeeze(axes: [2]), "different numbers from 0 to 1"),
            (.unsqueeze(axes: [0, 0]), "axes [0, 0]"), (.unsqueeze(axes: [0, 1, 2, 3, 4, 5, 6]), "9 dimensions"),
            (.unsqueeze(axes: Array(0..<7)), "up to 8"), (.transpose(permutation: [0, 0]), "axes [0, 0]"),
            (.transpose(permutation: [0]), "permutation [0] does not fit"), (.softmax(axis: 2), "axis 2 does not exist"),
        ] as [(Operation, String)] {
            expectError(.invalid, "node `n`", problem) { _ = try shape(operation, [2, 3]) }
        }
    }

    @Test func concatenationAndPadding() throws {
        #expect(try shape(.concat(axis: 1), [2, 3, 4], [2, 5, 4], [2, 1, 4]) == [2, 9, 4])
        #expect(try shape(.pad(pads: [0, 1, 2, 3], .constant(0)), [4, 5]) == [6, 9])
        expectError(.invalid, "`x1` of shape [2, 3] and `x0` of shape [2, 3, 4] differ") {
            _ = try shape(.concat(axis: 0), [2, 3, 4], [2, 3])
        }
        expectError(.invalid, "axis 1 does not exist") { _ = try shape(.concat(axis: 1), [2]) }
        expectError(.invalid, "at least one input") { _ = try shape(.concat(axis: 1)) }
        expectError(.invalid, "pads [1]: 4 numbers") { _ = try shape(.pad(pads: [1], .constant(0)), [4, 5]) }
        expectError(.invalid, "pads [0, 0, -1, 0]") { _ = try shape(.pad(pads: [0, 0, -1, 0], .constant(0)), [4, 5]) }
    }

    /// Against a loop over ONNX's definition of Slice-10: clamp, then step until the end is reached.
    @Test func slices() throws {
        var generator = SeededGenerator(seed: 8)
        for _ in 0..<2000 {
            let size = Int.random(in: 1...7, using: &generator)
            let edges = [Int.min, Int.max, Int(Int32.max)] + Array(-9...9)
            let start = edges.randomElement(using: &generator) ?? 0, end = edges.randomElement(using: &generator) ?? 0
            let step = ([Int.min, Int.max] + Array(-4...4)).filter { $0 != 0 }.randomElement(using: &generator) ?? 1
            let from = start < 0 ? start + size : start, to = end < 0 ? end + size : end
            var expected: [Int] = []
            if step > 0 {
                let last = min(max(to, 0), size)
                var index = min(max(from, 0), size)
                while index < last { expected.append(index); index = step > size ? last : index + step }
            } else {
                let last = min(max(to, -1), size - 1)
                var index = min(max(from, 0), size - 1)
                while index > last { expected.append(index); index = step < -size ? last : index + step }
            }
            let range = try #require(SliceRange(start: start, end: end, step: step, size: size))
            #expect(range.count == expected.count, "\(start):\(end):\(step) of \(size)")
            if let first = expected.first { #expect(range.first == first) }
            let operation = Operation.slice(starts: [start], ends: [end], axes: [1], steps: [step])
            if expected.isEmpty {
                #expect(throws: GraphError.self) { try shape(operation, [2, size]) }
            } else {
                #expect(try shape(operation, [2, size]) == [2, expected.count])
            }
        }
        #expect(SliceRange(start: 0, end: 1, step: 0, size: 4) == nil)
        expectError(.invalid, "step 0") { _ = try shape(.slice(starts: [0], ends: [1], axes: [0], steps: [0]), [4]) }
        expectError(.invalid, "1 starts, 2 ends") {
            _ = try shape(.slice(starts: [0], ends: [1, 2], axes: [0], steps: [1]), [4])
        }
        expectError(.invalid, "axes [0, 0]") {
            _ = try shape(.slice(starts: [0, 0], ends: [1, 1], axes: [0, 0], steps: [1, 1]), [4])
        }
    }

    @Test func sizesHaveLimits() throws {
        let most = Int(Int32.max)
        #expect(try shape(.relu, [most]) == [most])
        expectError(.invalid, "input `x0`") { _ = try shape(.relu, [most, 2]) }
        expectError(.invalid, "input `x0`") { _ = try shape(.relu, [0]) }
        expectError(.invalid, "input `x0`") { _ = try shape(.relu, [-1]) }
        expectError(.invalid, "input `x0`") { _ = try shape(.relu, [Int.max, Int.max]) }
        expectError(.invalid, "input `x0`: 9 dimensions") { _ = try shape(.relu, Array(repeating: 1, count: 9)) }
        expectError(.invalid, "node `n`", "up to 2147483647") { _ = try shape(.add, [1, most], [2, 1]) }
        expectError(.invalid, "node `n`", "up to 2147483647") { _ = try shape(.add, [1, most], [most, 1]) }
        expectError(.invalid, "node `n`") { _ = try shape(.pad(pads: [most, most], .constant(0)), [1]) }
        expectError(.invalid, "node `n`") { _ = try shape(.pad(pads: [Int.max, 0], .constant(0)), [1]) }
        expectError(.invalid, "node `n`") { _ = try shape(.concat(axis: 0), [most], [most]) }
        expectError(.invalid, "batch 0") { _ = try Network(definition: definition([node("Relu", ["x"], "y")])).shapes(batch: 0) }
        expectError(.invalid, "input `x`") {
            _ = try Network(definition: definition([node("Relu", ["x"], "y")])).shapes(batch: Int.max)
        }
    }

    /// Attributes that no file can give, but a program that builds a `Network` can.
    @Test func nothingIsAssumedOfAttributes() {
        let broken: [Operation] = [
            .maxPool(Pooling(kernel: [])), .maxPool(Pooling(kernel: [1])),
            .maxPool(Pooling(kernel: [Int.max, Int.max], strides: [0, 0])),
            .maxPool(Pooling(kernel: [2, 2], pads: [])),
            .averagePool(Pooling(kernel: [2, 2], dilations: [Int.max, 1]), countsPadding: false),
            .layer("missing"), .layer("wide"), .layer("flat"), .clip(minimum: .nan, maximum: 0), .leakyRelu(alpha: .infinity),
            .unsqueeze(axes: [Int.min]), .transpose(permutation: [Int.max, 0, 1, 2]), .pad(pads: [], .constant(.nan)),
            .concat(axis: Int.min),
            .flatten(axis: Int.max), .softmax(axis: -1),
        ]
        let wide = Layer(
            name: "wide", operation: .convolution(ConvolutionAttributes(group: Int.max)), shape: [Int.max, Int.max, 1, 1],
            weights: .float([]))
        let flat = Layer(name: "flat", operation: .gemm, shape: [], weights: .float([]))
        for operation in broken {
            #expect(throws: GraphError.self, "\(operation)") {
                try shape(operation, [1, 4, 8, 8], layers: ["wide": wide, "flat": flat])
            }
        }
    }

    @Test func windowsOfPaddingOnlyAreRefused() {
        let pooling = Pooling(kernel: [1, 2], pads: [0, 1, 0, 1], dilations: [1, 3])
        expectError(.invalid, "node `n`", "dilation 3") { _ = try shape(.maxPool(pooling), [1, 1, 1, 2]) }
        #expect(throws: Never.self) { try shape(.maxPool(pooling), [1, 1, 1, 3]) }
    }
}
