import CMultipoint
import DNNL
import Glibc

/// A C string that lives as long as the process.
private func permanent(_ text: String) -> UnsafePointer<CChar>? { strdup(text).map { UnsafePointer($0) } ?? ("unknown" as StaticString).cString }

private struct PermanentText: @unchecked Sendable { let pointer: UnsafePointer<CChar>? }

private let version = PermanentText(
    pointer: permanent("\(MULTIPOINT_VERSION_MAJOR).\(MULTIPOINT_VERSION_MINOR).\(MULTIPOINT_VERSION_PATCH)"))

private let buildInfo = PermanentText(
    pointer: permanent(
        "multipoint \(MULTIPOINT_VERSION_MAJOR).\(MULTIPOINT_VERSION_MINOR).\(MULTIPOINT_VERSION_PATCH), "
            + Machine.summary))

@_cdecl("multipoint_version")
public func multipoint_version() -> UnsafePointer<CChar>? { version.pointer }

@_cdecl("multipoint_version_number")
public func multipoint_version_number() -> UInt32 {
    UInt32(MULTIPOINT_VERSION_MAJOR * 10000 + MULTIPOINT_VERSION_MINOR * 100 + MULTIPOINT_VERSION_PATCH)
}

@_cdecl("multipoint_build_info")
public func multipoint_build_info() -> UnsafePointer<CChar>? { buildInfo.pointer }

@_cdecl("multipoint_status_string")
public func multipoint_status_string(_ status: multipoint_status) -> UnsafePointer<CChar>? {
    let text: StaticString =
        switch status {
        case MULTIPOINT_OK: "success"
        case MULTIPOINT_INVALID_ARGUMENT: "invalid argument"
        case MULTIPOINT_IO_ERROR: "input/output error"
        case MULTIPOINT_BAD_FORMAT: "bad format"
        case MULTIPOINT_UNSUPPORTED: "unsupported"
        case MULTIPOINT_NOT_FOUND: "not found"
        case MULTIPOINT_OUT_OF_MEMORY: "out of memory"
        case MULTIPOINT_CANCELLED: "cancelled"
        case MULTIPOINT_FORKED: "forked after a run with several threads"
        case MULTIPOINT_UNSUPPORTED_MACHINE: "unsupported machine"
        case MULTIPOINT_INTERNAL_ERROR: "internal error"
        case MULTIPOINT_LIMIT_EXCEEDED: "limit exceeded"
        default: "unknown status"
        }
    return text.cString
}

@_cdecl("multipoint_last_error")
public func multipoint_last_error() -> UnsafePointer<CChar>? { LastError.current ?? ("" as StaticString).cString }

extension StaticString {
    /// The literal's own memory, which ends with a zero byte. Not for single-scalar literals.
    var cString: UnsafePointer<CChar> { UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self) }
}
