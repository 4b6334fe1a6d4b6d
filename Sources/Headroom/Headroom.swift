import Glibc

/// There is no memory for what is about to be allocated.
public struct OutOfMemory: Error, Equatable, CustomStringConvertible, Sendable {
    public var description: String

    public init(_ description: String) { self.description = description }
    public init(byteCount: Int) { self.init("no memory for \(byteCount) bytes") }
}

/// What must be left beside the bytes that are asked for: for objects, strings and small arrays, and for oneDNN's own.
public let headroom = 8 << 20

/// Makes sure that there is memory for `byteCount` bytes and for the small things that come along with them, before Swift's allocator or
/// oneDNN's, which end the process when malloc has nothing for them, are asked. What is enough at this moment need not be when another
/// thread takes it first.
///
/// Costs two system calls and touches nothing: the pages are asked for and given back.
public func requireMemory(_ byteCount: Int = 0) throws(OutOfMemory) {
    let (wanted, overflow) = byteCount.addingReportingOverflow(headroom)
    guard byteCount >= 0, !overflow else { throw OutOfMemory("no memory for so many bytes") }
    let found = mmap(nil, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let found, found != MAP_FAILED else { throw OutOfMemory(byteCount: byteCount) }
    munmap(found, wanted)
}

/// The same for a product, such as the elements of an array and their size.
public func requireMemory(_ count: Int, of size: Int) throws(OutOfMemory) {
    let (product, overflow) = count.multipliedReportingOverflow(by: size)
    guard !overflow else { throw OutOfMemory("no memory for \(count) times \(size) bytes") }
    try requireMemory(product)
}
