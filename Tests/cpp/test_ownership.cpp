// The C API from C++17: owning types, callables as callbacks, and std::thread.
#include "../c/check.h"

extern "C" {
#include "packed_file.h"
}

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Destroy {
    void operator()(multipoint_model *model) const { multipoint_model_destroy(model); }
    void operator()(multipoint_session *session) const { multipoint_session_destroy(session); }
    void operator()(multipoint_layer *layer) const { multipoint_layer_destroy(layer); }
    void operator()(multipoint_plan *plan) const { multipoint_plan_destroy(plan); }
    void operator()(multipoint_packing *packing) const { multipoint_packing_destroy(packing); }
};
template <typename Object>
using Owned = std::unique_ptr<Object, Destroy>;

/// Calls a creating function and owns what it made; null if it failed.
template <typename Object, typename Create>
Owned<Object> made(Create create) {
    Object *object = nullptr;
    CHECK_OK(create(&object));
    return Owned<Object>(object);
}

Owned<multipoint_model> open_sample() {
    const byte_string file = sample_network();
    auto model = made<multipoint_model>(
        [&](multipoint_model **result) { return multipoint_model_open_memory(file.bytes, file.count, nullptr, result); });
    byte_string_free(file);
    return model;
}

Owned<multipoint_session> make_session(const multipoint_model *model) {
    return made<multipoint_session>(
        [&](multipoint_session **result) { return multipoint_session_create(model, nullptr, result); });
}

std::array<float, 2> run(multipoint_session *session, multipoint_status &status) {
    std::array<float, 8> image;
    std::copy_n(sample_image, image.size(), image.begin());
    std::array<float, 2> result{};
    const std::int64_t image_shape[] = {1, 2, 2, 2}, result_shape[] = {1, 2};
    const multipoint_tensor in{image.data(), sizeof image, MULTIPOINT_F32, 4, image_shape, nullptr};
    const multipoint_tensor out{result.data(), sizeof result, MULTIPOINT_F32, 2, result_shape, nullptr};
    status = multipoint_session_run(session, &in, 1, &out, 1);
    return result;
}

/// Objects keep what they need alive, in whatever order their owners let go.
void test_destruction_order() {
    auto model = open_sample();
    auto session = make_session(model.get());
    auto layer = made<multipoint_layer>(
        [&](multipoint_layer **result) { return multipoint_layer_from_model(model.get(), "classifier", result); });
    model.reset();
    multipoint_status status{};
    const auto result = run(session.get(), status);
    CHECK(status == MULTIPOINT_OK);
    CHECK_FLOATS(result.data(), sample_result, 2);

    multipoint_plan_options options{};
    options.struct_size = sizeof options;
    auto plan = made<multipoint_plan>(
        [&](multipoint_plan **made_plan) { return multipoint_plan_create(layer.get(), &options, made_plan); });
    layer.reset();
    session.reset();
    // The classifier alone, on the averages that the network finds: 3.125 and 4.
    float averages[] = {3.125f, 4}, scores[2];
    const std::int64_t shape[] = {1, 2};
    const multipoint_tensor in{averages, sizeof averages, MULTIPOINT_F32, 2, shape, nullptr};
    const multipoint_tensor out{scores, sizeof scores, MULTIPOINT_F32, 2, shape, nullptr};
    CHECK_OK(multipoint_plan_execute(plan.get(), &in, nullptr, &out, nullptr));
    CHECK_FLOATS(scores, sample_result, 2);
}

/// Sessions are made on one thread and used on another, moved like any other object.
void test_sessions_move_between_threads() {
    const auto model = open_sample();
    std::vector<Owned<multipoint_session>> sessions;
    for (int i = 0; i < 4; ++i) sessions.push_back(make_session(model.get()));
    std::atomic<int> right{0};
    std::vector<std::thread> threads;
    for (auto &session : sessions) {
        threads.emplace_back([own = std::move(session), &right] {
            for (int i = 0; i < 100; ++i) {
                multipoint_status status{};
                const auto result = run(own.get(), status);
                right += status == MULTIPOINT_OK && result[0] == sample_result[0] && result[1] == sample_result[1];
            }
        });
    }
    for (auto &thread : threads) thread.join();
    CHECK(right == 400);
}

/// A model is opened, used and destroyed by many threads at once.
void test_concurrent_models() {
    std::atomic<int> right{0};
    const byte_string file = sample_network();
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 20; ++i) {
                multipoint_model *raw = nullptr;
                if (multipoint_model_open_memory(file.bytes, file.count, nullptr, &raw) != MULTIPOINT_OK) continue;
                const Owned<multipoint_model> model(raw);
                multipoint_session *raw_session = nullptr;
                if (multipoint_session_create(model.get(), nullptr, &raw_session) != MULTIPOINT_OK) continue;
                const Owned<multipoint_session> session(raw_session);
                multipoint_status status{};
                right += run(session.get(), status)[1] == sample_result[1] && status == MULTIPOINT_OK;
            }
        });
    }
    for (auto &thread : threads) thread.join();
    byte_string_free(file);
    CHECK(right == 80);
}

/// A C++ callable as a callback, by way of user_data.
void test_callbacks() {
    std::vector<double> fractions;
    std::function<bool(double)> on_progress = [&](double fraction) {
        fractions.push_back(fraction);
        return true;
    };
    multipoint_model_options options{};
    options.struct_size = sizeof options;
    options.user_data = &on_progress;
    options.progress = [](void *user_data, double fraction) -> int {
        return (*static_cast<std::function<bool(double)> *>(user_data))(fraction) ? 0 : 1;
    };
    const byte_string file = sample_network();
    const auto model = made<multipoint_model>(
        [&](multipoint_model **result) { return multipoint_model_open_memory(file.bytes, file.count, &options, result); });
    CHECK(!fractions.empty() && fractions.back() == 1);

    on_progress = [](double) { return false; };
    multipoint_model *none = nullptr;
    CHECK_FAILS(multipoint_model_open_memory(file.bytes, file.count, &options, &none), MULTIPOINT_CANCELLED, nullptr);
    CHECK(none == nullptr);
    byte_string_free(file);
}

/// A thread that ends takes its message with it; the next one starts with none.
void test_last_error_of_ended_threads() {
    std::atomic<int> clean{0};
    for (int i = 0; i < 50; ++i) {
        std::thread([&] {
            clean += std::string(multipoint_last_error()).empty();
            multipoint_model *none = nullptr;
            clean += multipoint_model_open(nullptr, nullptr, &none) == MULTIPOINT_INVALID_ARGUMENT;
        }).join();
    }
    CHECK(clean == 100);
}

} // namespace

int main() {
    test_destruction_order();
    test_sessions_move_between_threads();
    test_concurrent_models();
    test_callbacks();
    test_last_error_of_ended_threads();
    return check_summary("ownership");
}
