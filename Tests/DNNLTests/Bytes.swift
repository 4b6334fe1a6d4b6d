import DNNL

/// Memory of a test with an owner, so that oneDNN's views of it stay valid.
final class Bytes<Element: BitwiseCopyable> {
    let pointer: UnsafeMutablePointer<Element>
    let count: Int

    init(_ elements: [Element]) {
        pointer = .allocate(capacity: max(1, elements.count))
        pointer.initialize(from: elements, count: elements.count)
        count = elements.count
    }

    deinit { pointer.deallocate() }

    var elements: [Element] { Array(UnsafeBufferPointer(start: pointer, count: count)) }

    func memory(_ descriptor: MemoryDescriptor) throws -> Memory { try Memory(descriptor, data: UnsafeMutableRawPointer(pointer)) }
}
