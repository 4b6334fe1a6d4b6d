#include "server.hpp"

#include <dlfcn.h>
#include <multipoint.h>

#include <cstdlib>
#include <new>

ServerState server;

// ---- Allocations ----

namespace {

int own_depth = 1; // outside of the backend's calls nothing counts

void *allocate(std::size_t size, std::size_t alignment) {
    if (own_depth == 0) {
        const long number = ++server.allocations;
        if (server.failing_allocation != 0 &&
            (number == server.failing_allocation || (server.fails_on && number > server.failing_allocation))) {
            throw std::bad_alloc();
        }
    }
    void *result = std::aligned_alloc(alignment, (size / alignment + 1) * alignment);
    if (result == nullptr) throw std::bad_alloc();
    return result;
}

} // namespace

OwnAllocations::OwnAllocations() { ++own_depth; }
OwnAllocations::~OwnAllocations() { --own_depth; }
CountedAllocations::CountedAllocations() : depth_(own_depth) { own_depth = 0; }
CountedAllocations::~CountedAllocations() { own_depth = depth_; }

void *operator new(std::size_t size) { return allocate(size, alignof(std::max_align_t)); }
void *operator new[](std::size_t size) { return allocate(size, alignof(std::max_align_t)); }
void *operator new(std::size_t size, std::align_val_t alignment) { return allocate(size, static_cast<std::size_t>(alignment)); }
// What the library's C++ calls. Left out, it would be valgrind's, which does not know these that delete.
void *operator new(std::size_t size, const std::nothrow_t &) noexcept {
    try {
        return operator new(size);
    } catch (const std::bad_alloc &) {
        return nullptr;
    }
}
void operator delete(void *pointer) noexcept { std::free(pointer); }
void operator delete[](void *pointer) noexcept { std::free(pointer); }
void operator delete(void *pointer, std::size_t) noexcept { std::free(pointer); }
void operator delete[](void *pointer, std::size_t) noexcept { std::free(pointer); }
void operator delete(void *pointer, std::align_val_t) noexcept { std::free(pointer); }
void operator delete(void *pointer, std::size_t, std::align_val_t) noexcept { std::free(pointer); }

// The library's own allocations are its own tests' matter: calls into it go through here.

template <class Function, class... Arguments>
static multipoint_status library_call(const char *name, Arguments... arguments) {
    const OwnAllocations own;
    return reinterpret_cast<Function *>(dlsym(RTLD_NEXT, name))(arguments...);
}

extern "C" multipoint_status multipoint_model_open(const char *path, const multipoint_model_options *options,
                                                   multipoint_model **model) {
    if (server.open_status != MULTIPOINT_OK) return server.open_status;
    return library_call<decltype(multipoint_model_open)>("multipoint_model_open", path, options, model);
}
extern "C" multipoint_status multipoint_session_create(const multipoint_model *model, const multipoint_session_options *options,
                                                       multipoint_session **session) {
    if (server.create_status != MULTIPOINT_OK) return server.create_status;
    return library_call<decltype(multipoint_session_create)>("multipoint_session_create", model, options, session);
}
extern "C" multipoint_status multipoint_session_run(multipoint_session *session, const multipoint_tensor *inputs,
                                                    size_t input_count, const multipoint_tensor *outputs, size_t output_count) {
    if (server.run_status != MULTIPOINT_OK) return server.run_status;
    return library_call<decltype(multipoint_session_run)>("multipoint_session_run", session, inputs, input_count, outputs,
                                                          output_count);
}

// ---- The server's functions ----

/// The start of every function that may fail.
#define MAY_FAIL()                                                                                                                 \
    const OwnAllocations own;                                                                                                      \
    if (++server.calls == server.failing_call) {                                                                                   \
        server.failed = __func__;                                                                                                  \
        return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_INTERNAL, "the server was told to fail");                                  \
    }                                                                                                                              \
    static_assert(true)

extern "C" {

const char *TRITONSERVER_DataTypeString(TRITONSERVER_DataType type) { return type == TRITONSERVER_TYPE_FP32 ? "FP32" : "OTHER"; }

TRITONSERVER_Error *TRITONSERVER_LogMessage(TRITONSERVER_LogLevel, const char *, int, const char *message) {
    MAY_FAIL();
    server.log.emplace_back(message);
    return nullptr;
}

TRITONSERVER_Error *TRITONSERVER_ErrorNew(TRITONSERVER_Error_Code code, const char *message) {
    const OwnAllocations own;
    ++server.live_errors;
    return new TRITONSERVER_Error{code, message};
}
void TRITONSERVER_ErrorDelete(TRITONSERVER_Error *error) {
    --server.live_errors;
    delete error;
}
TRITONSERVER_Error_Code TRITONSERVER_ErrorCode(TRITONSERVER_Error *error) { return error->code; }
const char *TRITONSERVER_ErrorMessage(TRITONSERVER_Error *error) { return error->message.c_str(); }

TRITONSERVER_Error *TRITONSERVER_MessageNewFromSerializedJson(TRITONSERVER_Message **message, const char *base, size_t byte_size) {
    MAY_FAIL();
    ++server.live_messages;
    *message = new TRITONSERVER_Message{std::string(base, byte_size)};
    return nullptr;
}
TRITONSERVER_Error *TRITONSERVER_MessageSerializeToJson(TRITONSERVER_Message *message, const char **base, size_t *byte_size) {
    MAY_FAIL();
    *base = message->json.data();
    *byte_size = message->json.size();
    return nullptr;
}
TRITONSERVER_Error *TRITONSERVER_MessageDelete(TRITONSERVER_Message *message) {
    --server.live_messages; // gone even where it says that it failed
    delete message;
    MAY_FAIL();
    return nullptr;
}

static TRITONBACKEND_Backend *the_backend = nullptr;

TRITONSERVER_Error *TRITONBACKEND_ApiVersion(uint32_t *major, uint32_t *minor) {
    MAY_FAIL();
    *major = the_backend->major;
    *minor = the_backend->minor;
    return nullptr;
}
void set_backend(TRITONBACKEND_Backend *backend) { the_backend = backend; }

TRITONSERVER_Error *TRITONBACKEND_BackendConfig(TRITONBACKEND_Backend *backend, TRITONSERVER_Message **message) {
    MAY_FAIL();
    *message = &backend->configuration;
    return nullptr;
}
TRITONSERVER_Error *TRITONBACKEND_BackendAttributeAddPreferredInstanceGroup(TRITONBACKEND_BackendAttribute *attributes,
                                                                            TRITONSERVER_InstanceGroupKind kind, uint64_t,
                                                                            const uint64_t *, uint64_t) {
    MAY_FAIL();
    attributes->preferred.push_back(kind);
    return nullptr;
}

TRITONSERVER_Error *TRITONBACKEND_ModelName(TRITONBACKEND_Model *model, const char **name) {
    MAY_FAIL();
    *name = model->name.c_str();
    return nullptr;
}
TRITONSERVER_Error *TRITONBACKEND_ModelVersion(TRITONBACKEND_Model *, uint64_t *version) {
    MAY_FAIL();
    *version = 1;
    return nullptr;
}
TRITONSERVER_Error *TRITONBACKEND_ModelRepository(TRITONBACKEND_Model *model, TRITONBACKEND_ArtifactType *type,
                                                  const char **location) {
    MAY_FAIL();
    *type = TRITONBACKEND_ARTIFACT_FILESYSTEM;
    *location = model->folder.c_str();
    return nullptr;
}
TRITONSERVER_Error *TRITONBACKEND_ModelConfig(TRITONBACKEND_Model *model, uint32_t, TRITONSERVER_Message **message) {
    MAY_FAIL();
    ++server.live_messages;
    *message = new TRITONSERVER_Message{model->configuration};
    return nullptr;
}
TRITONSERVER_Error *TRITONBACKEND_ModelAutoCompleteConfig(TRITONBACKEND_Model *model, bool *completes) {
    MAY_FAIL();
    *completes = model->completes;
    return nullptr;
}
TRITONSERVER_Error *TRITONBACKEND_ModelSetConfig(TRITONBACKEND_Model *model, uint32_t, TRITONSERVER_Message *message) {
    MAY_FAIL();
    model->configuration = message->json;
    return nullptr;
}
TRITONSERVER_Error *TRITONBACKEND_ModelBackend(TRITONBACKEND_Model *model, TRITONBACKEND_Backend **backend) {
    MAY_FAIL();
    *backend = model->backend;
    return nullptr;
}
TRITONSERVER_Error *TRITONBACKEND_ModelState(TRITONBACKEND_Model *model, void **state) {
    *state = model->state; // a server that cannot give the state back makes the backend leak it: not tried
    return nullptr;
}
TRITONSERVER_Error *TRITONBACKEND_ModelSetState(TRITONBACKEND_Model *model, void *state) {
    MAY_FAIL();
    model->state = state;
    return nullptr;
}

TRITONSERVER_Error *TRITONBACKEND_ModelInstanceName(TRITONBACKEND_ModelInstance *, const char **name) {
    MAY_FAIL();
    *name = "sample_0";
    return nullptr;
}
TRITONSERVER_Error *TRITONBACKEND_ModelInstanceKind(TRITONBACKEND_ModelInstance *instance, TRITONSERVER_InstanceGroupKind *kind) {
    MAY_FAIL();
    *kind = instance->kind;
    return nullptr;
}
TRITONSERVER_Error *TRITONBACKEND_ModelInstanceModel(TRITONBACKEND_ModelInstance *instance, TRITONBACKEND_Model **model) {
    MAY_FAIL();
    *model = instance->model;
    return nullptr;
}
TRITONSERVER_Error *TRITONBACKEND_ModelInstanceState(TRITONBACKEND_ModelInstance *instance, void **state) {
    *state = instance->state;
    return nullptr;
}
TRITONSERVER_Error *TRITONBACKEND_ModelInstanceSetState(TRITONBACKEND_ModelInstance *instance, void *state) {
    MAY_FAIL();
    instance->state = state;
    return nullptr;
}
TRITONSERVER_Error *TRITONBACKEND_ModelInstanceReportStatistics(TRITONBACKEND_ModelInstance *instance,
                                                                TRITONBACKEND_Request *request, bool success, uint64_t start,
                                                                uint64_t compute_start, uint64_t compute_end, uint64_t end) {
    MAY_FAIL();
    // Before the release, once, in order.
    if (request->releases != 0 || request->reported ||
        (success && !(start != 0 && start <= compute_start && compute_start <= compute_end && compute_end <= end))) {
        std::abort();
    }
    request->reported = true;
    ++(success ? instance->successes : instance->failures);
    return nullptr;
}
TRITONSERVER_Error *TRITONBACKEND_ModelInstanceReportBatchStatistics(TRITONBACKEND_ModelInstance *instance, uint64_t batch_size,
                                                                     uint64_t, uint64_t, uint64_t, uint64_t) {
    MAY_FAIL();
    instance->batches.push_back(batch_size);
    return nullptr;
}

TRITONSERVER_Error *TRITONBACKEND_RequestInputCount(TRITONBACKEND_Request *request, uint32_t *count) {
    MAY_FAIL();
    *count = static_cast<uint32_t>(request->inputs.size());
    return nullptr;
}
TRITONSERVER_Error *TRITONBACKEND_RequestInputByIndex(TRITONBACKEND_Request *request, uint32_t index, TRITONBACKEND_Input **input) {
    MAY_FAIL();
    *input = &request->inputs.at(index);
    return nullptr;
}
TRITONSERVER_Error *TRITONBACKEND_RequestOutputCount(TRITONBACKEND_Request *request, uint32_t *count) {
    MAY_FAIL();
    *count = static_cast<uint32_t>(request->wanted.size());
    return nullptr;
}
TRITONSERVER_Error *TRITONBACKEND_RequestOutputName(TRITONBACKEND_Request *request, uint32_t index, const char **name) {
    MAY_FAIL();
    *name = request->wanted.at(index).c_str();
    return nullptr;
}
TRITONSERVER_Error *TRITONBACKEND_RequestRelease(TRITONBACKEND_Request *request, uint32_t flags) {
    MAY_FAIL();
    if (flags != 1) std::abort();
    ++request->releases;
    return nullptr;
}

TRITONSERVER_Error *TRITONBACKEND_InputProperties(TRITONBACKEND_Input *input, const char **name, TRITONSERVER_DataType *datatype,
                                                  const int64_t **shape, uint32_t *dims_count, uint64_t *byte_size,
                                                  uint32_t *buffer_count) {
    MAY_FAIL();
    *name = input->name.c_str();
    *datatype = input->type;
    *shape = input->shape.data();
    *dims_count = static_cast<uint32_t>(input->shape.size());
    *byte_size = 0;
    for (const auto &piece : input->pieces) *byte_size += piece.size();
    if (input->byte_size >= 0) *byte_size = static_cast<uint64_t>(input->byte_size);
    *buffer_count = static_cast<uint32_t>(input->pieces.size());
    return nullptr;
}
TRITONSERVER_Error *TRITONBACKEND_InputBuffer(TRITONBACKEND_Input *input, uint32_t index, const void **buffer, uint64_t *byte_size,
                                              TRITONSERVER_MemoryType *memory_type, int64_t *) {
    MAY_FAIL();
    *buffer = input->pieces.at(index).data();
    *byte_size = input->pieces.at(index).size();
    *memory_type = input->memory;
    return nullptr;
}

TRITONSERVER_Error *TRITONBACKEND_ResponseNew(TRITONBACKEND_Response **response, TRITONBACKEND_Request *request) {
    MAY_FAIL();
    ++request->responses;
    ++server.live_responses;
    *response = new TRITONBACKEND_Response{request, {}};
    return nullptr;
}
TRITONSERVER_Error *TRITONBACKEND_ResponseOutput(TRITONBACKEND_Response *response, TRITONBACKEND_Output **output, const char *name,
                                                 TRITONSERVER_DataType datatype, const int64_t *shape, uint32_t dims_count) {
    MAY_FAIL();
    if (datatype != TRITONSERVER_TYPE_FP32) std::abort();
    response->outputs.push_back(std::make_unique<TRITONBACKEND_Output>());
    *output = response->outputs.back().get();
    (*output)->name = name;
    (*output)->shape.assign(shape, shape + dims_count);
    (*output)->memory = response->request->output_memory;
    (*output)->has_memory = response->request->has_output_memory;
    return nullptr;
}
TRITONSERVER_Error *TRITONBACKEND_OutputBuffer(TRITONBACKEND_Output *output, void **buffer, uint64_t byte_size,
                                               TRITONSERVER_MemoryType *memory_type, int64_t *) {
    MAY_FAIL();
    output->bytes.assign(byte_size, '\xff'); // not a number, until it is written
    *buffer = output->has_memory ? output->bytes.data() : nullptr;
    *memory_type = output->memory;
    return nullptr;
}
TRITONSERVER_Error *TRITONBACKEND_ResponseSend(TRITONBACKEND_Response *response, uint32_t flags, TRITONSERVER_Error *error) {
    const OwnAllocations outer;
    if (flags != 1 || response->request->releases != 0) std::abort();
    TRITONBACKEND_Request *request = response->request;
    const auto outputs = std::move(response->outputs);
    --server.live_responses; // the server's in any case
    delete response;
    MAY_FAIL();
    ++request->answers;
    if (error != nullptr) {
        request->error = error->message;
        request->code = error->code;
        return nullptr;
    }
    for (const auto &output : outputs) request->results[output->name] = output->bytes;
    return nullptr;
}

} // extern "C"
