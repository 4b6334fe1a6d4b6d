import CMultipoint

// Structs that start with `size_t struct_size` may grow. A caller compiled against an older header passes a smaller one, a caller
// compiled against a newer header a larger one.

/// No struct is near this size.
private let largestStruct = 4096

/// The caller's options, with fields that it does not know about zero.
/// - Parameter smallest: the struct's size in version 0.1.0, if it has grown since.
/// - Throws: if `struct_size` is not set, or the caller sets a field that this version does not know.
func options<T: BitwiseCopyable & ZeroInitialized>(
    _ pointer: UnsafePointer<T>, _ name: StaticString, smallest: Int = MemoryLayout<T>.size
) throws(CallError) -> T {
    let known = MemoryLayout<T>.size
    let raw = UnsafeRawPointer(pointer)
    let size = raw.loadUnaligned(as: Int.self)
    guard (smallest...largestStruct).contains(size) else {
        throw .invalid("`\(name)`: struct_size is \(size); sizeof of the struct, \(known), is expected")
    }
    if size > known {
        for offset in known..<size where raw.load(fromByteOffset: offset, as: UInt8.self) != 0 {
            throw .invalid("`\(name)`: byte \(offset) is set, which version \(MULTIPOINT_VERSION_MAJOR).\(MULTIPOINT_VERSION_MINOR) does not know")
        }
    }
    var options = T()
    withUnsafeMutableBytes(of: &options) { $0.copyMemory(from: UnsafeRawBufferPointer(start: raw, count: min(size, known))) }
    return options
}

/// C structs, which Swift makes with every field zero.
protocol ZeroInitialized { init() }
extension multipoint_model_options: ZeroInitialized {}
extension multipoint_session_options: ZeroInitialized {}
extension multipoint_weights: ZeroInitialized {}
extension multipoint_layer_descriptor: ZeroInitialized {}
extension multipoint_plan_options: ZeroInitialized {}
extension multipoint_packing_options: ZeroInitialized {}

/// Writes a description into the caller's struct, as much of it as the caller knows.
func fill<T: BitwiseCopyable>(_ pointer: UnsafeMutablePointer<T>?, _ name: StaticString, _ value: () throws -> T) throws {
    let pointer = try required(pointer, name)
    let raw = UnsafeMutableRawPointer(pointer)
    let size = raw.loadUnaligned(as: Int.self)
    let known = MemoryLayout<T>.size
    guard (known...largestStruct).contains(size) else {
        throw CallError.invalid("`\(name)`: struct_size is \(size); sizeof of the struct, \(known), is expected")
    }
    let filled = try value()
    raw.storeBytes(of: filled, as: T.self)
    raw.storeBytes(of: size, as: Int.self)
}
