// The packed network as the C interface describes it, in the terms that the backend needs.
#pragma once

#include <multipoint.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace multipoint_triton {

using Shape = std::vector<std::int64_t>;

/// "[1, 8, 8]"
std::string text(const Shape &shape);
std::string text(const std::int64_t *shape, std::size_t rank);

struct Destroy {
    void operator()(multipoint_model *model) const noexcept { multipoint_model_destroy(model); }
    void operator()(multipoint_session *session) const noexcept { multipoint_session_destroy(session); }
};

/// An input or output: always float.
struct Value {
    std::string name;
    /// In ONNX order with the batch; -1 stands for the batch where it may vary.
    Shape shape;
    /// Numbers in one sample: the product of all but the batch.
    std::size_t sample_elements = 1;

    bool has_batch_axis(std::size_t axis) const { return shape[axis] < 0; }
    /// Bytes of a batch. Throws where they cannot be counted.
    std::size_t byte_count(std::int64_t batch) const;
};

struct Network {
    std::string name;
    std::vector<Value> inputs;
    std::vector<Value> outputs;
    /// Whether the batch may vary.
    bool has_batch = false;
    /// Whether every input and output has the batch in front and nowhere else, so that requests lie one after the other.
    bool gathers = false;
};

/// The network's inputs and outputs. Throws for a file without a graph.
Network describe(const multipoint_model *model);

} // namespace multipoint_triton
