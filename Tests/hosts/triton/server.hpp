// A server as the backend sees one: the objects behind its opaque pointers, and the power to fail at any call or allocation.
#pragma once

#include "triton.hpp"

#include <multipoint.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

struct TRITONSERVER_Error {
    TRITONSERVER_Error_Code code;
    std::string message;
};

struct TRITONSERVER_Message {
    std::string json;
};

struct TRITONBACKEND_Backend {
    std::uint32_t major = 1, minor = 19;
    TRITONSERVER_Message configuration{R"({"cmdline":{"default-max-batch-size":"4"}})"};
};

struct TRITONBACKEND_BackendAttribute {
    std::vector<TRITONSERVER_InstanceGroupKind> preferred;
};

struct TRITONBACKEND_Model {
    TRITONBACKEND_Backend *backend = nullptr;
    std::string name = "sample", folder, configuration;
    bool completes = true;
    void *state = nullptr;
};

struct TRITONBACKEND_ModelInstance {
    TRITONBACKEND_Model *model = nullptr;
    TRITONSERVER_InstanceGroupKind kind = TRITONSERVER_INSTANCEGROUPKIND_CPU;
    void *state = nullptr;
    // What the backend reported.
    std::vector<std::uint64_t> batches;
    int successes = 0, failures = 0;
};

struct TRITONBACKEND_Input {
    std::string name = "x";
    TRITONSERVER_DataType type = TRITONSERVER_TYPE_FP32;
    std::vector<std::int64_t> shape;
    std::vector<std::string> pieces;
    TRITONSERVER_MemoryType memory = TRITONSERVER_MEMORY_CPU;
    /// What the input says of itself; -1 for the truth.
    std::int64_t byte_size = -1;
};

struct TRITONBACKEND_Output {
    std::string name, bytes;
    std::vector<std::int64_t> shape;
    TRITONSERVER_MemoryType memory = TRITONSERVER_MEMORY_CPU;
    bool has_memory = true;
};

struct TRITONBACKEND_Response {
    TRITONBACKEND_Request *request;
    std::vector<std::unique_ptr<TRITONBACKEND_Output>> outputs;
};

struct TRITONBACKEND_Request {
    std::vector<TRITONBACKEND_Input> inputs;
    std::vector<std::string> wanted{"y"};
    TRITONSERVER_MemoryType output_memory = TRITONSERVER_MEMORY_CPU;
    bool has_output_memory = true;
    /// For the test, to know its images by.
    int first = 0;
    // What became of it.
    int responses = 0, answers = 0, releases = 0;
    std::string error;
    TRITONSERVER_Error_Code code = TRITONSERVER_ERROR_UNKNOWN;
    std::map<std::string, std::string> results;
    bool reported = false;
};

/// What the server counts and does.
struct ServerState {
    /// Objects that the backend has to give back.
    int live_errors = 0, live_messages = 0, live_responses = 0;
    /// Calls that may fail, and allocations of the backend, so far.
    long calls = 0, allocations = 0;
    /// The number of the call that fails; 0 for none. The name of the function that it hit.
    long failing_call = 0;
    std::string failed;
    /// The number of the first allocation that fails, and whether all later ones do; 0 for none.
    long failing_allocation = 0;
    bool fails_on = false;
    /// What the library answers instead of doing it; MULTIPOINT_OK: it does it.
    multipoint_status open_status = MULTIPOINT_OK, create_status = MULTIPOINT_OK, run_status = MULTIPOINT_OK;
    std::vector<std::string> log;
};
extern ServerState server;

/// Allocations in its scope are not the backend's: they do not count and do not fail.
class OwnAllocations {
public:
    OwnAllocations();
    ~OwnAllocations();
};

/// The other way round, for a call into the backend.
class CountedAllocations {
public:
    CountedAllocations();
    ~CountedAllocations();

private:
    int depth_;
};
