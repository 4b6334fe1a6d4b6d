// Keeps C++ exceptions on oneDNN's side.
#ifndef MULTIPOINT_CDNNL_GUARDED_HPP
#define MULTIPOINT_CDNNL_GUARDED_HPP

#include "CDNNL.h"

#include <new>

/// What `call` returns, or the status that says what it threw.
template <typename Call>
dnnl_status_t guarded(const Call &call) noexcept {
    try {
        return call();
    } catch (const std::bad_alloc &) {
        return dnnl_out_of_memory;
    } catch (...) {
        return dnnl_runtime_error;
    }
}

/// No fork while it lives.
class Unforked {
public:
    Unforked() noexcept { onednn_forks_wait(); }
    ~Unforked() { onednn_forks_may(); }
    Unforked(const Unforked &) = delete;
    Unforked &operator=(const Unforked &) = delete;
};

/// The same for what takes locks of oneDNN's or makes what it makes once. Not one inside the other.
template <typename Call>
dnnl_status_t compiling(const Call &call) noexcept {
    const Unforked unforked;
    return guarded(call);
}

#endif
