// The backend in a server that fails: at every single call, at every single allocation. Nothing crashes or hangs, every request is
// answered once and released, nothing is left behind, and who gets an answer gets the right one.
#include "server.hpp"

#include "../../c/check.h"

extern "C" {
#include "packed_file.h"
void set_backend(TRITONBACKEND_Backend *backend);
}

#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

namespace {

// ---- The backend's functions ----

struct Backend {
    void *library = nullptr;
    decltype(&TRITONBACKEND_Initialize) initialize;
    decltype(&TRITONBACKEND_GetBackendAttribute) attributes;
    decltype(&TRITONBACKEND_ModelInitialize) model_initialize;
    decltype(&TRITONBACKEND_ModelFinalize) model_finalize;
    decltype(&TRITONBACKEND_ModelInstanceInitialize) instance_initialize;
    decltype(&TRITONBACKEND_ModelInstanceFinalize) instance_finalize;
    decltype(&TRITONBACKEND_ModelInstanceExecute) execute;

    template <class Function>
    void find(Function &function, const char *name) {
        function = reinterpret_cast<Function>(dlsym(library, name));
        if (function == nullptr) std::printf("%s\n", dlerror()), std::exit(EXIT_FAILURE);
    }
};
Backend backend;

void load_backend() {
    const char *folder = std::getenv("TRITON_BACKENDS");
    const auto path = std::string(folder == nullptr ? "." : folder) + "/multipoint/libtriton_multipoint.so";
    backend.library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (backend.library == nullptr) std::printf("%s\n", dlerror()), std::exit(EXIT_FAILURE);
    backend.find(backend.initialize, "TRITONBACKEND_Initialize");
    backend.find(backend.attributes, "TRITONBACKEND_GetBackendAttribute");
    backend.find(backend.model_initialize, "TRITONBACKEND_ModelInitialize");
    backend.find(backend.model_finalize, "TRITONBACKEND_ModelFinalize");
    backend.find(backend.instance_initialize, "TRITONBACKEND_ModelInstanceInitialize");
    backend.find(backend.instance_finalize, "TRITONBACKEND_ModelInstanceFinalize");
    backend.find(backend.execute, "TRITONBACKEND_ModelInstanceExecute");
}

/// Of the last call that failed.
TRITONSERVER_Error_Code last_code = TRITONSERVER_ERROR_UNKNOWN;

/// Calls the backend. The error's message, "" for success.
template <class Function, class... Arguments>
std::string call(Function function, Arguments... arguments) {
    TRITONSERVER_Error *error = nullptr;
    {
        const CountedAllocations counted;
        error = function(arguments...);
    }
    if (error == nullptr) return "";
    const std::string message = error->message.empty() ? "an error without a message" : error->message;
    last_code = error->code;
    TRITONSERVER_ErrorDelete(error);
    return message;
}

bool contains(const std::string &text, const std::string &part) {
    if (text.find(part) != std::string::npos) return true;
    std::printf("    expected: ...%s...\n    found:    %s\n", part.c_str(), text.c_str());
    return false;
}

// ---- A model repository with the sample network ----

std::string folder;

void make_repository() {
    char path[] = "/tmp/multipoint-triton-XXXXXX";
    folder = mkdtemp(path);
    mkdir((folder + "/1").c_str(), 0700);
    const byte_string file = sample_network();
    FILE *stream = std::fopen((folder + "/1/model.multipoint").c_str(), "wb");
    if (stream == nullptr || std::fwrite(file.bytes, 1, file.count, stream) != file.count || std::fclose(stream) != 0)
        std::exit(EXIT_FAILURE);
    byte_string_free(file);
}

void remove_repository() {
    std::remove((folder + "/1/model.multipoint").c_str());
    rmdir((folder + "/1").c_str());
    rmdir(folder.c_str());
}

// ---- Requests ----

std::string bytes_of(const float *numbers, std::size_t count) {
    return std::string(reinterpret_cast<const char *>(numbers), count * sizeof(float));
}

/// Sample images and, so that none is taken for another, images of zeros in turns; the first is number `first`.
std::string images(int count, int first = 0) {
    static const float zeros[8] = {};
    std::string result;
    for (int i = first; i < first + count; ++i) result += bytes_of(i % 2 == 0 ? sample_image : zeros, 8);
    return result;
}

/// What the network says to them. Of zeros: the convolution's biases 1 and 0 are the averages, and
/// y = 0.75 * 1 + 0.25 * 0 = 0.75,  0.5 * (1 - 0) + 10 = 10.5
std::string results(int count, int first) {
    static const float result_of_zeros[2] = {0.75f, 10.5f};
    std::string result;
    for (int i = first; i < first + count; ++i) result += bytes_of(i % 2 == 0 ? sample_result : result_of_zeros, 2);
    return result;
}

TRITONBACKEND_Request request(int batch, int first = 0) {
    TRITONBACKEND_Request result;
    TRITONBACKEND_Input input;
    input.shape = {batch, 2, 2, 2};
    input.pieces = {images(batch, first)};
    result.inputs.push_back(input);
    result.first = first;
    return result;
}

/// The same, its bytes in pieces of odd sizes, one of them empty.
TRITONBACKEND_Request request_in_pieces(int batch, int first = 0) {
    auto result = request(batch, first);
    const auto all = images(batch, first);
    result.inputs[0].pieces = {all.substr(0, 3), "", all.substr(3, 10), all.substr(13)};
    return result;
}

// ---- A model and an instance ----

struct Life {
    TRITONBACKEND_Backend server_backend;
    TRITONBACKEND_Model model;
    TRITONBACKEND_ModelInstance instance;
    std::string error;

    explicit Life(const std::string &configuration = "{}") {
        set_backend(&server_backend);
        model.backend = &server_backend;
        model.folder = folder;
        model.configuration = configuration;
        instance.model = &model;
    }

    bool begin() {
        TRITONBACKEND_BackendAttribute attributes;
        error = call(backend.initialize, &server_backend);
        if (error.empty()) error = call(backend.attributes, &server_backend, &attributes);
        if (error.empty()) error = call(backend.model_initialize, &model);
        if (error.empty()) error = call(backend.instance_initialize, &instance);
        return error.empty();
    }

    std::string execute(std::vector<TRITONBACKEND_Request> &requests) {
        std::vector<TRITONBACKEND_Request *> pointers;
        for (auto &each : requests) pointers.push_back(&each);
        return call(backend.execute, &instance, pointers.data(), static_cast<std::uint32_t>(pointers.size()));
    }

    void end() {
        CHECK(call(backend.instance_finalize, &instance).empty());
        CHECK(call(backend.model_finalize, &model).empty());
    }
};

void check_nothing_is_left() {
    CHECK(server.live_errors == 0);
    CHECK(server.live_messages == 0);
    CHECK(server.live_responses == 0);
}

/// A request that was answered, and what with.
void check_answer(const TRITONBACKEND_Request &each, const std::string &error) {
    CHECK(each.responses == 1 && each.answers == 1 && each.releases == 1);
    if (error.empty()) {
        const auto batch = static_cast<int>(each.inputs[0].shape[0]);
        CHECK(each.error.empty());
        CHECK(each.results.size() == each.wanted.size());
        for (const auto &[name, bytes] : each.results) CHECK(bytes == results(batch, each.first));
    } else {
        CHECK(contains(each.error, error));
    }
}

// ---- Tests ----

void test_a_life() {
    server = ServerState();
    Life life;
    CHECK(life.begin());
    std::vector<TRITONBACKEND_Request> requests{request(1, 1), request_in_pieces(2), request(1, 1)};
    CHECK(life.execute(requests).empty());
    for (const auto &each : requests) check_answer(each, "");
    CHECK(life.instance.batches == std::vector<std::uint64_t>{4});
    CHECK(life.instance.successes == 3 && life.instance.failures == 0);
    // More than fit: two runs. One alone, in pieces and with nothing wanted.
    std::vector<TRITONBACKEND_Request> many{request(3, 1), request(2), request(2, 1), request_in_pieces(4)};
    many[1].wanted.clear();
    CHECK(life.execute(many).empty());
    for (const auto &each : many) check_answer(each, "");
    CHECK((life.instance.batches == std::vector<std::uint64_t>{4, 3, 4, 4}));
    life.end();
    check_nothing_is_left();
}

/// Wrong requests among right ones.
void test_wrong_requests() {
    struct Case {
        std::function<void(TRITONBACKEND_Request &)> spoil;
        const char *error;
    };
    const std::vector<Case> cases{
        {[](auto &r) { r.inputs.clear(); }, "input `x` is missing in the request"},
        {[](auto &r) { r.inputs.push_back(r.inputs[0]); }, "input `x` is given twice"},
        {[](auto &r) { r.inputs[0].name = "image"; }, "input `image`: the network has no such input"},
        {[](auto &r) { r.inputs[0].type = TRITONSERVER_TYPE_INT32; }, "input `x`: data type FP32 is expected, found OTHER"},
        {[](auto &r) { r.inputs[0].shape = {1, 2, 2}; },
         "input `x`: shape [-1, 2, 2, 2] is expected (-1: the batch), found [1, 2, 2]"},
        {[](auto &r) { r.inputs[0].shape = {}; }, "found []"},
        {[](auto &r) { r.inputs[0].shape = {1, 2, 4, 1}; }, "found [1, 2, 4, 1]"},
        {[](auto &r) { r.inputs[0].shape = {-1, 2, 2, 2}; }, "a batch of 1 to 4 is expected, found shape [-1, 2, 2, 2]"},
        {[](auto &r) { r.inputs[0].shape = {5, 2, 2, 2}; }, "a batch of 1 to 4 is expected, found shape [5, 2, 2, 2]"},
        {[](auto &r) { r.inputs[0].shape = {INT64_MAX, 2, 2, 2}; }, "a batch of 1 to 4 is expected"},
        {[](auto &r) { r.inputs[0].pieces[0].pop_back(); }, "input `x`: 32 bytes are expected for shape [1, 2, 2, 2], found 31"},
        {[](auto &r) {
             r.inputs[0].pieces = {images(2)};
             r.inputs[0].byte_size = 32;
         },
         "32 bytes are expected in its buffers, found other sizes"},
        {[](auto &r) {
             r.inputs[0].pieces = {images(1).substr(4)};
             r.inputs[0].byte_size = 32;
         },
         "32 bytes are expected in its buffers"},
        {[](auto &r) {
             r.inputs[0].pieces = {};
             r.inputs[0].byte_size = 32;
         },
         "32 bytes are expected in its buffers"},
        {[](auto &r) { r.inputs[0].memory = TRITONSERVER_MEMORY_GPU; }, "input `x`: its bytes are expected in the CPU's memory"},
        {[](auto &r) { r.wanted = {"scores"}; }, "output `scores`: the network has no such output"},
        {[](auto &r) { r.output_memory = TRITONSERVER_MEMORY_GPU; }, "output `y`: memory of the CPU is expected"},
        {[](auto &r) { r.has_output_memory = false; }, "output `y`: memory of the CPU is expected"},
    };
    server = ServerState();
    Life life;
    CHECK(life.begin());
    for (const auto &each : cases) {
        std::vector<TRITONBACKEND_Request> requests{request(1), request(1), request_in_pieces(2, 1)};
        each.spoil(requests[1]);
        life.instance.batches.clear();
        CHECK(life.execute(requests).empty());
        check_answer(requests[0], "");
        check_answer(requests[1], each.error);
        check_answer(requests[2], "");
        CHECK(life.instance.batches == std::vector<std::uint64_t>{3});
        // And alone.
        std::vector<TRITONBACKEND_Request> alone{request(1)};
        each.spoil(alone[0]);
        CHECK(life.execute(alone).empty());
        check_answer(alone[0], each.error);
    }
    CHECK(life.instance.failures == static_cast<int>(2 * cases.size()));
    life.end();
    check_nothing_is_left();
}

void test_refusals() {
    server = ServerState();
    const auto refused = [](const std::string &configuration, const std::string &error, std::function<void(Life &)> change) {
        Life life(configuration);
        change(life);
        CHECK(!life.begin());
        CHECK(contains(life.error, error));
        life.end();
    };
    const auto as_it_is = [](Life &) {};
    refused("{}", "1.19 or a later minor version is expected, the server has 1.18",
            [](Life &life) { life.server_backend.minor = 18; });
    refused("{}", "the server has 2.19", [](Life &life) { life.server_backend.major = 2; });
    refused("{}", "KIND_CPU is expected, found KIND_GPU",
            [](Life &life) { life.instance.kind = TRITONSERVER_INSTANCEGROUPKIND_GPU; });
    refused("{}", "nowhere/1/model.multipoint", [](Life &life) { life.model.folder = "/nowhere"; });
    refused("{", "the server's JSON cannot be read", as_it_is);
    refused("[]", "the server's JSON cannot be read", as_it_is);
    refused("\xff", "the server's JSON cannot be read", as_it_is);
    refused("{}", "needs it, and the configuration does not have it", [](Life &life) { life.model.completes = false; });
    refused(R"({"input":[{"name":"x","data_type":"TYPE_FP32","dims":"many"}]})", "a list of numbers is expected, found \"many\"",
            as_it_is);
    refused(R"({"input":[{"name":"x","data_type":"TYPE_FP32","dims":[1.5]}]})", "a list of numbers is expected, found [1.5]",
            as_it_is);
    refused(R"({"input":[7]})", "input ``: the network has no such input", as_it_is);
    refused(R"({"parameters":{"threads":7}})", "parameter `threads`", as_it_is);
    refused("{}", "default-max-batch-size: a whole number is expected, found \"x\"",
            [](Life &life) { life.server_backend.configuration.json = R"({"cmdline":{"default-max-batch-size":"x"}})"; });
    check_nothing_is_left();

    // 64-bit numbers as strings, members of other types, and a backend configuration without anything.
    for (const char *odd : {R"({"input":[{"name":"x","data_type":"TYPE_FP32","dims":["2","2","2"]}],"max_batch_size":2})",
                            R"({"input":null,"output":3,"parameters":[],"dynamic_batching":null,"max_batch_size":null})", "{}"}) {
        Life life(odd);
        life.server_backend.configuration.json = "";
        CHECK(life.begin());
        life.end();
    }
    check_nothing_is_left();
}

/// What the library says becomes a code that tells who can do something about it.
void test_codes() {
    const struct {
        multipoint_status status;
        TRITONSERVER_Error_Code of_a_model, of_a_request;
    } cases[] = {
        {MULTIPOINT_INVALID_ARGUMENT, TRITONSERVER_ERROR_INVALID_ARG, TRITONSERVER_ERROR_INVALID_ARG},
        {MULTIPOINT_BAD_FORMAT, TRITONSERVER_ERROR_INVALID_ARG, TRITONSERVER_ERROR_INVALID_ARG},
        {MULTIPOINT_UNSUPPORTED, TRITONSERVER_ERROR_UNSUPPORTED, TRITONSERVER_ERROR_UNSUPPORTED},
        {MULTIPOINT_LIMIT_EXCEEDED, TRITONSERVER_ERROR_UNSUPPORTED, TRITONSERVER_ERROR_INVALID_ARG},
        {MULTIPOINT_OUT_OF_MEMORY, TRITONSERVER_ERROR_UNAVAILABLE, TRITONSERVER_ERROR_UNAVAILABLE},
        {MULTIPOINT_INTERNAL_ERROR, TRITONSERVER_ERROR_INTERNAL, TRITONSERVER_ERROR_INTERNAL},
    };
    for (const auto &each : cases) {
        for (auto call : {&ServerState::open_status, &ServerState::create_status}) {
            server = ServerState();
            server.*call = each.status;
            Life life;
            CHECK(!life.begin());
            CHECK(last_code == each.of_a_model);
            life.end();
        }
        server = ServerState();
        Life life;
        CHECK(life.begin());
        server.run_status = each.status;
        std::vector<TRITONBACKEND_Request> requests{request(1), request(2)};
        CHECK(life.execute(requests).empty());
        for (const auto &one : requests) {
            check_answer(one, "model `sample` version 1: ");
            CHECK(one.code == each.of_a_request);
        }
        life.end();
        check_nothing_is_left();
    }
}

/// One life with three requests, of which one is wrong, while something fails.
void live_with_failure() {
    Life life;
    std::vector<TRITONBACKEND_Request> requests{request(1), request(1), request_in_pieces(2, 1)};
    requests[1].inputs[0].shape = {1, 1, 1, 8};
    std::string error;
    const bool alive = life.begin();
    if (alive) error = life.execute(requests);
    life.end();

    if (!alive) CHECK(!life.error.empty());
    for (std::size_t index = 0; index < requests.size(); ++index) {
        const auto &each = requests[index];
        if (!alive || !error.empty()) { // the server's still: untouched
            CHECK(each.responses == 0 && each.answers == 0 && each.releases == 0);
            continue;
        }
        CHECK(each.releases == 1 || server.failed == "TRITONBACKEND_RequestRelease");
        CHECK(each.responses == 1 || server.failed == "TRITONBACKEND_ResponseNew");
        CHECK(each.answers == each.responses || server.failed == "TRITONBACKEND_ResponseSend");
        if (each.answers == 1 && each.error.empty()) {
            CHECK(index != 1);
            CHECK(each.results.size() == 1 && each.results.begin()->second == results(index == 0 ? 1 : 2, each.first));
        }
    }
    check_nothing_is_left();
}

void test_every_call_fails() {
    server = ServerState();
    live_with_failure();
    const long calls = server.calls;
    CHECK(calls > 50);
    for (long number = 1; number <= calls; ++number) {
        server = ServerState();
        server.failing_call = number;
        live_with_failure();
        CHECK(!server.failed.empty());
    }
    std::printf("%ld calls, each failed once\n", calls);
}

void test_every_allocation_fails() {
    server = ServerState();
    live_with_failure();
    const long allocations = server.allocations;
    CHECK(allocations > 60);
    for (const bool fails_on : {false, true}) {
        for (long number = 1; number <= allocations; ++number) {
            server = ServerState();
            server.failing_allocation = number;
            server.fails_on = fails_on;
            live_with_failure();
        }
    }
    std::printf("%ld allocations, each failed once, and with all after it\n", allocations);
}

/// A server at work allocates nothing in the backend for requests that are right.
void test_allocations_at_work() {
    server = ServerState();
    Life life;
    CHECK(life.begin());
    for (int round = 0; round < 3; ++round) {
        std::vector<TRITONBACKEND_Request> requests{request(1), request_in_pieces(2), request(1)};
        const long before = server.allocations;
        CHECK(life.execute(requests).empty());
        if (round > 0) CHECK(server.allocations == before);
    }
    life.end();
}

} // namespace

int main() {
    load_backend();
    make_repository();
    test_a_life();
    test_wrong_requests();
    test_refusals();
    test_codes();
    test_every_call_fails();
    test_every_allocation_fails();
    test_allocations_at_work();
    remove_repository();
    return check_summary("backend");
}
