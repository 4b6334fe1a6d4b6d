#include "failure.hpp"

#include <new>

namespace multipoint_triton {
namespace {

TRITONSERVER_Error_Code code_of(multipoint_status status) {
    switch (status) {
    case MULTIPOINT_INVALID_ARGUMENT:
    case MULTIPOINT_BAD_FORMAT: return TRITONSERVER_ERROR_INVALID_ARG;
    case MULTIPOINT_IO_ERROR:
    case MULTIPOINT_OUT_OF_MEMORY: return TRITONSERVER_ERROR_UNAVAILABLE;
    case MULTIPOINT_UNSUPPORTED:
    case MULTIPOINT_LIMIT_EXCEEDED:
    case MULTIPOINT_UNSUPPORTED_MACHINE: return TRITONSERVER_ERROR_UNSUPPORTED;
    case MULTIPOINT_NOT_FOUND: return TRITONSERVER_ERROR_NOT_FOUND;
    case MULTIPOINT_CANCELLED: return TRITONSERVER_ERROR_CANCELLED;
    default: return TRITONSERVER_ERROR_INTERNAL;
    }
}

} // namespace

void refuse(const std::string &message) { throw Failure(TRITONSERVER_ERROR_INVALID_ARG, message); }

void check(TRITONSERVER_Error *error) {
    if (error == nullptr) return;
    struct Deleted {
        TRITONSERVER_Error *error;
        ~Deleted() { TRITONSERVER_ErrorDelete(error); }
    } deleted{error};
    const char *message = TRITONSERVER_ErrorMessage(error);
    throw Failure(TRITONSERVER_ErrorCode(error), message == nullptr ? "the server failed without a message" : message);
}

void check(multipoint_status status, const std::string &context) {
    if (status == MULTIPOINT_OK) return;
    throw Failure(code_of(status), context + ": " + multipoint_last_error());
}

void check_run(multipoint_status status, const std::string &context) {
    if (status != MULTIPOINT_LIMIT_EXCEEDED) return check(status, context);
    refuse(context + ": " + multipoint_last_error());
}

TRITONSERVER_Error *current_error() noexcept {
    try {
        throw;
    } catch (const Failure &failure) {
        return TRITONSERVER_ErrorNew(failure.code(), failure.what());
    } catch (const std::bad_alloc &) {
        return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_UNAVAILABLE, "multipoint: out of memory");
    } catch (const std::exception &error) {
        return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_INTERNAL, error.what());
    } catch (...) {
        return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_INTERNAL, "multipoint: unknown exception");
    }
}

void log_failure(TRITONSERVER_Error *error) noexcept {
    if (error == nullptr) return;
    log(TRITONSERVER_LOG_ERROR, TRITONSERVER_ErrorMessage(error));
    TRITONSERVER_ErrorDelete(error);
}

void log(TRITONSERVER_LogLevel level, const char *message, const char *file, int line) noexcept {
    TRITONSERVER_Error *error = TRITONSERVER_LogMessage(level, file, line, message == nullptr ? "" : message);
    if (error != nullptr) TRITONSERVER_ErrorDelete(error);
}

} // namespace multipoint_triton
