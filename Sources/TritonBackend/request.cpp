#include "request.hpp"

#include "failure.hpp"

#include <algorithm>
#include <cstring>

namespace multipoint_triton {
namespace {

constexpr std::int64_t first_device = 0;

/// The place of a name among the values; their count if it is none of theirs.
std::size_t index_of(const std::vector<Value> &values, const char *name) {
    const auto found = std::find_if(values.begin(), values.end(), [&](const Value &value) { return value.name == name; });
    return static_cast<std::size_t>(found - values.begin());
}

std::string quoted(const char *kind, const std::string &name) { return std::string(kind) + " `" + name + "`"; }

} // namespace

bool Request::begin(TRITONBACKEND_Request *request) noexcept {
    handle_ = request;
    response_ = nullptr;
    succeeded_ = false;
    batch_ = 0;
    TRITONSERVER_Error *error = TRITONBACKEND_ResponseNew(&response_, request);
    if (error != nullptr) response_ = nullptr;
    log_failure(error);
    return response_ != nullptr;
}

void Request::read(const Network &network, std::int64_t maximum_batch) {
    pieces_.resize(network.inputs.size());
    found_.assign(network.inputs.size(), false);
    std::uint32_t count = 0;
    check(TRITONBACKEND_RequestInputCount(handle_, &count));
    for (std::uint32_t index = 0; index < count; ++index) {
        TRITONBACKEND_Input *input = nullptr;
        check(TRITONBACKEND_RequestInputByIndex(handle_, index, &input));
        read_input(input, network, maximum_batch);
    }
    for (std::size_t index = 0; index < found_.size(); ++index) {
        if (!found_[index]) refuse(quoted("input", network.inputs[index].name) + " is missing in the request");
    }
    if (batch_ == 0) batch_ = 1; // a network of fixed batch: one run
    read_wanted_outputs(network);
}

void Request::read_input(TRITONBACKEND_Input *input, const Network &network, std::int64_t maximum_batch) {
    const char *name = nullptr;
    TRITONSERVER_DataType type = TRITONSERVER_TYPE_INVALID;
    const std::int64_t *shape = nullptr;
    std::uint32_t rank = 0, piece_count = 0;
    std::uint64_t byte_count = 0;
    check(TRITONBACKEND_InputProperties(input, &name, &type, &shape, &rank, &byte_count, &piece_count));

    const auto index = index_of(network.inputs, name);
    if (index == network.inputs.size()) refuse(quoted("input", name) + ": the network has no such input");
    if (found_[index]) refuse(quoted("input", name) + " is given twice");
    found_[index] = true;
    if (type != TRITONSERVER_TYPE_FP32) {
        refuse(quoted("input", name) + ": data type FP32 is expected, found " + TRITONSERVER_DataTypeString(type));
    }
    const Value &value = network.inputs[index];
    read_shape(value, shape, rank, maximum_batch);
    const auto expected = value.byte_count(batch_);
    if (byte_count != expected) {
        refuse(quoted("input", name) + ": " + std::to_string(expected) + " bytes are expected for shape " + text(shape, rank) +
               ", found " + std::to_string(byte_count));
    }
    read_pieces(input, value, piece_count, pieces_[index]);
}

void Request::read_shape(const Value &value, const std::int64_t *shape, std::size_t rank, std::int64_t maximum_batch) {
    bool same = rank == value.shape.size();
    for (std::size_t axis = 0; same && axis < rank; ++axis) same = value.has_batch_axis(axis) || shape[axis] == value.shape[axis];
    if (!same) {
        refuse(quoted("input", value.name) + ": shape " + text(value.shape) + " is expected (-1: the batch), found " +
               text(shape, rank));
    }
    for (std::size_t axis = 0; axis < rank; ++axis) {
        if (!value.has_batch_axis(axis)) continue;
        if (batch_ == 0) {
            if (shape[axis] < 1 || shape[axis] > maximum_batch) {
                refuse(quoted("input", value.name) + ": a batch of 1 to " + std::to_string(maximum_batch) +
                       " is expected, found shape " + text(shape, rank));
            }
            batch_ = shape[axis];
        } else if (shape[axis] != batch_) {
            refuse(quoted("input", value.name) + ": a batch of " + std::to_string(batch_) +
                   " is expected, as before it, found shape " + text(shape, rank));
        }
    }
}

void Request::read_pieces(TRITONBACKEND_Input *input, const Value &value, std::uint32_t count, std::vector<Piece> &pieces) {
    pieces.clear();
    const auto expected = value.byte_count(batch_);
    std::size_t rest = expected;
    for (std::uint32_t index = 0; index < count; ++index) {
        const void *bytes = nullptr;
        std::uint64_t size = 0;
        TRITONSERVER_MemoryType memory = TRITONSERVER_MEMORY_CPU;
        std::int64_t device = first_device;
        check(TRITONBACKEND_InputBuffer(input, index, &bytes, &size, &memory, &device));
        if (size == 0) continue;
        if (memory == TRITONSERVER_MEMORY_GPU || bytes == nullptr) {
            throw Failure(TRITONSERVER_ERROR_UNSUPPORTED,
                          quoted("input", value.name) + ": its bytes are expected in the CPU's memory");
        }
        if (size > rest) break;
        rest -= size;
        pieces.push_back({bytes, size});
    }
    std::size_t sum = 0;
    for (const auto &piece : pieces) sum += piece.count;
    if (rest != 0 || sum != expected) {
        refuse(quoted("input", value.name) + ": " + std::to_string(expected) +
               " bytes are expected in its buffers, found other sizes");
    }
}

void Request::read_wanted_outputs(const Network &network) {
    wanted_.assign(network.outputs.size(), false);
    outputs_.assign(network.outputs.size(), nullptr);
    std::uint32_t count = 0;
    check(TRITONBACKEND_RequestOutputCount(handle_, &count));
    for (std::uint32_t index = 0; index < count; ++index) {
        const char *name = nullptr;
        check(TRITONBACKEND_RequestOutputName(handle_, index, &name));
        const auto output = index_of(network.outputs, name);
        if (output == network.outputs.size()) refuse(quoted("output", name) + ": the network has no such output");
        wanted_[output] = true;
    }
}

void Request::make_outputs(const Network &network) {
    for (std::size_t index = 0; index < network.outputs.size(); ++index) {
        if (!wanted_[index]) continue;
        const Value &value = network.outputs[index];
        shape_.assign(value.shape.begin(), value.shape.end());
        std::replace_if(shape_.begin(), shape_.end(), [](std::int64_t size) { return size < 0; }, batch_);
        TRITONBACKEND_Output *output = nullptr;
        check(TRITONBACKEND_ResponseOutput(response_, &output, value.name.c_str(), TRITONSERVER_TYPE_FP32, shape_.data(),
                                           static_cast<std::uint32_t>(shape_.size())));
        TRITONSERVER_MemoryType memory = TRITONSERVER_MEMORY_CPU;
        std::int64_t device = first_device;
        check(TRITONBACKEND_OutputBuffer(output, &outputs_[index], value.byte_count(batch_), &memory, &device));
        if (memory == TRITONSERVER_MEMORY_GPU || outputs_[index] == nullptr) {
            throw Failure(TRITONSERVER_ERROR_UNSUPPORTED, quoted("output", value.name) + ": memory of the CPU is expected for it");
        }
    }
}

void Request::close(TRITONSERVER_Error *error) noexcept {
    log_failure(TRITONBACKEND_ResponseSend(response_, TRITONSERVER_RESPONSE_COMPLETE_FINAL, error));
    if (error != nullptr) TRITONSERVER_ErrorDelete(error);
    response_ = nullptr;
}

void Request::send() noexcept {
    succeeded_ = true;
    close(nullptr);
}

void Request::fail() noexcept { close(current_error()); }

void Request::release() noexcept {
    log_failure(TRITONBACKEND_RequestRelease(handle_, TRITONSERVER_REQUEST_RELEASE_ALL));
    handle_ = nullptr;
}

} // namespace multipoint_triton
