import CDNNL
import Headroom

/// A oneDNN call that did not succeed.
public struct DNNLError: Error, Equatable, CustomStringConvertible, Sendable {
    public enum Reason: Sendable {
        case outOfMemory
        /// No implementation for this combination of shapes, types and attributes.
        case unimplemented
        case other
    }

    /// What was being done, such as "create convolution".
    public var call: String
    /// oneDNN's dnnl_status_t.
    public var status: UInt32

    public var reason: Reason {
        switch status {
        case dnnl_out_of_memory.rawValue: .outOfMemory
        case dnnl_unimplemented.rawValue: .unimplemented
        default: .other
        }
    }

    public var description: String {
        let name =
            switch status {
            case dnnl_out_of_memory.rawValue: "out of memory"
            case dnnl_invalid_arguments.rawValue: "invalid arguments"
            case dnnl_unimplemented.rawValue: "not implemented by oneDNN"
            case UInt32(onednn_no_implementation_left): "no implementation left"
            case dnnl_runtime_error.rawValue: "runtime error"
            default: "status \(status)"
            }
        return "oneDNN: \(call): \(name)"
    }
}

/// Makes sure of memory for what oneDNN allocates while it compiles: it writes through the NULL of an allocation that failed.
func requireHeadroom(_ call: @autoclosure () -> String) throws(DNNLError) {
    do { try requireMemory() } catch { throw DNNLError(call: call(), status: dnnl_out_of_memory.rawValue) }
}

/// Throws unless oneDNN reports success.
@inline(__always)
func check(_ status: dnnl_status_t, _ call: @autoclosure () -> String) throws(DNNLError) {
    if status != dnnl_success { throw DNNLError(call: call(), status: status.rawValue) }
}
