import CMultipoint
import Glibc
import Headroom
import MultipointRuntime

/// Objects behind the opaque pointers of the C ABI. A handle owns one reference.
extension OpaquePointer {
    init(retaining object: some AnyObject) { self.init(Unmanaged.passRetained(object).toOpaque()) }

    /// The object, without changing its reference count.
    @inline(__always)
    func object<T: AnyObject>(_ type: T.Type) -> T {
        Unmanaged<T>.fromOpaque(UnsafeRawPointer(self)).takeUnretainedValue()
    }

    func release<T: AnyObject>(_ type: T.Type) { Unmanaged<T>.fromOpaque(UnsafeRawPointer(self)).release() }
}

/// An argument that must not be NULL.
@inline(__always)
func required<T>(_ argument: T?, _ name: StaticString) throws(CallError) -> T {
    guard let argument else { throw .invalid("`\(name)` is NULL") }
    return argument
}

/// A C string with an owner.
final class OwnedText: @unchecked Sendable {
    let pointer: UnsafePointer<CChar>

    init(_ text: String) throws(OutOfMemory) {
        guard let copy = strdup(text) else { throw OutOfMemory(byteCount: text.utf8.count + 1) }
        pointer = UnsafePointer(copy)
    }

    deinit { free(UnsafeMutableRawPointer(mutating: pointer)) }
}

/// A C array with an owner.
final class OwnedArray<Element: BitwiseCopyable>: @unchecked Sendable {
    let pointer: UnsafePointer<Element>
    let count: Int
    private let memory: AlignedBuffer

    /// - Parameter fill: initializes memory for `count` elements.
    init(count: Int, _ fill: (UnsafeMutablePointer<Element>) throws -> Void) throws {
        memory = try AlignedBuffer(byteCount: count * MemoryLayout<Element>.stride)
        let elements = memory.base.bindMemory(to: Element.self, capacity: count)
        try fill(elements)
        pointer = UnsafePointer(elements)
        self.count = count
    }

    convenience init(_ elements: [Element]) throws {
        try self.init(count: elements.count) { $0.initialize(from: elements, count: elements.count) }
    }
}

/// The caller's UTF-8 string.
func text(_ pointer: UnsafePointer<CChar>?, _ name: StaticString) throws(CallError) -> String {
    guard let text = String(validatingCString: try required(pointer, name)) else { throw .invalid("`\(name)` is not UTF-8") }
    return text
}
