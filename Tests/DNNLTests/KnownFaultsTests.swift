import DNNL
import XCTest

/// The combination for which oneDNN's AVX-512 1×1 kernel is wrong, with whatever instruction set the test runs.
final class KnownFaultsTests: XCTestCase {
    /// Kernels that would keep hundreds of megabytes for so wide a result. (Their kind exists with AVX-512 alone.)
    func testWideConvolutionsTakeNoMemoryForEachColumn() throws {
        for type in [ElementType.float32, .uint8] {
            let primitive = try convolution(
                source: .channelsLast([1, 2, 1, 100_000], type),
                weights: .any([4, 2, 1, 3], type == .uint8 ? .int8 : .float32), bias: nil,
                destination: .channelsLast([1, 4, 1, 100_000], .float32),
                window: Window(kernel: [1, 3], strides: [1, 1], pads: [0, 1, 0, 1], dilations: [1, 1]))
            XCTAssertFalse(primitive.implementation.hasPrefix("brgconv"), primitive.implementation)
            XCTAssertFalse(primitive.isReference, primitive.implementation)
        }
    }

    func testFivePositionsOfAOneByOneConvolution() throws {
        let (inputs, outputs, positions) = (60, 218, 5)
        let source = Bytes((0..<(inputs * positions)).map { UInt8(truncatingIfNeeded: $0 &* 37) })
        let weights = Bytes((0..<(inputs * outputs)).map { Int8(truncatingIfNeeded: ($0 &* 53) % 129 - 64) })
        let sums = Bytes([Int32](repeating: 0, count: outputs * positions))
        let plain = try MemoryDescriptor([outputs, inputs, 1, 1], .int8)
        let (from, to) = (
            try MemoryDescriptor.channelsLast([1, inputs, 1, positions], .uint8),
            try MemoryDescriptor.channelsLast([1, outputs, 1, positions], .int32)
        )
        let primitive = try convolution(
            source: from, weights: .any([outputs, inputs, 1, 1], .int8), bias: nil, destination: to,
            window: Window(kernel: [1, 1], strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1]))
        let chosen = try XCTUnwrap(primitive.weights())
        let packed = Bytes([UInt8](repeating: 0, count: chosen.byteCount))
        let scratchpad = Bytes([UInt8](repeating: 0, count: try primitive.scratchpad()?.byteCount ?? 0))
        let reorder = try reorder(from: plain, to: chosen)
        let packing = ArgumentList([(.source, try weights.memory(plain)), (.destination, try packed.memory(chosen))], of: reorder)
        try withExtendedLifetime((weights, packed)) { try reorder.execute(Stream(), packing) }
        var arguments: [(Argument, Memory)] = [
            (.source, try source.memory(from)), (.weights, try packed.memory(chosen)), (.destination, try sums.memory(to)),
        ]
        if let descriptor = try primitive.scratchpad() { arguments.append((.scratchpad, try scratchpad.memory(descriptor))) }
        try withExtendedLifetime((source, packed, scratchpad, sums)) { 
            try primitive.execute(Stream(), ArgumentList(arguments, of: primitive))
        }
        var expected = [Int32](repeating: 0, count: outputs * positions)
        for position in 0..<positions {
            for output in 0..<outputs {
                for input in 0..<inputs {
                    expected[position * outputs + output] +=
                        Int32(source.pointer[position * inputs + input]) * Int32(weights.pointer[output * inputs + input])
                }
            }
        }
        XCTAssertEqual(sums.elements, expected, primitive.implementation)
    }
}
