// Errors: exceptions inside the backend, TRITONSERVER_Error outside.
#pragma once

#include "triton.hpp"

#include <multipoint.h>

#include <stdexcept>
#include <string>

namespace multipoint_triton {

/// Something that the operator or a client should read.
class Failure : public std::runtime_error {
public:
    Failure(TRITONSERVER_Error_Code code, const std::string &message) : std::runtime_error(message), code_(code) {}
    TRITONSERVER_Error_Code code() const noexcept { return code_; }

private:
    TRITONSERVER_Error_Code code_;
};

/// A request, configuration or file that is not as it must be.
[[noreturn]] void refuse(const std::string &message);

/// Throws what a call into the server came to, and deletes the error.
void check(TRITONSERVER_Error *error);

/// Throws what a call of the library came to, with the library's message; `context` says what it was called for.
void check(multipoint_status status, const std::string &context);

/// The same of a run: what is beyond a limit there is the request, not the model.
void check_run(multipoint_status status, const std::string &context);

/// The exception in flight as an error for the server. Null only if the server could not make one.
TRITONSERVER_Error *current_error() noexcept;

/// Runs `body`; an exception becomes an error. Everything that the server calls goes through here.
template <class Body>
TRITONSERVER_Error *guarded(Body &&body) noexcept {
    try {
        body();
        return nullptr;
    } catch (...) {
        return current_error();
    }
}

/// Drops what a call into the server came to, where nothing better can be done with it than to log it.
void log_failure(TRITONSERVER_Error *error) noexcept;

/// Writes to the server's log, as the place that calls.
void log(TRITONSERVER_LogLevel level, const char *message, const char *file = __builtin_FILE(),
         int line = __builtin_LINE()) noexcept;

} // namespace multipoint_triton
