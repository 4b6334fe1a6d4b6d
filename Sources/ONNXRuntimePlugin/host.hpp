// ONNX Runtime as this library sees it: errors as exceptions inside, as a status at the boundary.
#pragma once

#include "ort_api.hpp"

#include <cstdint>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

namespace host {

/// What the caller gave or a file holds is wrong.
struct InvalidArgument : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A status of the runtime's own, on its way back to it.
struct RuntimeStatus {
    ort::Status *status;
};

/// Throws what is not success.
inline void check(ort::Status *status) {
    if (status != nullptr) throw RuntimeStatus{status};
}

/// Runs `body`; whatever it throws becomes a status. Nothing else leaves.
template <class Body>
ort::Status *as_status(const ort::Api &api, const Body &body) noexcept {
    const auto status = [&](ort::ErrorCode code, const char *text) { return api.call<ort::CreateStatus>(code, text); };
    try {
        body();
        return nullptr;
    } catch (const RuntimeStatus &failure) {
        return failure.status;
    } catch (const InvalidArgument &error) {
        return status(ort::ErrorCode::invalid_argument, error.what());
    } catch (const std::bad_alloc &) {
        return status(ort::ErrorCode::fail, "multipoint: out of memory");
    } catch (const std::exception &error) {
        return status(ort::ErrorCode::fail, error.what());
    } catch (...) {
        return status(ort::ErrorCode::fail, "multipoint: an unknown failure");
    }
}

/// A tensor that the runtime holds for the time of a call, or a constant for the time of a session.
struct Tensor {
    const void *data;
    ort::ElementType type;
    std::vector<int64_t> shape;

    /// Elements; 0 if a dimension is 0.
    size_t count() const;
};

Tensor tensor(const ort::Api &api, const ort::Value *value);

/// `[2, 3, 8, 8]`. A negative dimension is written as N.
std::string text(const std::vector<int64_t> &shape);

/// A node at the time when its kernel is made.
struct Node {
    const ort::Api &api;
    const ort::KernelInfo *info;

    std::string name() const;
    size_t input_count() const;
    size_t output_count() const;
    /// An attribute of type STRING, or the empty string if there is none.
    std::string attribute(const char *name) const;
    /// Whether the input is a constant of the model; then `*value` is it.
    bool constant_input(size_t index, Tensor *value) const;
};

/// A node at the time when it runs.
struct Call {
    const ort::Api &api;
    ort::KernelContext *context;

    size_t input_count() const;
    size_t output_count() const;
    Tensor input(size_t index) const;
    /// The memory of an output of that shape.
    float *output(size_t index, const std::vector<int64_t> &shape) const;
};

}  // namespace host
