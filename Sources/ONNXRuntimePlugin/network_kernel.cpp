// multipoint.Network: a whole packed network as one node.

#include "kernel.hpp"

#include <algorithm>

namespace {

/// A session and the largest batch that it was made for.
struct BatchSession {
    library::Session session;
    int64_t maximum_batch = 0;
};

struct Value {
    std::string name;
    /// -1 for the batch.
    std::vector<int64_t> shape;

    std::vector<int64_t> with_batch(int64_t batch) const {
        std::vector<int64_t> result = shape;
        std::replace(result.begin(), result.end(), int64_t(-1), batch);
        return result;
    }
};

class NetworkKernel final : public Kernel {
public:
    NetworkKernel(const host::Node &node, const Settings &given)
        : place(place_of(node)), settings(given), first_input(node.attribute("file").empty() ? 1 : 0),
          model(packed_file(node, 0, settings, place)) {
        if (multipoint_model_has_graph(model.get()) == 0) {
            throw host::InvalidArgument(place + ": its file holds weights only; one with a network is expected");
        }
        inputs = values(multipoint_model_input_count(model.get()), multipoint_model_input);
        outputs = values(multipoint_model_output_count(model.get()), multipoint_model_output);
        const size_t found = node.input_count() - std::min(node.input_count(), first_input);
        require_counts(found, node.output_count());
        // Compiled here, so that what cannot run is refused when the session is created.
        sessions.give_back(session(1));
    }

    void compute(const host::Call &call) override {
        std::vector<multipoint_tensor> sources(inputs.size()), results(outputs.size());
        std::vector<std::vector<int64_t>> shapes(inputs.size() + outputs.size());
        const int64_t batch = read_inputs(call, sources, shapes);
        BatchSession session = sessions.take();
        // Larger than any before: what it was made for is of no more use. Made before the outputs, so that a batch beyond a limit
        // is refused before there is memory for it.
        if (session.maximum_batch < batch) session = this->session(batch);
        for (size_t index = 0; index < outputs.size(); ++index) {
            auto &shape = shapes[inputs.size() + index] = outputs[index].with_batch(batch);
            results[index] = described(call.output(index, shape), shape);
        }
        const multipoint_status status = multipoint_session_run(
            session.session.get(), sources.data(), sources.size(), results.data(), results.size());
        // Its message lives until this thread's next call; giving the session back makes none.
        sessions.give_back(std::move(session));
        library::check(status, place);
    }

private:
    const std::string place;
    const Settings settings;
    /// Of the node's inputs, the first that is one of the network's.
    const size_t first_input;
    const library::Model model;
    std::vector<Value> inputs, outputs;
    Pool<BatchSession> sessions;

    std::vector<Value> values(
        size_t count, multipoint_status (*describe)(const multipoint_model *, size_t, multipoint_value_info *)) const {
        std::vector<Value> values;
        for (size_t index = 0; index < count; ++index) {
            multipoint_value_info info{};
            info.struct_size = sizeof info;
            library::check(describe(model.get(), index, &info), place);
            values.push_back({info.name, std::vector<int64_t>(info.dimensions, info.dimensions + info.rank)});
        }
        return values;
    }

    void require_counts(size_t input_count, size_t output_count) const {
        if (input_count == inputs.size() && output_count == outputs.size()) return;
        throw host::InvalidArgument(
            place + ": " + std::to_string(inputs.size()) + " inputs and " + std::to_string(outputs.size())
            + " outputs are expected, as the packed network has; found " + std::to_string(input_count) + " and "
            + std::to_string(output_count));
    }

    BatchSession session(int64_t batch) const {
        const multipoint_session_options options = settings.session_options(batch);
        multipoint_session *session = nullptr;
        library::check(multipoint_session_create(model.get(), &options, &session), place);
        return {library::Session(session), batch};
    }

    /// - Returns: the batch size; 1 where the network has none.
    int64_t read_inputs(
        const host::Call &call, std::vector<multipoint_tensor> &sources, std::vector<std::vector<int64_t>> &shapes) const {
        int64_t batch = 0;
        for (size_t index = 0; index < inputs.size(); ++index) {
            const host::Tensor tensor = call.input(first_input + index);
            const std::string what = place + ", input `" + inputs[index].name + "`";
            require_float(tensor, what);
            const int64_t own = batch_of(tensor.shape, inputs[index], what);
            if (own == 0) throw host::InvalidArgument(what + " of shape " + host::text(tensor.shape) + " is empty");
            if (own > 0 && batch > 0 && own != batch) {
                throw host::InvalidArgument(
                    what + " is a batch of " + std::to_string(own) + ", an input before it one of " + std::to_string(batch));
            }
            if (own > 0) batch = own;
            shapes[index] = tensor.shape;
            sources[index] = described(const_cast<void *>(tensor.data), shapes[index]);
        }
        return std::max<int64_t>(batch, 1);
    }

    /// - Returns: -1 if the input has no batch.
    static int64_t batch_of(const std::vector<int64_t> &shape, const Value &value, const std::string &what) {
        int64_t batch = -1;
        bool fits = shape.size() == value.shape.size();
        for (size_t axis = 0; fits && axis < shape.size(); ++axis) {
            if (value.shape[axis] < 0) {
                batch = shape[axis];
            } else {
                fits = shape[axis] == value.shape[axis];
            }
        }
        if (fits) return batch;
        throw host::InvalidArgument(what + ": shape " + host::text(value.shape) + " expected, found " + host::text(shape));
    }

    static multipoint_tensor described(void *data, const std::vector<int64_t> &shape) {
        size_t count = 1;
        for (const int64_t size : shape) count *= static_cast<size_t>(size);
        return {data, count * sizeof(float), MULTIPOINT_F32, static_cast<int32_t>(shape.size()), shape.data(), nullptr};
    }
};

}  // namespace

std::unique_ptr<Kernel> make_network_kernel(const host::Node &node, const Settings &settings) {
    return std::make_unique<NetworkKernel>(node, settings);
}
