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
    /// MULTIPOINT_F32, or MULTIPOINT_S32 for the sums of the layer's rows.
    multipoint_dtype destination;

    bool operator==(const PlanKey &other) const {
        return batch == other.batch && height == other.height && width == other.width && source == other.source
            && zero_point == other.zero_point && destination == other.destination;
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
    /// Of every row of the layer, before its scale and without a bias.
    std::vector<int32_t> sums;
};

/// The places of one image in an output; 1 for a Gemm.
size_t area_of(const CompiledPlan &plan) {
    return plan.destination.size() == 4 ? static_cast<size_t>(plan.destination[2] * plan.destination[3]) : 1;
}

multipoint_tensor described(const void *data, multipoint_dtype dtype, const std::vector<int64_t> &shape) {
    size_t count = 1;
    for (const int64_t size : shape) count *= static_cast<size_t>(size);
    const size_t element = dtype == MULTIPOINT_U8 ? 1 : 4;
    return {const_cast<void *>(data), count * element, dtype, static_cast<int32_t>(shape.size()), shape.data(), nullptr};
}

class LayerKernel final : public Kernel {
public:
    LayerKernel(const host::Node &node, multipoint_operator op, const Settings &settings)
        : place(place_of(node)), thread_count(settings.thread_count()), model(packed_file(node, 1, settings, place)) {
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
        if (!is_dynamic) return;
        rows.struct_size = sizeof rows;
        library::check(multipoint_layer_rows(layer.get(), &rows), place);
        if (info.has_bias == 0) bias.assign(static_cast<size_t>(info.channels), 0);
    }

    void compute(const host::Call &call) override {
        const host::Tensor input = call.input(0);
        require_float(input, place + ", input 0");
        const PlanKey key = geometry(input.shape);
        if (is_dynamic) return compute_dynamic(call, input, key);
        const CompiledPlan plan = compiled(key);
        execute(plan, key, input.data, call.output(0, output_shape(input.shape, plan.destination)));
    }

private:
    const std::string place;
    const int thread_count;
    const library::Model model;
    library::Layer layer;
    multipoint_layer_info info{};
    /// Whether the file leaves it to us how the input is quantized.
    bool is_dynamic = false;
    /// Where it does: the layer's rows, and its bias, one number per output channel, empty until it is known.
    multipoint_rows rows{};
    std::vector<float> bias;
    std::mutex bias_mutex;
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
        PlanKey key{1, 1, 1, MULTIPOINT_F32, 0, MULTIPOINT_F32};
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

    std::vector<int64_t> output_shape(const std::vector<int64_t> &input, const std::vector<int64_t> &destination) const {
        // Of raw sums the plan says rows, not channels.
        std::vector<int64_t> shape = destination.size() == 2 ? input : destination;
        shape[destination.size() == 2 ? shape.size() - 1 : 1] = info.channels;
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
        options.destination_dtype = key.destination;
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

    void execute(const CompiledPlan &plan, const PlanKey &key, const void *source, void *destination) const {
        const multipoint_tensor from = described(source, key.source, plan.source);
        const multipoint_tensor to = described(destination, key.destination, plan.destination);
        library::check(multipoint_plan_execute(plan.plan.get(), &from, nullptr, &to, nullptr), place);
    }

    /// What a layer makes of nothing but zeros is its bias: found at the first call, on one image of that call's size, so that it
    /// costs no more than what the caller asks for anyway.
    void find_bias(PlanKey key) {
        const std::lock_guard<std::mutex> lock(bias_mutex);
        if (!bias.empty()) return;
        key = {1, key.height, key.width, MULTIPOINT_U8, 0, MULTIPOINT_F32};
        const CompiledPlan plan = compiled(key);
        const auto channels = static_cast<size_t>(info.channels);
        const std::vector<uint8_t> zeros(static_cast<size_t>(input_channels() * key.height * key.width));
        std::vector<float> result(channels * area_of(plan)), found(channels);
        execute(plan, key, zeros.data(), result.data());
        for (size_t channel = 0; channel < channels; ++channel) found[channel] = result[channel * area_of(plan)];
        bias = std::move(found);
    }

    /// Every image of the batch (every row, for a Gemm) has a range of its own, so that no result depends on what else is in the
    /// batch. The plans give the sums of the rows; scales and bias are applied here, as only here the image's scale is known.
    void compute_dynamic(const host::Call &call, const host::Tensor &input, PlanKey key) {
        Scratch scratch = scratches.take();
        const auto *values = static_cast<const float *>(input.data);
        const size_t count = input.count(), size = count / static_cast<size_t>(key.batch);
        find_ranges(values, size, static_cast<size_t>(key.batch), scratch.ranges);
        key.source = MULTIPOINT_U8;
        key.destination = MULTIPOINT_S32;
        float *output = nullptr;
        for (const uint8_t zero_point : {0, 128}) {
            const auto is_other = [&](const Range &range) { return range.zero_point != zero_point; };
            if (std::all_of(scratch.ranges.begin(), scratch.ranges.end(), is_other)) continue;
            key.zero_point = zero_point;
            const CompiledPlan plan = compiled(key);
            if (output == nullptr) {
                find_bias(key);
                scratch.codes.resize(count);
                scratch.sums.resize(scratch.ranges.size() * rows.row_count * area_of(plan));
                output = call.output(0, output_shape(input.shape, plan.destination));
            }
            run(plan, key, values, size, scratch, output);
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
        const CompiledPlan &plan, const PlanKey &key, const float *values, size_t size, Scratch &scratch, float *output) const {
        for (size_t index = 0; index < scratch.ranges.size(); ++index) {
            const Range range{scratch.ranges[index].scale, static_cast<uint8_t>(key.zero_point)};
            quantize(values + index * size, size, range, scratch.codes.data() + index * size);
        }
        execute(plan, key, scratch.codes.data(), scratch.sums.data());
        const size_t area = area_of(plan), image = static_cast<size_t>(info.channels) * area;
        for (size_t index = 0; index < scratch.ranges.size(); ++index) {
            if (scratch.ranges[index].zero_point != key.zero_point) continue;
            const int32_t *sums = scratch.sums.data() + index * rows.row_count * area;
            add_up(sums, area, scratch.ranges[index].scale, output + index * image);
        }
    }

    /// One image: bias and scaled sums. The first rows are one per channel, in channel order; further ones are added to theirs.
    void add_up(const int32_t *sums, size_t area, float scale, float *output) const {
        for (size_t row = 0; row < rows.row_count; ++row, sums += area) {
            const auto channel = static_cast<size_t>(rows.channels[row]);
            const float weight_scale = rows.scales[row], own = bias[channel];
            float *values = output + channel * area;
            // One scale after the other: their product may be beyond what a float holds.
            if (row < bias.size()) {
                for (size_t at = 0; at < area; ++at) values[at] = static_cast<float>(sums[at]) * weight_scale * scale + own;
            } else {
                for (size_t at = 0; at < area; ++at) values[at] += static_cast<float>(sums[at]) * weight_scale * scale;
            }
        }
    }
};

}  // namespace

std::unique_ptr<Kernel> make_layer_kernel(const host::Node &node, multipoint_operator op, const Settings &settings) {
    return std::make_unique<LayerKernel>(node, op, settings);
}
