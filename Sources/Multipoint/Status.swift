import CMultipoint
import DNNL
import Headroom
import MultipointFormat
import MultipointGraph
import MultipointQuantization
import MultipointRuntime

/// A failure of a C call: the status it returns and the message that `multipoint_last_error` gives.
struct CallError: Error {
    var status: multipoint_status
    var message: String

    init(_ status: multipoint_status, _ message: String) {
        self.status = status
        self.message = message
    }

    static func invalid(_ message: String) -> CallError { CallError(MULTIPOINT_INVALID_ARGUMENT, message) }
}

/// Runs the body of a C call: every error becomes a status and the thread's message.
@inline(__always)
func call(_ body: () throws -> Void) -> multipoint_status {
    LastError.clear()
    do {
        try body()
        return MULTIPOINT_OK
    } catch {
        let failure = CallError(any: error)
        LastError.set(failure.message)
        return failure.status
    }
}

extension CallError {
    /// Errors of the caller's own arguments and of the runtime; `graph` says what a graph error means here.
    init(any error: any Error) {
        switch error {
        case let error as CallError: self = error
        case let error as RuntimeError: self.init(error.kind.status, error.description)
        case let error as PackedFileError: self.init(error.kind.status, error.description)
        case let error as GraphError:
            self.init(error.kind == .unsupported ? MULTIPOINT_UNSUPPORTED : MULTIPOINT_INVALID_ARGUMENT, error.description)
        case let error as PackedWeightsError: self = .invalid(error.description)
        case let error as QuantizationError: self = .invalid(error.description)
        case let error as OutOfMemory: self.init(MULTIPOINT_OUT_OF_MEMORY, error.description)
        case let error as DNNLError:
            self.init(error.reason == .outOfMemory ? MULTIPOINT_OUT_OF_MEMORY : MULTIPOINT_INTERNAL_ERROR, error.description)
        default: self.init(MULTIPOINT_INTERNAL_ERROR, "\(error)")
        }
    }
}

extension RuntimeError.Kind {
    var status: multipoint_status {
        switch self {
        case .invalidArgument: MULTIPOINT_INVALID_ARGUMENT
        case .unsupported: MULTIPOINT_UNSUPPORTED
        case .limitExceeded: MULTIPOINT_LIMIT_EXCEEDED
        case .outOfMemory: MULTIPOINT_OUT_OF_MEMORY
        case .forked: MULTIPOINT_FORKED
        case .unsupportedMachine: MULTIPOINT_UNSUPPORTED_MACHINE
        case .dnnl: MULTIPOINT_INTERNAL_ERROR
        }
    }
}

extension PackedFileError.Kind {
    var status: multipoint_status {
        switch self {
        case .io: MULTIPOINT_IO_ERROR
        case .badFormat: MULTIPOINT_BAD_FORMAT
        case .unsupported: MULTIPOINT_UNSUPPORTED
        case .limitExceeded: MULTIPOINT_LIMIT_EXCEEDED
        case .cancelled: MULTIPOINT_CANCELLED
        case .outOfMemory: MULTIPOINT_OUT_OF_MEMORY
        }
    }
}
