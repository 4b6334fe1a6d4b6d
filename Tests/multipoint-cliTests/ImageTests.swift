import MultipointGraph
import NumPyArrays
import SeededNumbers
import XCTest

@testable import multipoint_cli

final class ImageTests: XCTestCase {
    private func network(_ shapes: [[ValueInfo.Dimension]]) -> Network {
        Network(
            name: "n", inputs: shapes.enumerated().map { ValueInfo(name: "x\($0.offset)", shape: $0.element) }, outputs: [],
            nodes: [], layers: [:],
            layerOrder: [])
    }

    private func assertRefused<R>(_ words: String..., line: UInt = #line, _ body: () throws -> R) {
        XCTAssertThrowsError(try body(), line: line) { error in
            for word in words { XCTAssertTrue("\(error)".contains(word), "\(error)", line: line) }
        }
    }

    /// value = (stored · scale − mean) / std, element by element in the network's order.
    func testPreprocessing() throws {
        var generator = SeededGenerator(seed: 6)
        for _ in 0..<40 {
            let (n, c) = (Int.random(in: 1...4, using: &generator), Int.random(in: 1...4, using: &generator))
            let (h, w) = (Int.random(in: 1...5, using: &generator), Int.random(in: 1...5, using: &generator))
            let layout: ImageLayout = Bool.random(using: &generator) ? .nhwc : .nchw
            let perChannel = Bool.random(using: &generator)
            let count = perChannel ? c : 1
            let preprocessing = Preprocessing(
                scale: 1 / 255, mean: (0..<count).map { _ in Float.random(in: 0...1, using: &generator) },
                deviation: (0..<count).map { _ in Float.random(in: 0.1...1, using: &generator) }, layout: layout)
            let bytes = (0..<n * c * h * w).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let shape = layout == .nhwc ? [n, h, w, c] : [n, c, h, w]
            for elements: NPYArray.Elements in [.uint8(bytes), .float32(bytes.map { Float($0) })] {
                let images = try ImageArray(path: "i.npy", NPYArray(shape: shape, elements: elements), preprocessing)
                XCTAssertEqual(images.imageShape, [c, h, w])
                let first = Int.random(in: 0..<n, using: &generator)
                var expected: [Float] = []
                for i in first..<n {
                    for k in 0..<c {
                        for y in 0..<h {
                            for x in 0..<w {
                                let index = layout == .nhwc ? ((i * h + y) * w + x) * c + k : ((i * c + k) * h + y) * w + x
                                let mean = Double(preprocessing.mean[perChannel ? k : 0])
                                expected.append(
                                    Float((Double(bytes[index]) / 255 - mean) / Double(preprocessing.deviation[perChannel ? k : 0]))
                                )
                            }
                        }
                    }
                }
                let found = try images.floats(first..<n)
                XCTAssertEqual(found.count, expected.count)
                for (a, b) in zip(found, expected) { XCTAssertEqual(a, b, accuracy: 1e-5) }
            }
        }
    }

    func testDefaultLayouts() throws {
        let bytes = NPYArray(shape: [1, 2, 2, 3], elements: .uint8([UInt8](0..<12)))
        XCTAssertEqual(try ImageArray(path: "", bytes, Preprocessing()).floats(0..<1), [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11])
        let floats = NPYArray(shape: [1, 2, 2, 3], elements: .float32((0..<12).map { Float($0) }))
        XCTAssertEqual(try ImageArray(path: "", floats, Preprocessing()).floats(0..<1), (0..<12).map { Float($0) })
        let vectors = NPYArray(shape: [2, 3], elements: .uint8([UInt8](0..<6)))
        XCTAssertEqual(try ImageArray(path: "", vectors, Preprocessing()).floats(1..<2), [3, 4, 5])
    }

    func testRefusedImages() {
        func images(_ shape: [Int], _ preprocessing: Preprocessing = Preprocessing()) throws -> ImageArray {
            try ImageArray(
                path: "i.npy", NPYArray(shape: shape, elements: .uint8([UInt8](repeating: 0, count: shape.reduce(1, *)))),
                preprocessing)
        }
        assertRefused("i.npy", "single number") { try images([]) }
        assertRefused("i.npy", "0×8×8×1", "no images") { try images([0, 8, 8, 1]) }
        assertRefused("--mean", "3 numbers", "1 channels") { try images([1, 8, 8, 1], Preprocessing(mean: [1, 2, 3])) }
        assertRefused("--std", "2 numbers", "3 channels") { try images([1, 8, 8, 3], Preprocessing(deviation: [1, 2])) }
    }

    func testIntegers() throws {
        let preprocessing = Preprocessing(scale: 2)
        let wide = try ImageArray(path: "i.npy", NPYArray(shape: [2, 2], elements: .int64([1, -2, 3, 4])), preprocessing)
        XCTAssertEqual(try wide.floats(0..<2), [2, -4, 6, 8])
        let narrow = try ImageArray(path: "i.npy", NPYArray(shape: [1, 2], elements: .int32([5, -6])), preprocessing)
        XCTAssertEqual(try narrow.floats(0..<1), [10, -12])
    }

    func testNumbersThatAreNotFinite() throws {
        var values = [Float](repeating: 0.5, count: 12)
        values[7] = .nan
        let images = try ImageArray(path: "i.npy", NPYArray(shape: [3, 4], elements: .float32(values)), Preprocessing())
        XCTAssertEqual(try images.floats(0..<1), [0.5, 0.5, 0.5, 0.5])
        assertRefused("i.npy", "image 1", "element 3", "nan") { try images.floats(1..<3) }
        let large = try ImageArray(
            path: "i.npy", NPYArray(shape: [2, 1], elements: .float32([1, 3e38])), Preprocessing(scale: 1e10))
        assertRefused("i.npy", "image 1", "not finite after") { try large.floats(0..<2) }
    }

    func testShapesAgainstTheNetwork() throws {
        let network = network([[.batch, .fixed(3), .fixed(32), .fixed(32)]])
        func images(_ shape: [Int]) throws -> ImageArray {
            try ImageArray(
                path: "i.npy", NPYArray(shape: shape, elements: .uint8([UInt8](repeating: 0, count: shape.reduce(1, *)))),
                Preprocessing())
        }
        XCTAssertEqual(try NetworkInputs(network, [images([5, 32, 32, 3])]).sampleCount, 5)
        assertRefused("an image has 32×32×4 (nhwc), network input `x0` wants N×3×32×32") {
            try NetworkInputs(network, [images([5, 32, 32, 4])])
        }
        assertRefused("an image has 3×32×32 (nhwc)") { try NetworkInputs(network, [images([5, 3, 32, 32])]) }
        assertRefused("an image has 3072,") { try NetworkInputs(network, [images([5, 3072])]) }
        assertRefused("1 inputs (x0)", "found 2") { try NetworkInputs(network, paths: ["a", "b"], Preprocessing()) }
        var limited = try NetworkInputs(network, [images([5, 32, 32, 3])])
        limited.limit(to: 3)
        XCTAssertEqual(limited.sampleCount, 3)
        limited.limit(to: 30)
        XCTAssertEqual(limited.sampleCount, 3)
    }

    func testFixedBatchesAndSeveralInputs() throws {
        func images(_ count: Int, of size: Int) throws -> ImageArray {
            try ImageArray(
                path: "i.npy", NPYArray(shape: [count, size], elements: .float32((0..<count * size).map { Float($0) })),
                Preprocessing())
        }
        let network = network([[.fixed(2), .fixed(3)], [.fixed(1), .fixed(1)]])
        let inputs = try NetworkInputs(network, [images(6, of: 3), images(3, of: 1)])
        XCTAssertEqual(inputs.sampleCount, 3)
        XCTAssertEqual(try inputs.batch(1..<2), [[6, 7, 8, 9, 10, 11], [1]])
        assertRefused("5 images", "batches of 2") { try NetworkInputs(network, [images(5, of: 3), images(3, of: 1)]) }
        assertRefused("3, 4 images") { try NetworkInputs(network, [images(6, of: 3), images(4, of: 1)]) }
    }

    func testNumberLists() {
        XCTAssertEqual(NumberList(argument: "0.485,0.456, 0.406")?.values, [0.485, 0.456, 0.406])
        XCTAssertEqual(NumberList(argument: "-1")?.values, [-1])
        for text in ["", ",", "1,", "a", "1;2", "nan", "inf", "1e60"] { XCTAssertNil(NumberList(argument: text), text) }
    }
}
