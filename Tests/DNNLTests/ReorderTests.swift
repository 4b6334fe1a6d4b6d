import DNNL
import XCTest

final class ReorderTests: XCTestCase {
    /// What a reorder makes of a tensor.
    private func reordered<From: BitwiseCopyable, To: BitwiseCopyable>(
        _ values: [From], _ from: MemoryDescriptor, _ to: MemoryDescriptor, blank: To, _ attributes: Attributes = Attributes()
    ) throws -> [To] {
        let (source, destination) = (Bytes(values), Bytes([To](repeating: blank, count: values.count)))
        let reorder = try reorder(from: from, to: to, attributes)
        let arguments = ArgumentList([(.source, try source.memory(from)), (.destination, try destination.memory(to))], of: reorder)
        try withExtendedLifetime((source, destination)) { try reorder.execute(Stream(), arguments) }
        return destination.elements
    }

    /// round_half_even(v / scale) + zero point, clamped to 0...255.
    func testQuantizesHalfToEvenAndSaturates() throws {
        let values: [Float] = [0, 0.5, 1.5, 2.5, -0.5, -1.5, 300, -300, 126.4, 126.6]
        let (from, to) = (try MemoryDescriptor([values.count], .float32), try MemoryDescriptor([values.count], .uint8))
        var attributes = Attributes()
        attributes.scales = [1]
        attributes.destinationZeroPoint = 2
        let stored = try reordered(values, from, to, blank: UInt8(77), attributes)
        XCTAssertEqual(stored, [2, 2, 4, 4, 2, 0, 255, 0, 128, 129])
    }

    func testDequantizes() throws {
        let stored: [UInt8] = [0, 3, 5, 255]
        let (from, to) = (try MemoryDescriptor([4], .uint8), try MemoryDescriptor([4], .float32))
        var attributes = Attributes()
        attributes.scales = [0.5]
        attributes.sourceZeroPoint = 3
        let values = try reordered(stored, from, to, blank: Float(0), attributes)
        XCTAssertEqual(values, [-1.5, 0, 1, 126])
    }

    /// 1 × 2 × 2 × 3: C order 0...11 becomes pixels of two channels.
    func testChangesTheLayout() throws {
        let dense = (0..<12).map { Float($0) }
        let (from, to) = (try MemoryDescriptor([1, 2, 2, 3], .float32), try MemoryDescriptor.channelsLast([1, 2, 2, 3], .float32))
        let pixels = try reordered(dense, from, to, blank: Float(-1))
        XCTAssertEqual(pixels, [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11])
    }

    func testStrides() {
        XCTAssertEqual(MemoryDescriptor.denseStrides([2, 3, 4, 5]), [60, 20, 5, 1])
        XCTAssertEqual(MemoryDescriptor.channelsLastStrides([2, 3, 4, 5]), [60, 1, 15, 3])
    }
}
