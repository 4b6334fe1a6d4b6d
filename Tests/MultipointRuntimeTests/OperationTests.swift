import MultipointGraph
import MultipointRuntime
import SeededNumbers
import XCTest

/// Every operation by itself on floats, over random shapes, against loops in double precision.
final class OperationTests: XCTestCase {
    private var generator = SeededGenerator(seed: 7)

    private func pick<T>(_ choices: [T]) -> T { choices[Int.random(in: 0..<choices.count, using: &generator)] }
    private func size(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
    private func shape(rank: Int, _ sizes: ClosedRange<Int> = 1...7) -> [Int] { (0..<rank).map { _ in size(sizes) } }

    private func numbers(_ shape: [Int], in range: ClosedRange<Float>) -> [Float] {
        (0..<shape.reduce(1, *)).map { _ in Float.random(in: range, using: &generator) }
    }

    /// One node over inputs of some shapes.
    private func check(
        _ operation: MultipointGraph.Operation, _ shapes: [[Int]], in range: ClosedRange<Float> = -4...4,
        constants: [Int: [Float]] = [:], threads: Int = 2, line: UInt = #line
    ) throws {
        var network = Network(name: "one", inputs: [], outputs: [], nodes: [], layers: [:], layerOrder: [])
        var values: [[Float]] = []
        for (index, shape) in shapes.enumerated() {
            if let constant = constants[index] {
                network.constants["x\(index)"] = Tensor(shape: shape, constant)
            } else {
                network.inputs.append(ValueInfo(name: "x\(index)", shape: shape.map { .fixed($0) }))
                values.append(numbers(shape, in: range))
            }
        }
        network.nodes = [Node(name: "n", operation: operation, inputs: shapes.indices.map { "x\($0)" }, output: "y")]
        network.outputs = [ValueInfo(name: "y", shape: [])]
        let comparison = try NetworkComparison(network, inputs: values, batch: 1, threads: threads)
        XCTAssertEqual(comparison.differences.count, 1, "\(operation)", line: line)
        comparison.assertAccepted("\(operation) of \(shapes)", line: line)
    }

    func testFunctions() throws {
        let functions: [Elementwise] = [
            .abs, .ceil, .clip(minimum: -1, maximum: 2.5), .cos, .elu(alpha: 0.75), .erf, .exp, .floor, .gelu, .geluTanh,
            .hardSigmoid(alpha: 0.2, beta: 0.5), .hardSigmoid(alpha: -0.3, beta: 0.25), .hardSwish, .leakyRelu(alpha: 0.1), .mish, .neg,
            .pow(exponent: 2), .pow(exponent: 3), .reciprocal, .relu, .round, .selu(alpha: 1.6732632, gamma: 1.0507), .sigmoid, .sign,
            .sin, .softplus, .softsign, .swish(alpha: 1), .swish(alpha: 1.702), .tanh, .thresholdedRelu(alpha: 0.5), .truncate,
        ]
        for function in functions {
            for shape in [[1], [2, 3, 5, 7], [3, 3000]] {
                let range: ClosedRange<Float> = function == .reciprocal ? 0.1...9 : -8...8
                try check(.elementwise(function), [shape], in: range)
            }
        }
        for function in [Elementwise.log, .sqrt, .pow(exponent: 0.5), .pow(exponent: -1), .pow(exponent: -0.5), .pow(exponent: 2.2)] {
            try check(.elementwise(function), [[3, 1000]], in: 0.01...20)
        }
    }

    /// Where exponentials overflow, functions keep their limits.
    func testFunctionsFarOut() throws {
        for function in [Elementwise.elu(alpha: 1), .erf, .gelu, .geluTanh, .mish, .sigmoid, .swish(alpha: 1), .tanh, .selu(alpha: 1.6, gamma: 1)] {
            let far: [Float] = [-1e4, -200, -90, -50, -20, 20, 50, 200, 1e4]
            var network = Network(name: "one", inputs: [ValueInfo(name: "x", shape: [.fixed(far.count)])], outputs: [], nodes: [], layers: [:], layerOrder: [])
            network.nodes = [Node(name: "n", operation: .elementwise(function), inputs: ["x"], output: "y")]
            network.outputs = [ValueInfo(name: "y", shape: [])]
            let found = try Session(network: network, maximumBatch: 1, threads: 1).run([far], batch: 1)[0]
            let limits: (Float, Float) =
                switch function {
                case .elu(let alpha): (-alpha, 0)
                case .selu(let alpha, _): (-alpha, 0)
                case .erf, .tanh: (-1, 1)
                case .sigmoid: (0, 1)
                default: (0, 0)
                }
            for (x, y) in zip(far, found) {
                let expected = x < 0 ? limits.0 : limits.1 == 0 ? x : limits.1
                XCTAssertEqual(y, expected, accuracy: 1e-5 * max(1, abs(expected)), "\(function) of \(x)")
            }
        }
    }

    func testBinary() throws {
        let functions: [Binary] = [.add, .subtract, .multiply, .divide, .minimum, .maximum, .power]
        for function in functions {
            for _ in 0..<12 {
                let rank = size(1...5)
                let full = shape(rank: rank, 1...9)
                func part() -> [Int] {
                    let kept = full.map { Bool.random(using: &generator) ? $0 : 1 }
                    return Array(kept.suffix(size(1...rank)))
                }
                let range: ClosedRange<Float> = 0.25...3
                switch size(0...4) {
                case 0: try check(.binary(function), [full, full], in: range)
                case 1: try check(.binary(function), [full, part()], in: range)
                case 2: try check(.binary(function), [part(), full], in: range)
                case 3: try check(.binary(function), [part(), part()], in: range)
                default:
                    let (index, shape) = (size(0...1), part())
                    let shapes = index == 0 ? [shape, full] : [full, shape]
                    try check(.binary(function), shapes, in: range, constants: [index: numbers(shape, in: range)])
                }
            }
        }
        // Squeeze and excitation: one number per channel, from either side; a number per place.
        for shapes in [[[2, 19, 6, 5], [2, 19, 1, 1]], [[1, 40, 1, 1], [1, 40, 30, 31]], [[2, 8, 3, 3], [2, 1, 3, 3]], [[2, 8, 3, 3], [8, 1, 1]]] {
            try check(.multiply, shapes)
            try check(.binary(.subtract), shapes)
        }
        try check(.add, [[], [2, 3]])
    }

    func testPrelu() throws {
        for slope in [[1], [5, 1, 1], [1, 5, 4, 3], [3], [1, 5, 1, 1]] {
            try check(.prelu, [[2, 5, 4, 3], slope])
            try check(.prelu, [[2, 5, 4, 3], slope], constants: [1: numbers(slope, in: -1...1)])
        }
        try check(.prelu, [[7, 5], [5]])
    }

    func testMatrixProduct() throws {
        let shapes = [
            [[3, 4], [4, 5]], [[4], [4, 5]], [[3, 4], [4]], [[4], [4]], [[2, 3, 4], [4, 5]], [[2, 3, 4], [2, 4, 5]], [[3, 4], [2, 4, 5]],
            [[2, 1, 3, 4], [1, 6, 4, 5]], [[2, 6, 3, 4], [6, 4, 5]], [[2, 3, 4], [4]], [[4], [2, 4, 5]], [[1, 1, 1], [1, 1, 1]],
            [[2, 2, 9, 33], [2, 2, 33, 11]], [[5, 2, 3, 4], [1, 1, 4, 2]], [[2, 3, 1, 40], [2, 3, 40, 1]], [[35, 30], [30, 20]],
        ]
        for pair in shapes {
            try check(.matrixProduct, pair, in: -1...1)
            try check(.matrixProduct, pair, in: -1...1, constants: [1: numbers(pair[1], in: -1...1)])
            try check(.matrixProduct, pair, in: -1...1, constants: [0: numbers(pair[0], in: -1...1)])
        }
    }

    /// Rows that are worked on in parts.
    func testBinaryOfLongRows() throws {
        for shape in [[2, 3, 53, 52], [1, 16_385], [1, 8, 32, 32]] {
            for threads in [1, 3] {
                try check(.binary(.add), [shape, shape], threads: threads)
                try check(.binary(.multiply), [shape, [1]], constants: [1: [0.3]], threads: threads)
                try check(.binary(.subtract), [[1], shape], constants: [0: [2]], threads: threads)
            }
        }
    }

    func testReductions() throws {
        let reductions: [Reduction] = [.mean, .sum, .maximum, .minimum, .product, .l1, .l2, .sumOfSquares]
        for reduction in reductions {
            for _ in 0..<15 {
                let rank = size(1...5)
                var axes = (0..<rank).filter { _ in Bool.random(using: &generator) }
                if axes.isEmpty { axes = [size(0...(rank - 1))] }
                let range: ClosedRange<Float> = reduction == .product ? 0.7...1.3 : -2...3
                try check(.reduce(reduction, axes: axes, keepsDimensions: Bool.random(using: &generator)), [shape(rank: rank, 1...9)], in: range)
            }
            let range: ClosedRange<Float> = reduction == .product ? 0.99...1.01 : -2...3
            try check(.reduce(reduction, axes: [2, 3], keepsDimensions: true), [[2, 70, 13, 11]], in: range)
            try check(.reduce(reduction, axes: [1], keepsDimensions: false), [[3, 1001]], in: range)
        }
    }

    func testArguments() throws {
        for _ in 0..<25 {
            let rank = size(1...5), axis = size(0...(rank - 1))
            try check(
                .argument(pick([.maximum, .minimum]), axis: axis, keepsDimension: Bool.random(using: &generator), selectsLast: false),
                [shape(rank: rank, 1...9)])
        }
        // Ties.
        let shape = [2, 6, 70, 3]
        let values = (0..<shape.reduce(1, *)).map { _ in Float(Int.random(in: 0...2, using: &generator)) }
        for (extremum, last) in [(Extremum.maximum, true), (.maximum, false), (.minimum, true), (.minimum, false)] {
            for axis in 0..<4 {
                var network = Network(name: "one", inputs: [ValueInfo(name: "x", shape: shape.map { .fixed($0) })], outputs: [], nodes: [], layers: [:], layerOrder: [])
                network.nodes = [Node(name: "n", operation: .argument(extremum, axis: axis, keepsDimension: true, selectsLast: last), inputs: ["x"], output: "y")]
                network.outputs = [ValueInfo(name: "y", shape: [])]
                try NetworkComparison(network, inputs: [values], batch: 1, threads: 1).assertAccepted("\(extremum), axis \(axis), last \(last)")
            }
        }
    }

    func testNormalizations() throws {
        for rank in 1...5 {
            for axis in 0..<rank {
                let shape = shape(rank: rank, 1...9)
                try check(.softmax(axis: axis), [shape])
                try check(.logSoftmax(axis: axis), [shape])
                try check(.layerNormalization(axis: axis, epsilon: 1e-3), [shape])
            }
        }
        try check(.softmax(axis: 1), [[2, 21, 9, 9]])
        try check(.softmax(axis: 1), [[3, 1000]])
        try check(.logSoftmax(axis: 1), [[3, 1000]])
        try check(.layerNormalization(axis: 2, epsilon: 1e-5), [[2, 30, 77]])
        try check(.layerNormalization(axis: 1, epsilon: 1e-5), [[2, 30, 7, 5]])
        for size in [1, 2, 3, 5, 6, 11] {
            for channels in [1, 5, 16, 300] {
                try check(.localResponseNormalization(size: size, alpha: 0.3, beta: 0.75, bias: 1), [[2, channels, 3, 4]])
                try check(.localResponseNormalization(size: size, alpha: 0.01, beta: 0.5, bias: 2), [[1, channels, 2, 2]])
            }
        }
    }

    func testRearrangements() throws {
        for _ in 0..<10 {
            let rank = size(1...5)
            let full = shape(rank: rank, 2...6)
            try check(.transpose(permutation: (0..<rank).shuffled(using: &generator)), [full])
            try check(.concat(axis: size(0...(rank - 1))), [full, full, full])
            let part = Array(full.map { Bool.random(using: &generator) ? $0 : 1 }.suffix(size(1...rank)))
            try check(.expand(full), [part])
            let axis = size(0...(rank - 1))
            for indexShape in [[], [3], [2, 2]] {
                let indices = (0..<indexShape.reduce(1, *)).map { _ in size(0...(full[axis] - 1)) }
                try check(.gather(indices: indices, shape: indexShape, axis: axis), [full])
            }
            for padding in [Padding.reflect, .edge, .wrap, .constant(1.5)] {
                try check(.pad(pads: full.map { size(0...($0 - 1)) } + full.map { size(0...($0 - 1)) }, padding), [full])
            }
            try check(.slice(starts: [-1], ends: [-1000], axes: [axis], steps: [-1]), [full])
            try check(.slice(starts: [1], ends: [1000], axes: [axis], steps: [2]), [full])
        }
        for (permutation, shape) in [([0, 3, 1, 2], [2, 5, 6, 3]), ([0, 2, 3, 1], [2, 3, 5, 6])] {
            try check(.transpose(permutation: permutation), [shape])
        }
        for block in [1, 2, 3] {
            try check(.depthToSpace(blockSize: block, .depthColumnRow), [[2, 5 * block * block, 3, 4]])
            try check(.depthToSpace(blockSize: block, .columnRowDepth), [[2, 5 * block * block, 3, 4]])
            try check(.spaceToDepth(blockSize: block), [[2, 5, 3 * block, 2 * block]])
        }
        try check(.reshape([2, -1, 3], allowZero: false), [[2, 5, 6, 3]])
        try check(.unsqueeze(axes: [2]), [[2, 5, 6]])
        try check(.squeeze(axes: [2]), [[2, 5, 1, 6]])
    }

    func testResize() throws {
        let modes: [Resize.Mode] = [
            .linear, .cubic(a: -0.75), .cubic(a: -0.5), .nearest(.roundPreferFloor), .nearest(.roundPreferCeil), .nearest(.floor), .nearest(.ceil),
        ]
        let coordinates: [Resize.Coordinates] = [.halfPixel, .halfPixelSymmetric, .pytorchHalfPixel, .alignCorners, .asymmetric]
        for mode in modes {
            for coordinate in coordinates {
                // Binary fractions: in single precision and in double they lie on the same side of a half.
                for factors in [[2, 2], [0.5, 4], [1, 0.25], [2.5, 0.625]] {
                    let from = [1, size(1...3), 8, 16]
                    let sizes = [Int(8 * factors[0]), Int(16 * factors[1])]
                    for isFiltered in [false, true] {
                        if case .nearest = mode, isFiltered { continue }
                        let resize = Resize(
                            axes: [2, 3], sizes: sizes, scales: factors.map { Float($0) }, mode: mode, coordinates: coordinate,
                            excludesOutside: isFiltered && Bool.random(using: &generator), antialiases: isFiltered)
                        try check(.resize(resize), [from])
                    }
                }
            }
        }
        try check(.resize(Resize(axes: [1], sizes: [9], scales: [1.8], mode: .linear, coordinates: .halfPixel)), [[3, 5, 2]])
        try check(.resize(Resize(axes: [2, 3], sizes: [1, 1], scales: [0.25, 0.5], mode: .linear, coordinates: .alignCorners)), [[1, 3, 4, 2]])
    }

    /// Scales that have nothing to do with the sizes, which a network built by hand can state, choose some elements of the input.
    func testResizeWithAbsurdScales() throws {
        for scale: Float in [1e-38, 1e-20, 1e20, .greatestFiniteMagnitude, .leastNonzeroMagnitude] {
            for coordinates in [Resize.Coordinates.halfPixel, .halfPixelSymmetric, .asymmetric] {
                for mode in [Resize.Mode.nearest(.floor), .linear, .cubic(a: -0.5)] {
                    var network = Network(name: "one", inputs: [ValueInfo(name: "x", shape: [.fixed(5)])], outputs: [], nodes: [], layers: [:], layerOrder: [])
                    let resize = Resize(
                        axes: [0], sizes: [3], scales: [scale], mode: mode, coordinates: coordinates, antialiases: mode == .linear)
                    network.nodes = [Node(name: "n", operation: .resize(resize), inputs: ["x"], output: "y")]
                    network.outputs = [ValueInfo(name: "y", shape: [])]
                    let found = try Session(network: network, maximumBatch: 1, threads: 1).run([[1, 2, 3, 4, 5]], batch: 1)[0]
                    XCTAssertTrue(found.allSatisfy { (0.5...5.5).contains($0) }, "\(resize): \(found)")
                }
            }
        }
    }

    func testPools() throws {
        for _ in 0..<20 {
            var pooling = Pooling(kernel: [size(1...3), size(1...3)], strides: [size(1...2), size(1...3)], dilations: [size(1...2), size(1...2)])
            pooling.ceilMode = Bool.random(using: &generator)
            try check(.maxPool(pooling), [[size(1...2), size(1...20), size(5...9), size(5...9)]])
            try check(.averagePool(pooling, countsPadding: Bool.random(using: &generator)), [[1, size(1...20), size(5...9), size(5...9)]])
            let padded = Pooling(kernel: [3, 2], strides: [2, 1], pads: [1, 0, 2, 1], dilations: [1, 2], ceilMode: pooling.ceilMode)
            try check(.maxPool(padded), [[2, size(1...20), size(5...9), size(5...9)]], in: -4 ... -1)
            try check(.averagePool(padded, countsPadding: false), [[2, size(1...20), size(5...9), size(5...9)]])
        }
    }

    /// Sums of many numbers of one sign, one after the other in float32, lose digits.
    func testMeansOfLargeImages() throws {
        let whole = Pooling(kernel: [180, 181], strides: [1, 1])
        for channels in [1, 18] {
            for operation in [MultipointGraph.Operation.globalAveragePool, .averagePool(whole, countsPadding: false)] {
                try check(operation, [[2, channels, 180, 181]], in: 0.1...0.10001)
            }
        }
    }

    // MARK: bounds

    private func network(_ operation: MultipointGraph.Operation, input: [Int]) -> Network {
        var network = Network(
            name: "one", inputs: [ValueInfo(name: "x", shape: input.map { .fixed($0) })], outputs: [], nodes: [], layers: [:], layerOrder: [])
        network.nodes = [Node(name: "n", operation: operation, inputs: ["x"], output: "y")]
        network.outputs = [ValueInfo(name: "y", shape: [])]
        return network
    }

    /// A few bytes of a file can ask for tables of any length.
    func testTablesThatAreTooLong() throws {
        let long = 1 << 30
        func resize(_ mode: Resize.Mode) -> MultipointGraph.Operation {
            .resize(Resize(axes: [0], sizes: [long], scales: [Float(long) / 2], mode: mode, coordinates: .halfPixel))
        }
        for operation in [resize(.linear), resize(.cubic(a: -0.75)), resize(.nearest(.floor)), .pad(pads: [0, long], .edge)] {
            XCTAssertThrowsError(try Session(network: network(operation, input: [2]), maximumBatch: 1, threads: 1)) { error in
                let error = error as? RuntimeError
                XCTAssertEqual(error?.kind, .unsupported, "\(operation)")
                XCTAssertTrue(error?.description.contains("node `n`") == true, "\(String(describing: error))")
            }
        }
    }

    /// More elements in the windows of a pooling than an integer can count.
    func testPoolingWithFarTooLargeWindows() throws {
        let most = 1 << 20
        let pooling = Pooling(kernel: [most, most], strides: [1, 1], pads: [most, most, most, most], dilations: [2, 2])
        _ = try Session(network: network(.maxPool(pooling), input: [1, 1 << 22, 3, 3]), maximumBatch: 1, threads: 1)
    }
}
