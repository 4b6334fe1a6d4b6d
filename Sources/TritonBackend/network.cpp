#include "network.hpp"

#include "failure.hpp"

#include <algorithm>

namespace multipoint_triton {
namespace {

std::size_t product(std::size_t a, std::size_t b, const std::string &name) {
    std::size_t result = 0;
    if (__builtin_mul_overflow(a, b, &result)) refuse("`" + name + "` is too large for this machine's memory");
    return result;
}

Value value(const multipoint_value_info &info) {
    Value value;
    value.name = info.name;
    value.shape.assign(info.dimensions, info.dimensions + info.rank);
    for (const auto size : value.shape) {
        if (size >= 0) value.sample_elements = product(value.sample_elements, static_cast<std::size_t>(size), value.name);
    }
    return value;
}

using ValueFunction = multipoint_status (*)(const multipoint_model *, std::size_t, multipoint_value_info *);

std::vector<Value> values(const multipoint_model *model, std::size_t count, ValueFunction get) {
    std::vector<Value> values;
    for (std::size_t index = 0; index < count; ++index) {
        multipoint_value_info info{};
        info.struct_size = sizeof info;
        check(get(model, index, &info), "the network's inputs and outputs");
        values.push_back(value(info));
    }
    return values;
}

std::ptrdiff_t batch_axes(const Value &value) {
    return std::count_if(value.shape.begin(), value.shape.end(), [](auto n) { return n < 0; });
}

bool has_batch_in_front(const Value &value) { return batch_axes(value) == 1 && value.shape.front() < 0; }

} // namespace

std::string text(const std::int64_t *shape, std::size_t rank) {
    std::string result = "[";
    for (std::size_t axis = 0; axis < rank; ++axis) {
        if (axis > 0) result += ", ";
        result += std::to_string(shape[axis]);
    }
    return result + "]";
}

std::string text(const Shape &shape) { return text(shape.data(), shape.size()); }

std::size_t Value::byte_count(std::int64_t batch) const {
    auto elements = sample_elements;
    for (const auto size : shape) {
        if (size < 0) elements = product(elements, static_cast<std::size_t>(batch), name);
    }
    return product(elements, sizeof(float), name);
}

Network describe(const multipoint_model *model) {
    Network network;
    network.name = multipoint_model_name(model);
    if (multipoint_model_has_graph(model) == 0) {
        throw Failure(TRITONSERVER_ERROR_UNSUPPORTED, "the packed file holds weights only; a server needs one with a graph");
    }
    network.inputs = values(model, multipoint_model_input_count(model), multipoint_model_input);
    network.outputs = values(model, multipoint_model_output_count(model), multipoint_model_output);
    const auto &in = network.inputs, &out = network.outputs;
    if (in.empty() || out.empty()) refuse("the network has no inputs or no outputs; a server needs both");
    network.has_batch = std::any_of(in.begin(), in.end(), [](const Value &value) { return batch_axes(value) > 0; });
    network.gathers = network.has_batch && std::all_of(in.begin(), in.end(), has_batch_in_front) &&
                      std::all_of(out.begin(), out.end(), has_batch_in_front);
    return network;
}

} // namespace multipoint_triton
