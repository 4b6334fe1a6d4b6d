// multipoint.Conv and multipoint.Gemm: one packed layer as a node, floats in and out.

#include "dynamic_quantization.hpp"
#include "kernel.hpp"

#include <algorithm>
#include <tuple>

namespace {

/// What a plan is compiled for.
struct PlanKey {
    int64_t batch, height, width;
    /// MULTIPOINT_F32, or MULTIPOINT_U8 for codes whose scale is taken as 1.
    multipoint_dtype source;
    int32_t zero_point;

    bool operator==(const PlanKey &other) const {
        return batch == other.batch && height == other.height && width == other.width && source == other.source
            && zero_point == other.zero_point;
    }
};

struct CompiledPlan {
    library::Plan plan;
    std::vector<int64_t> source, destination;
};

/// The plans of the shapes that came last.
class PlanCache {
public:
    bool find(const PlanKey &key, CompiledPlan *plan) {
        const std::lock_guard<std::mutex> lock(mutex);
        const auto found = std::find_if(plans.begin(), plans.end(), [&](const auto &entry) { return entry.first == key; });
        if (found == plans.end()) return false;
        std::rotate(plans.begin(), found, found + 1);
        *plan = plans.front().second;
        return true;
    }

    void add(const PlanKey &key, const CompiledPlan &plan) {
        const std::lock_guard<std::mutex> lock(mutex);
        if (plans.size() == capacity) plans.pop_back();
        plans.insert(plans.begin(), {key, plan});
    }

private:
    static constexpr size_t capacity = 16;
    std::mutex mutex;
    /// The last one used first.
    std::vector<std::pair<PlanKey, CompiledPlan>> plans;
};

/// What a run with activations quantized as they come writes between.
struct Scratch {
    std::vector<Range> ranges;
    std::vector<uint8_t> codes;
    std::vector<float> sums;
};

multipoint_tensor described(const void *data, multipoint_dtype dtype, const std::vector<int64_t> &shape) {
    size_t count = 1;
    for (const int64_t size : shape) count *= static_cast<size_t>(size);
    const size_t element = dtype == MULTIPOINT_U8 ? 1 : sizeof(float);
    return {const_cast<void *>(data), count * element, dtype, static_cast<int32_t>(shape.size()), shape.data(), nullptr};
}

class LayerKernel final : public Kernel {
public:
    LayerKernel(const host::Node &node, multipoint_operator op, int threads)
        : place(place_of(node)), thread_count(threads), model(packed_file(node, 1, place)) {
        if (node.output_count() != 1) throw host::InvalidArgument(place + ": one output is expected");
        const std::string name = layer_name(node);
        multipoint_layer *found = nullptr;
        library::check(multipoint_layer_from_model(model.get(), name.c_str(), &found), place);
        layer.reset(found);
        info.struct_size = sizeof info;
        library::check(multipoint_layer_describe(layer.get(), &info), place);
        if (info.op != op) {
            throw host::InvalidArgument(
                place + ": layer `" + name + "` is for a " + (info.op == MULTIPOINT_CONV ? "Conv" : "Gemm"));
        }
        is_dynamic = info.is_float == 0 && info.input_scale == 0;
        if (is_dynamic) find_bias();
    }

    void compute(const host::Call &call) override {
        const host::Tensor input = call.input(0);
        require_float(input, place + ", input 0");
        PlanKey key = geometry(input.shape);
        if (is_dynamic) return compute_dynamic(call, input, key);
        const CompiledPlan plan = compiled(key);
        execute(plan, input.data, call.output(0, output_shape(input.shape, plan)));
    }

private:
    const std::string place;
    const int thread_count;
    const library::Model model;
    library::Layer layer;
    multipoint_layer_info info{};
    /// Whether the file leaves it to us how the input is quantized.
    bool is_dynamic = false;
    /// Where it does: one number per output channel.
    std::vector<float> bias;
    PlanCache plans;
    Pool<Scratch> scratches;

    /// The attribute `layer`; a file with a single layer needs none.
    std::string layer_name(const host::Node &node) const {
        const std::string name = node.attribute("layer");
        if (!name.empty()) return name;
        if (multipoint_model_layer_count(model.get()) != 1) {
            throw host::InvalidArgument(place + ": the attribute `layer` is missing: its file has more layers than one");
        }
        multipoint_layer_info only{};
        only.struct_size = sizeof only;
        library::check(multipoint_model_layer(model.get(), 0, &only), place);
        return only.name;
    }

    int64_t input_channels() const { return info.shape[1] * (info.op == MULTIPOINT_CONV ? info.group : 1); }

    /// A Conv takes images; a Gemm maps the last axis, and the axes before it are all batch.
    PlanKey geometry(const std::vector<int64_t> &shape) const {
        const int64_t channels = input_channels();
        const bool is_image = info.op == MULTIPOINT_CONV;
        const bool fits = is_image ? shape.size() == 4 && shape[1] == channels : !shape.empty() && shape.back() == channels;
        if (!fits) {
            const std::string expected = is_image ? "[N, " + std::to_string(channels) + ", height, width]"
                                                  : "[..., " + std::to_string(channels) + "]";
            throw host::InvalidArgument(place + ", input 0: shape " + expected + " expected, found " + host::text(shape));
        }
        PlanKey key{1, 1, 1, MULTIPOINT_F32, 0};
        if (is_image) {
            std::tie(key.batch, key.height, key.width) = std::tie(shape[0], shape[2], shape[3]);
        } else {
            for (size_t axis = 0; axis + 1 < shape.size(); ++axis) key.batch *= shape[axis];
        }
        if (key.batch == 0 || key.height == 0 || key.width == 0) {
            throw host::InvalidArgument(place + ", input 0 of shape " + host::text(shape) + " is empty");
        }
        return key;
    }

    static std::vector<int64_t> output_shape(const std::vector<int64_t> &input, const CompiledPlan &plan) {
        if (plan.destination.size() != 2) return plan.destination;
        std::vector<int64_t> shape = input;
        shape.back() = plan.destination[1];
        return shape;
    }

    CompiledPlan compiled(const PlanKey &key) {
        CompiledPlan result;
        if (plans.find(key, &result)) return result;
        multipoint_plan_options options{};
        options.struct_size = sizeof options;
        options.batch = key.batch;
        options.height = key.height;
        options.width = key.width;
        options.source_dtype = key.source;
        options.source_scale = key.source == MULTIPOINT_U8 ? 1 : 0;
        options.source_zero_point = key.zero_point;
        options.threads = thread_count;
        multipoint_plan *plan = nullptr;
        library::check(multipoint_plan_create(layer.get(), &options, &plan), place);
        result.plan.reset(plan, multipoint_plan_destroy);
        multipoint_plan_info compiled{};
        compiled.struct_size = sizeof compiled;
        library::check(multipoint_plan_describe(plan, &compiled), place);
        result.source.assign(compiled.source_dimensions, compiled.source_dimensions + compiled.rank);
        result.destination.assign(compiled.destination_dimensions, compiled.destination_dimensions + compiled.rank);
        plans.add(key, result);
        return result;
    }

    void execute(const CompiledPlan &plan, const void *source, float *destination, multipoint_dtype dtype = MULTIPOINT_F32) const {
        const multipoint_tensor from = described(source, dtype, plan.source);
        const multipoint_tensor to = described(destination, MULTIPOINT_F32, plan.destination);
        library::check(multipoint_plan_execute(plan.plan.get(), &from, nullptr, &to, nullptr), place);
    }

    /// What a layer makes of nothing but zeros is its bias.
    void find_bias() {
        PlanKey key{1, 1, 1, MULTIPOINT_U8, 0};
        if (info.op == MULTIPOINT_CONV) {
            // The smallest image that has one place for the kernel.
            const auto extent = [&](int axis) {
                const int64_t kernel = (info.shape[2 + axis] - 1) * info.dilations[axis] + 1;
                return std::max<int64_t>(1, kernel - info.pads[axis] - info.pads[axis + 2]);
            };
            key.height = extent(0);
            key.width = extent(1);
        }
        const CompiledPlan plan = compiled(key);
        const size_t area = plan.destination.size() == 4 ? static_cast<size_t>(plan.destination[2] * plan.destination[3]) : 1;
        const std::vector<uint8_t> zeros(static_cast<size_t>(input_channels() * key.height * key.width));
        std::vector<float> result(static_cast<size_t>(info.channels) * area);
        execute(plan, zeros.data(), result.data(), MULTIPOINT_U8);
        for (size_t channel = 0; channel < static_cast<size_t>(info.channels); ++channel) bias.push_back(result[channel * area]);
    }

    /// Every image of the batch (every row, for a Gemm) has a range of its own, so that no result depends on what else is in the
    /// batch. The plans compute with a scale of 1; the image's scale is applied to their results.
    void compute_dynamic(const host::Call &call, const host::Tensor &input, PlanKey key) {
        Scratch scratch = scratches.take();
        const auto *values = static_cast<const float *>(input.data);
        const size_t count = input.count(), size = count / static_cast<size_t>(key.batch);
        find_ranges(values, size, static_cast<size_t>(key.batch), scratch.ranges);
        scratch.codes.resize(count);
        key.source = MULTIPOINT_U8;
        float *output = nullptr;
        for (const uint8_t zero_point : {0, 128}) {
            const auto is_other = [&](const Range &range) { return range.zero_point != zero_point; };
            if (std::all_of(scratch.ranges.begin(), scratch.ranges.end(), is_other)) continue;
            key.zero_point = zero_point;
            const CompiledPlan plan = compiled(key);
            if (output == nullptr) output = call.output(0, output_shape(input.shape, plan));
            run(plan, values, size, zero_point, scratch, output);
        }
        scratches.give_back(std::move(scratch));
    }

    void find_ranges(const float *values, size_t size, size_t count, std::vector<Range> &ranges) const {
        ranges.resize(count);
        for (size_t index = 0; index < count; ++index) {
            if (range_of(values + index * size, size, &ranges[index])) continue;
            throw host::InvalidArgument(
                place + ", input 0: number " + std::to_string(index) + " of the batch has a value that is not finite");
        }
    }

    /// Writes the results of the images with this zero point. Those of the others are computed along with them, and dropped.
    void run(
        const CompiledPlan &plan, const float *values, size_t size, uint8_t zero_point, Scratch &scratch, float *output) const {
        for (size_t index = 0; index < scratch.ranges.size(); ++index) {
            const Range range{scratch.ranges[index].scale, zero_point};
            quantize(values + index * size, size, range, scratch.codes.data() + index * size);
        }
        const size_t channels = bias.size();
        const size_t area = plan.destination.size() == 4 ? static_cast<size_t>(plan.destination[2] * plan.destination[3]) : 1;
        scratch.sums.resize(scratch.ranges.size() * channels * area);
        execute(plan, scratch.codes.data(), scratch.sums.data(), MULTIPOINT_U8);
        for (size_t index = 0; index < scratch.ranges.size(); ++index) {
            if (scratch.ranges[index].zero_point != zero_point) continue;
            for (size_t channel = 0; channel < channels; ++channel) {
                const size_t start = (index * channels + channel) * area;
                const float own = bias[channel], scale = scratch.ranges[index].scale;
                for (size_t at = start; at < start + area; ++at) output[at] = (scratch.sums[at] - own) * scale + own;
            }
        }
    }
};

}  // namespace

std::unique_ptr<Kernel> make_layer_kernel(const host::Node &node, multipoint_operator op, int threads) {
    return std::make_unique<LayerKernel>(node, op, threads);
}
