import CMultipoint
import Glibc
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
    let pointer: UnsafePointer<CChar>?
    init(_ text: String) { pointer = strdup(text).map { UnsafePointer($0) } }
    deinit { free(UnsafeMutableRawPointer(mutating: pointer)) }
}

/// A C array with an owner.
final class OwnedArray<Element: BitwiseCopyable>: @unchecked Sendable {
    let pointer: UnsafePointer<Element>
    let count: Int

    init(_ elements: [Element]) {
        let storage = UnsafeMutablePointer<Element>.allocate(capacity: max(1, elements.count))
        for (index, element) in elements.enumerated() { (storage + index).initialize(to: element) }
        pointer = UnsafePointer(storage)
        count = elements.count
    }

    deinit { pointer.deallocate() }
}

/// The caller's UTF-8 string.
func text(_ pointer: UnsafePointer<CChar>?, _ name: StaticString) throws(CallError) -> String {
    guard let text = String(validatingCString: try required(pointer, name)) else { throw .invalid("`\(name)` is not UTF-8") }
    return text
}
