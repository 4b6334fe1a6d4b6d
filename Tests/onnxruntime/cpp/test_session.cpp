// The plugin in a C++ program: answers equal to the C interface's, many threads on one session, errors in words, loading and
// unloading without growth.
//
//     test_session libmultipoint_ort.so digits.multipoint network.onnx

#include <onnxruntime_cxx_api.h>

#include <multipoint.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include <dlfcn.h>
#include <malloc.h>
#include <unistd.h>

namespace {

int failures = 0;

void expect(bool holds, const std::string &what) {
    if (holds) return;
    ++failures;
    std::fprintf(stderr, "failed: %s\n", what.c_str());
}

/// Images of the digits network, [batch, 1, 8, 8], of small integers: every batch has others.
std::vector<float> images(size_t batch, unsigned seed) {
    std::vector<float> pixels(batch * 64);
    for (float &pixel : pixels) {
        seed = seed * 1664525 + 1013904223;
        pixel = float(seed >> 28) / 16;
    }
    return pixels;
}

/// What the C interface answers: [batch, 10].
class Reference {
public:
    Reference(const char *path, int64_t maximum_batch) {
        multipoint_session_options options{};
        options.struct_size = sizeof options;
        options.maximum_batch = maximum_batch;
        options.threads = 1;
        if (multipoint_model_open(path, nullptr, &model) != MULTIPOINT_OK
            || multipoint_session_create(model, &options, &session) != MULTIPOINT_OK) {
            throw std::runtime_error(multipoint_last_error());
        }
    }
    ~Reference() {
        multipoint_session_destroy(session);
        multipoint_model_destroy(model);
    }

    std::vector<float> operator()(std::vector<float> pixels) const {
        const int64_t batch = int64_t(pixels.size() / 64), shape[] = {batch, 1, 8, 8}, result_shape[] = {batch, 10};
        std::vector<float> result(size_t(batch) * 10);
        const multipoint_tensor in{pixels.data(), pixels.size() * sizeof(float), MULTIPOINT_F32, 4, shape, nullptr};
        const multipoint_tensor out{result.data(), result.size() * sizeof(float), MULTIPOINT_F32, 2, result_shape, nullptr};
        if (multipoint_session_run(session, &in, 1, &out, 1) != MULTIPOINT_OK) throw std::runtime_error(multipoint_last_error());
        return result;
    }

private:
    multipoint_model *model = nullptr;
    multipoint_session *session = nullptr;
};

std::vector<float> run(Ort::Session &session, std::vector<float> pixels, std::vector<int64_t> shape) {
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    const Ort::Value input = Ort::Value::CreateTensor<float>(memory, pixels.data(), pixels.size(), shape.data(), shape.size());
    const char *const input_names[] = {"image"}, *const output_names[] = {"logits"};
    const auto outputs = session.Run(Ort::RunOptions{nullptr}, input_names, &input, 1, output_names, 1);
    const float *data = outputs[0].GetTensorData<float>();
    return {data, data + outputs[0].GetTensorTypeAndShapeInfo().GetElementCount()};
}

std::vector<float> run(Ort::Session &session, const std::vector<float> &pixels) {
    return run(session, pixels, {int64_t(pixels.size() / 64), 1, 8, 8});
}

Ort::SessionOptions options(const char *library, const char *threads = "1") {
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(1).AddConfigEntry("multipoint.threads", threads).RegisterCustomOpsLibrary(library);
    return options;
}

template <class Body>
std::string message_of(const Body &body) {
    try {
        body();
    } catch (const Ort::Exception &error) {
        return error.what();
    }
    return "";
}

bool contains(const std::string &text, const char *part) { return text.find(part) != std::string::npos; }

size_t resident_bytes() {
    malloc_trim(0);
    size_t size = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> size >> resident;
    return resident * size_t(sysconf(_SC_PAGESIZE));
}

void test_answers(Ort::Session &session, const Reference &reference) {
    for (size_t batch : {1, 7, 2, 16, 3}) {
        const auto pixels = images(batch, unsigned(batch));
        expect(run(session, pixels) == reference(pixels), "a batch of " + std::to_string(batch) + " equals the C interface's");
    }
}

void test_threads(Ort::Session &session, const Reference &reference) {
    std::vector<std::vector<float>> inputs, expected;
    for (unsigned index = 0; index < 16; ++index) {
        inputs.push_back(images(1 + index % 5, 100 + index));
        expected.push_back(reference(inputs.back()));
    }
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (size_t number = 0; number < 8; ++number) {
        threads.emplace_back([&, number] {
            for (size_t round = 0; round < 50; ++round) {
                const size_t index = (number * 7 + round) % inputs.size();
                if (run(session, inputs[index]) != expected[index]) ++wrong;
            }
        });
    }
    for (std::thread &thread : threads) thread.join();
    expect(wrong == 0, std::to_string(wrong) + " of 400 answers from 8 threads were wrong");
}

void test_errors(Ort::Session &session, const char *library) {
    // The runtime itself compares with the shape that the model states, all but the batch.
    const auto wrong_width = message_of([&] { run(session, std::vector<float>(72), {1, 1, 8, 9}); });
    expect(contains(wrong_width, "Got: 9 Expected: 8"), "a wrong shape: " + wrong_width);
    const auto empty = message_of([&] { run(session, std::vector<float>(), {0, 1, 8, 8}); });
    expect(contains(empty, "input `image` of shape [0, 1, 8, 8] is empty"), "no image: " + empty);
    for (const char *threads : {"two", "-1", "", "1025", "99999999999999999999"}) {
        const auto refused = message_of([&] { options(library, threads); });
        expect(contains(refused, "multipoint.threads") && contains(refused, "0 to 1024"), "threads: " + refused);
    }
}

/// A second runtime in the process: the same functions in a table of its own, of which those that concern domains are noted.
struct SecondRuntime {
    static inline ort::Api table;
    static inline std::set<ort::CustomOpDomain *> made;
    static inline int foreign = 0;

    static ort::Status *create(const char *name, ort::CustomOpDomain **domain) {
        ort::Status *status = ort_slots::api().call<ort::CreateCustomOpDomain>(name, domain);
        if (status == nullptr) made.insert(*domain);
        return status;
    }
    static ort::Status *add(ort::SessionOptions *options, ort::CustomOpDomain *domain) {
        foreign += made.count(domain) == 0;
        return ort_slots::api().call<ort::AddCustomOpDomain>(options, domain);
    }
    static const ort::ApiBase *base() {
        table = ort_slots::api();
        table.slots[ort::CreateCustomOpDomain::index] = reinterpret_cast<void (*)()>(&create);
        table.slots[ort::AddCustomOpDomain::index] = reinterpret_cast<void (*)()>(&add);
        static const ort::ApiBase base{[](uint32_t) -> const ort::Api * { return &table; }, OrtGetApiBase()->get_version_string};
        return &base;
    }
};

void test_two_runtimes(const Ort::Env &env, const char *library, const char *network, const Reference &reference) {
    const auto pixels = images(2, 9);
    const Ort::SessionOptions kept = options(library);
    void *plugin = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    void *found = plugin == nullptr ? nullptr : dlsym(plugin, "RegisterCustomOps");
    expect(found != nullptr, "the plugin's function");
    if (found == nullptr) return;
    const auto register_operators = reinterpret_cast<ort::Status *(*)(ort::SessionOptions *, const ort::ApiBase *)>(found);
    for (int round = 0; round < 2; ++round) {
        Ort::SessionOptions second;
        second.SetIntraOpNumThreads(1).AddConfigEntry("multipoint.threads", "1");
        Ort::ThrowOnError(register_operators(second, SecondRuntime::base()));
        Ort::Session session(env, network, second);
        expect(run(session, pixels) == reference(pixels), "the answer through a second runtime");
    }
    expect(SecondRuntime::made.size() == 1, "one domain for the second runtime");
    expect(SecondRuntime::foreign == 0, "no domain of the first runtime in the second one's options");
    dlclose(plugin);
}

/// The first rounds fill what allocators and oneDNN keep.
void test_reloading(const Ort::Env &env, const char *library, const char *network, const Reference &reference) {
    const auto pixels = images(2, 5);
    const auto expected = reference(pixels);
    size_t early = 0;
    for (int round = 0; round < 50; ++round) {
        Ort::Session session(env, network, options(library));
        expect(run(session, pixels) == expected, "the answer after loading again");
        message_of([&] { run(session, std::vector<float>(3), {3}); });
        if (round == 9) early = resident_bytes();
    }
    const auto late = resident_bytes();
    expect(late < early + (2u << 20), "40 sessions later, " + std::to_string((late - early) >> 10) + " kB more are resident");
}

}  // namespace

int main(int argument_count, char **arguments) {
    if (argument_count != 4) return 2;
    try {
        const Reference reference(arguments[2], 16);
        const Ort::Env env(ORT_LOGGING_LEVEL_FATAL, "test");
        {
            Ort::Session session(env, arguments[3], options(arguments[1]));
            test_answers(session, reference);
            test_threads(session, reference);
            test_errors(session, arguments[1]);
        }
        test_two_runtimes(env, arguments[1], arguments[3], reference);
        test_reloading(env, arguments[1], arguments[3], reference);
    } catch (const std::exception &error) {
        expect(false, error.what());
    }
    std::printf("%d failures\n", failures);
    return failures == 0 ? 0 : 1;
}
