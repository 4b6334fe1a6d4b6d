// multipoint.hpp: what it gives is what the C interface gives, value by value; failures are exceptions with the library's message;
// what was moved from refuses; threads.
#include <multipoint.hpp>

#include "../c/check.h"

extern "C" {
#include "packed_file.h"
#include "sample_layers.h"
}

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <limits>
#include <string>
#include <thread>
#if __cplusplus >= 202002L
#include <span>
#endif

namespace {

using multipoint::Error;
using multipoint::Input;
using multipoint::Layer;
using multipoint::Model;
using multipoint::Output;
using multipoint::Plan;
using multipoint::Session;
using multipoint::Shape;

static_assert(!std::is_copy_constructible_v<Model> && std::is_nothrow_move_constructible_v<Model>);
static_assert(!std::is_copy_constructible_v<Session> && std::is_nothrow_move_assignable_v<Session>);
static_assert(!std::is_copy_assignable_v<Layer> && std::is_nothrow_move_constructible_v<Plan>);
static_assert(!std::is_copy_constructible_v<multipoint::Packing>);
static_assert(std::is_base_of_v<std::runtime_error, Error>);
// What the library cannot read or write is refused by the compiler.
static_assert(std::is_constructible_v<Input, const std::vector<float> &>);
static_assert(!std::is_constructible_v<Input, const std::vector<double> &>);
static_assert(std::is_constructible_v<Output, std::vector<float> &>);
static_assert(!std::is_constructible_v<Output, const std::vector<float> &>);
static_assert(std::is_constructible_v<Input, const std::uint8_t (&)[4]> && !std::is_constructible_v<Input, float *>);

std::vector<unsigned char> bytes_of(byte_string file) {
    std::vector<unsigned char> bytes(file.bytes, file.bytes + file.count);
    byte_string_free(file);
    return bytes;
}

Model sample() { return Model::from_memory(bytes_of(sample_network())); }

std::vector<float> images(std::size_t count) {
    std::vector<float> pixels(count * 8);
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = sample_image[i % 8];
    return pixels;
}

/// The call throws this status, and its message has these words.
template <typename Call>
bool throws(multipoint_status status, const std::string &words, Call call) {
    try {
        call();
    } catch (const Error &error) {
        const bool is_expected = error.status() == status && std::string(error.what()).find(words) != std::string::npos;
        if (!is_expected) std::printf("    found: %s, \"%s\"\n", multipoint_status_string(error.status()), error.what());
        return is_expected;
    }
    std::printf("    nothing was thrown\n");
    return false;
}

bool is_sample(const float *result) { return result[0] == sample_result[0] && result[1] == sample_result[1]; }

void test_versions() {
    CHECK(std::string(multipoint::version()) == multipoint_version());
    CHECK(multipoint::version_number() == MULTIPOINT_VERSION_NUMBER);
    CHECK(std::string(multipoint::build_info()).find(multipoint::version()) != std::string::npos);
}

void test_description() {
    const Model model = sample();
    CHECK(model && model.has_graph() && std::string(model.name()) == multipoint_model_name(model.get()));
    const auto inputs = model.inputs(), outputs = model.outputs();
    if (CHECK(inputs.size() == 1 && outputs.size() == 1)) {
        CHECK(std::string(inputs[0].name) == "x" && std::string(outputs[0].name) == "y");
        CHECK(inputs[0].rank == 4 && inputs[0].dimensions[0] == -1 && inputs[0].dimensions[3] == 2);
        CHECK(inputs[0].dtype == MULTIPOINT_F32 && outputs[0].rank == 2 && outputs[0].dimensions[1] == 2);
    }
    const auto layers = model.layers();
    CHECK(layers.size() == 2);
    for (std::size_t i = 0; i < layers.size(); ++i) {
        multipoint_layer_info info{};
        info.struct_size = sizeof info;
        CHECK_OK(multipoint_model_layer(model.get(), i, &info));
        CHECK(std::string(layers[i].name) == info.name && layers[i].rows == info.rows);
        CHECK(layers[i].bits_per_weight == info.bits_per_weight);
        CHECK(model.layer(info.name).describe().points == info.points);
    }
    const Model weights = Model::from_memory(bytes_of(sample_weights()));
    CHECK(!weights.has_graph() && weights.inputs().empty() && weights.layers().size() == 2);
    CHECK(throws(MULTIPOINT_UNSUPPORTED, "", [&] { Session session(weights); }));
}

void test_paths() {
    const auto bytes = bytes_of(sample_network());
    const std::string path = "wrapper sample \xC3\xBC.multipoint";
    std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char *>(bytes.data()), std::streamsize(bytes.size()));
    CHECK(Model(path).layers().size() == 2);
    std::remove(path.c_str());
    CHECK(throws(MULTIPOINT_IO_ERROR, path, [&] { Model model(path); }));
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "null byte", [&] { Model model(std::string("a\0b", 3)); }));
    CHECK(throws(MULTIPOINT_BAD_FORMAT, "", [] { Model::from_memory(std::string("no packed file")); }));
    CHECK(throws(MULTIPOINT_BAD_FORMAT, "0 bytes", [] { Model::from_memory(std::vector<char>()); }));
}

void test_callbacks() {
    const auto bytes = bytes_of(sample_network());
    std::vector<double> fractions;
    const auto watch = [&](double fraction) {
        fractions.push_back(fraction);
        return false;
    };
    CHECK(Model::from_memory(bytes, {watch}).layers().size() == 2);
    CHECK(!fractions.empty() && fractions.back() == 1 && std::is_sorted(fractions.begin(), fractions.end()));
    CHECK(throws(MULTIPOINT_CANCELLED, "", [&] { Model::from_memory(bytes, {[](double) { return true; }}); }));

    bool caught = false;
    try {
        Model::from_memory(bytes, {[](double) -> bool { throw std::out_of_range("my own"); }});
    } catch (const std::out_of_range &error) {
        caught = std::string(error.what()) == "my own";
    }
    CHECK(caught);
}

/// Every form of a run gives what the C interface gives.
void test_runs() {
    const Model model = sample();
    Session session(model, 3, 1);
    CHECK(session.describe().maximum_batch == 3 && session.describe().threads == 1);

    float expected[6];
    const auto three = images(3);
    const std::int64_t image_shape[] = {3, 2, 2, 2}, result_shape[] = {3, 2};
    multipoint_tensor in{const_cast<float *>(three.data()), 96, MULTIPOINT_F32, 4, image_shape, nullptr};
    multipoint_tensor out{expected, sizeof expected, MULTIPOINT_F32, 2, result_shape, nullptr};
    CHECK_OK(multipoint_session_run(session.get(), &in, 1, &out, 1));
    CHECK_FLOATS(expected + 4, sample_result, 2);

    const auto same = [&](const float *found, std::size_t count) { return std::equal(found, found + count, expected); };
    const auto returned = session.run(three);
    CHECK(returned.size() == 6 && same(returned.data(), 6));
    CHECK(session.run(images(2)).size() == 4);

    std::array<float, 6> written{};
    session.run(three, written);
    CHECK(same(written.data(), 6));
    float plain[2] = {0, 0};
    session.run(Input(three, {1, 2, 2, 2}), plain);
    CHECK(same(plain, 2));
    written.fill(-1); // larger than what a batch of one gives: the rest stays
    session.run({{images(1)}}, {{written}});
    CHECK(same(written.data(), 2) && written[2] == -1);
    session.run({Input(three, {3, 2, 2, 2})}, {Output(written, std::vector<std::int64_t>{3, 2})});
    CHECK(same(written.data(), 6));
    multipoint::Span<const float> view(three.data(), 8);
    CHECK(session.run(view).size() == 2);
#if __cplusplus >= 202002L
    session.run(std::span(three).first(8), std::span(written).last(2));
    CHECK(same(written.data() + 4, 2));
#endif

    // Channels last: the same image, with a pixel's two channels beside each other.
    std::vector<float> channels_last(8);
    for (std::size_t c = 0; c < 2; ++c) {
        for (std::size_t i = 0; i < 4; ++i) channels_last[i * 2 + c] = sample_image[c * 4 + i];
    }
    session.run(Input(channels_last, {1, 2, 2, 2}, multipoint::Order::channels_last), plain);
    CHECK(same(plain, 2));
    const auto steps = session.steps();
    CHECK(steps.size() == session.describe().step_count && !steps.empty() && *steps[0].operation != '\0');
}

void test_profile() {
    Session session(sample());
    session.start_profile();
    for (int i = 0; i < 3; ++i) session.run(images(1));
    session.stop_profile();
    session.run(images(1));
    const auto profile = session.profile();
    const auto steps = session.profile_steps();
    CHECK(profile.runs == 3 && profile.batch == 1 && steps.size() == profile.step_count && !steps.empty());
    double seconds = 0;
    for (const auto &step : steps) seconds += step.seconds;
    CHECK(std::abs(seconds - profile.seconds) <= 1e-9 + 1e-6 * profile.seconds);
}

void test_errors_of_runs() {
    Session session(sample(), 2);
    std::vector<float> out(4, 7);
    const std::vector<float> seven(7);
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "multiple of 8 elements expected, found 7", [&] { session.run(seven); }));
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "batch", [&] { session.run(images(3)); }));
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "", [&] { session.run(std::vector<float>()); }));
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "", [&] { session.run(std::vector<std::uint8_t>(8), out); }));
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "", [&] { session.run(Input(images(1), {1, 2, 4}), out); }));
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "", [&] { session.run(Input(images(1), {1, 2, 2, 3}), out); }));
    const auto most = std::numeric_limits<std::int64_t>::max();
    const Input huge(seven, {1, most, most, most}, multipoint::Order::channels_last);
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "", [&] { session.run(huge, out); }));
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "", [&] { session.run(Input(images(1), {-1, 2, 2, 2}), out); }));
    // Shapes without an output: refused before an output is made of them.
    const auto refused = [&](std::size_t count, const Shape &shape, const std::string &words) {
        return throws(MULTIPOINT_INVALID_ARGUMENT, words, [&] { session.run(Input(images(count), shape)); });
    };
    const std::string expected = "input 0: shape [-1, 2, 2, 2] expected (-1: the batch, at least 1), found ";
    CHECK(refused(1, {most, 2, 2, 2}, "input 0: all elements of shape [9223372036854775807, 2, 2, 2] expected, found 8"));
    CHECK(refused(1, {std::int64_t(1) << 61, 2, 2, 2}, "input 0: all elements of shape [2305843009213693952, 2, 2, 2] expected"));
    CHECK(refused(1, {std::int64_t(1) << 40, 2, 2, 2}, "expected, found 8"));
    CHECK(refused(1, {2, 2, 2, 2}, "input 0: all elements of shape [2, 2, 2, 2] expected, found 8"));
    CHECK(refused(0, {1, 2, 2, 2}, "expected, found 0"));
    CHECK(refused(1, {most, 0, 2, 2}, expected + "[9223372036854775807, 0, 2, 2]"));
    CHECK(refused(1, {0, 2, 2, 2}, expected + "[0, 2, 2, 2]"));
    CHECK(refused(1, {-2, 2, 2, 2}, expected + "[-2, 2, 2, 2]"));
    CHECK(refused(1, {8, 1, 1, 1}, expected + "[8, 1, 1, 1]"));
    CHECK(refused(1, {8}, expected + "[8]"));
    CHECK(session.run(Input(images(3), {2, 2, 2, 2})).size() == 4);
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "", [&] { session.run(images(2), Output(out, {1, 2})); }));
    std::vector<float> small(3);
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "", [&] { session.run(images(2), small); }));
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "", [&] { session.run({images(1), images(1)}, {out}); }));
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "", [&] { session.run({images(1)}, {out, out}); }));
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "", [&] { session.run({}, {}); }));
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "9 dimensions: at most 8", [] { Shape shape({1, 1, 1, 1, 1, 1, 1, 1, 1}); }));
    CHECK(std::all_of(out.begin(), out.end(), [](float value) { return value == 7; }));
    CHECK(is_sample(session.run(images(1)).data()));
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "", [] { Session negative(sample(), -1); }));
    CHECK(throws(MULTIPOINT_NOT_FOUND, "nowhere", [] { sample().layer("nowhere"); }));
    // Its beginning is the name of a layer.
    const std::string name("conv\0b", 6);
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "name: it has a null byte", [&] { sample().layer(name); }));
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "name: it has a null byte", [&] { Layer layer(sample(), name); }));
}

/// A layer of one's own through a plan, in every type of destination, beside the same calls in C.
void test_plans() {
    layer_parts parts;
    conv_1x1(&parts);
    const Layer layer(parts.descriptor);
    const auto rows = layer.rows();
    CHECK(rows.row_count >= 2 && rows.row_length == 2 && rows.scales != nullptr);

    multipoint::PlanOptions options;
    options.batch = 1;
    options.height = options.width = 2;
    options.residual_dtype = MULTIPOINT_F32;
    options.threads = 1;
    const Plan plan(layer, options);
    CHECK(plan.source_shape().size() == 4 && plan.destination_shape()[1] == 2 && plan.describe().threads == 1);

    std::vector<float> source(sample_image, sample_image + 8), residual(8), found(8), again(8);
    for (std::size_t i = 0; i < 8; ++i) residual[i] = 0.25f * float(i);
    plan.execute(source, residual, found);
    const std::int64_t shape[] = {1, 2, 2, 2};
    float expected[8];
    const multipoint_tensor in{source.data(), 32, MULTIPOINT_F32, 4, shape, nullptr};
    const multipoint_tensor addend{residual.data(), 32, MULTIPOINT_F32, 4, shape, nullptr};
    const multipoint_tensor out{expected, 32, MULTIPOINT_F32, 4, shape, nullptr};
    CHECK_OK(multipoint_plan_execute(plan.get(), &in, &addend, &out, nullptr));
    CHECK(std::equal(found.begin(), found.end(), expected));
    // The first channel without its residual, as packed_file.h works it out: 1.8125 2.6875 3.5 4.5.
    CHECK(expected[0] == 1.8125f && expected[3] == 4.5f + 0.75f);

    std::vector<std::uint8_t> memory(plan.workspace_size() + 64);
    void *workspace = memory.data();
    std::size_t space = memory.size();
    if (CHECK(std::align(64, plan.workspace_size(), workspace, space) != nullptr)) plan.execute(source, residual, again, workspace);
    CHECK(again == found);
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "residual", [&] { plan.execute(source, found); }));
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "", [&] { plan.execute(std::vector<std::int8_t>(8), residual, found); }));

    multipoint::PlanOptions raw;
    raw.height = raw.width = 2;
    raw.destination_dtype = MULTIPOINT_S32;
    const Plan sums(layer, raw);
    const std::vector<std::int64_t> dimensions(sums.destination_shape().begin(), sums.destination_shape().end());
    CHECK(dimensions == std::vector<std::int64_t>({1, std::int64_t(rows.row_count), 2, 2}));
    std::vector<std::int32_t> integers(rows.row_count * 4);
    sums.execute(source, integers);
    // Each row against the stored image, round(v / 0.5) + 2 less the zero point.
    for (std::size_t r = 0; r < rows.row_count; ++r) {
        for (std::size_t i = 0; i < 4; ++i) {
            long sum = 0;
            for (std::size_t k = 0; k < 2; ++k) {
                const long stored = std::clamp(std::lrint(source[k * 4 + i] / 0.5f) + 2, 0L, 255L);
                sum += rows.values[r * 2 + k] * (stored - 2);
            }
            CHECK(integers[r * 4 + i] == sum);
        }
    }
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "height", [&] { Plan wrong(layer, multipoint::PlanOptions()); }));
    multipoint::LayerDescriptor empty;
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "", [&] { Layer wrong(empty); }));
}

void test_packing() {
    std::vector<float> matrix(4 * 6);
    for (std::size_t i = 0; i < matrix.size(); ++i) matrix[i] = 0.1f * float(int(i * 7 % 13) - 6);
    multipoint::PackingOptions options;
    options.bits = 3;
    options.maximum_points = 2;
    const multipoint::Packing packing(matrix, 4, 6, options);

    multipoint_packing *same = nullptr;
    CHECK_OK(multipoint_packing_create(matrix.data(), 4, 6, &options, &same));
    multipoint::Weights expected;
    CHECK_OK(multipoint_packing_weights(same, &expected));
    const auto weights = packing.weights();
    CHECK(weights.channels == 4 && weights.row_length == 6 && weights.scale_count == expected.scale_count);
    CHECK(std::equal(weights.scales, weights.scales + weights.scale_count, expected.scales));
    std::vector<double> errors(4);
    CHECK_OK(multipoint_packing_errors(same, errors.data(), errors.size()));
    CHECK(packing.errors() == errors);
    multipoint_packing_destroy(same);

    matrix[5] = std::numeric_limits<float>::quiet_NaN();
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "", [&] { multipoint::Packing wrong(matrix, 4, 6); }));
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "5 x 6 elements expected, found 24", [&] {
        multipoint::Packing wrong(matrix, 5, 6);
    }));
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "", [&] { multipoint::Packing wrong(matrix, 4, 0); }));
}

template <typename Object, typename Use>
void check_moves(Object object, Use use, const char *message = "moved from") {
    const auto raw = object.get();
    Object other = std::move(object);
    CHECK(other && other.get() == raw && !object && object.get() == nullptr);
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, message, [&] { use(object); }));
    use(other);
    object = std::move(other);
    CHECK(object.get() == raw);
    use(object);
}

void test_moves() {
    const Model model = sample();
    check_moves(sample(), [](Model &object) { object.layers(); });
    check_moves(sample(), [](Model &object) { object.layer("conv"); });
    check_moves(sample(), [](Model &object) { object.name(); });
    check_moves(Session(model), [](Session &object) { object.run(images(1)); });
    check_moves(Session(model), [](Session &object) {
        float result[2];
        object.run(images(1), result);
    });
    check_moves(model.layer("conv"), [](Layer &object) { object.describe(); });
    check_moves(sample(), [](Model &object) { Layer layer(object, "conv"); }, "");
    check_moves(sample(), [](Model &object) { Session session(object); }, "");
    multipoint::PlanOptions options;
    const Layer classifier = model.layer("classifier");
    check_moves(Plan(classifier, options), [](Plan &object) { CHECK(object.source_shape().size() == 2); });
    check_moves(Plan(classifier, options), [](Plan &object) { CHECK(object.destination_shape().size() == 2); });
    check_moves(Plan(classifier, options), [](Plan &object) { object.workspace_size(); });
    check_moves(Plan(classifier, options), [](Plan &object) { object.describe(); });
    check_moves(Plan(model.layer("classifier"), options), [](Plan &object) {
        const float averages[] = {3.125f, 4};
        float scores[2];
        object.execute(averages, scores);
        CHECK_FLOATS(scores, sample_result, 2);
    });
    check_moves(multipoint::Packing(std::array<float, 2>{1, -1}, 1, 2), [](multipoint::Packing &object) { object.errors(); });

    Model moved = sample();
    const Model taken = std::move(moved);
    CHECK(throws(MULTIPOINT_INVALID_ARGUMENT, "", [&] { Session session(moved); }));
    multipoint_model *raw = sample().release();
    CHECK(multipoint_model_layer_count(raw) == 2);
    multipoint_model_destroy(raw);
}

/// A session whose model has gone, moved to threads that the library has never seen.
void test_threads() {
    std::vector<Session> sessions;
    {
        const Model model = sample();
        for (int i = 0; i < 4; ++i) sessions.emplace_back(model, 2, 1 + i % 2);
    }
    multipoint::PlanOptions options;
    const Plan plan(sample().layer("classifier"), options);
    std::atomic<int> right{0};
    std::vector<std::thread> threads;
    for (auto &session : sessions) {
        threads.emplace_back([own = std::move(session), &plan, &right]() mutable {
            for (int i = 0; i < 50; ++i) {
                const float averages[] = {3.125f, 4};
                float scores[2] = {0, 0};
                plan.execute(averages, scores);
                right += is_sample(own.run(images(1 + std::size_t(i % 2))).data()) && is_sample(scores);
                right += throws(MULTIPOINT_INVALID_ARGUMENT, "found 3", [&] { own.run(std::vector<float>(3)); });
            }
        });
    }
    for (auto &thread : threads) thread.join();
    CHECK(right == 400);
}

} // namespace

int main() {
    test_versions();
    test_description();
    test_paths();
    test_callbacks();
    test_runs();
    test_profile();
    test_errors_of_runs();
    test_plans();
    test_packing();
    test_moves();
    test_threads();
    return check_summary("wrapper");
}
