// One request: what it brings and asks for, checked against the network, and its answer.
#pragma once

#include "network.hpp"
#include "triton.hpp"

#include <cstdint>
#include <vector>

namespace multipoint_triton {

/// Objects are used again and again, so that a server at work allocates nothing here.
class Request {
public:
    /// A block of an input's bytes in the server's memory.
    struct Piece {
        const void *bytes;
        std::size_t count;
    };

    /// Takes the request over and makes its response. False, with an entry in the log, if the server cannot: then there is nothing
    /// that could be answered, and only release() is left to do.
    bool begin(TRITONBACKEND_Request *request) noexcept;

    /// Finds the inputs and outputs, and checks number, names, dtypes, shapes, batch and bytes. Throws a Failure in the words of
    /// the request. `maximum_batch` is the largest that may run.
    void read(const Network &network, std::int64_t maximum_batch);

    /// Asks the server for the memory of the outputs that the client wants. After read().
    void make_outputs(const Network &network);

    /// Sends the answer, or the exception in flight as an error. Afterwards is_open() is false.
    void send() noexcept;
    void fail() noexcept;

    /// Whether the response is still to be sent.
    bool is_open() const { return response_ != nullptr; }

    /// Gives the request back to the server. After the answer and the statistics.
    void release() noexcept;

    TRITONBACKEND_Request *handle() const { return handle_; }
    bool succeeded() const { return succeeded_; }
    /// Samples; after read().
    std::int64_t batch() const { return batch_; }
    /// Blocks of input number `index` of the network, in order.
    const std::vector<Piece> &pieces(std::size_t index) const { return pieces_[index]; }
    /// The server's memory for output number `index` of the network; null if the client does not want it.
    void *output(std::size_t index) const { return outputs_[index]; }

private:
    void read_input(TRITONBACKEND_Input *input, const Network &network, std::int64_t maximum_batch);
    void read_shape(const Value &value, const std::int64_t *shape, std::size_t rank, std::int64_t maximum_batch);
    void read_pieces(TRITONBACKEND_Input *input, const Value &value, std::uint32_t count, std::vector<Piece> &pieces);
    void read_wanted_outputs(const Network &network);
    void close(TRITONSERVER_Error *error) noexcept;

    TRITONBACKEND_Request *handle_ = nullptr;
    TRITONBACKEND_Response *response_ = nullptr;
    bool succeeded_ = false;
    std::int64_t batch_ = 0;
    std::vector<std::vector<Piece>> pieces_;
    std::vector<bool> found_;
    std::vector<bool> wanted_;
    std::vector<void *> outputs_;
    Shape shape_;
};

} // namespace multipoint_triton
