// What the server calls, in the order in which it does: backend, model, instance, requests, and back.

#include "failure.hpp"
#include "instance.hpp"
#include "model.hpp"
#include "triton.hpp"

#include <memory>
#include <string>

using namespace multipoint_triton;

namespace {

Model *state_of(TRITONBACKEND_Model *model) {
    void *state = nullptr;
    check(TRITONBACKEND_ModelState(model, &state));
    return static_cast<Model *>(state);
}

Instance *state_of(TRITONBACKEND_ModelInstance *instance) {
    void *state = nullptr;
    check(TRITONBACKEND_ModelInstanceState(instance, &state));
    return static_cast<Instance *>(state);
}

const Model &model_of(TRITONBACKEND_ModelInstance *instance) {
    TRITONBACKEND_Model *model = nullptr;
    check(TRITONBACKEND_ModelInstanceModel(instance, &model));
    const Model *state = state_of(model);
    if (state == nullptr) throw Failure(TRITONSERVER_ERROR_INTERNAL, "an instance was asked for before its model");
    return *state;
}

} // namespace

TRITONSERVER_Error *TRITONBACKEND_Initialize(TRITONBACKEND_Backend *) {
    return guarded([&] {
        std::uint32_t major = 0, minor = 0;
        check(TRITONBACKEND_ApiVersion(&major, &minor));
        if (major == TRITONBACKEND_API_VERSION_MAJOR && minor >= TRITONBACKEND_API_VERSION_MINOR) return;
        throw Failure(TRITONSERVER_ERROR_UNSUPPORTED, "multipoint: TRITONBACKEND API " +
                                                          std::to_string(TRITONBACKEND_API_VERSION_MAJOR) + "." +
                                                          std::to_string(TRITONBACKEND_API_VERSION_MINOR) +
                                                          " or a later minor version is expected, the server has " +
                                                          std::to_string(major) + "." + std::to_string(minor));
    });
}

TRITONSERVER_Error *TRITONBACKEND_GetBackendAttribute(TRITONBACKEND_Backend *, TRITONBACKEND_BackendAttribute *attributes) {
    // Where the configuration does not say: on CPUs, even if the server sees a GPU.
    return guarded([&] {
        check(
            TRITONBACKEND_BackendAttributeAddPreferredInstanceGroup(attributes, TRITONSERVER_INSTANCEGROUPKIND_CPU, 0, nullptr, 0));
    });
}

TRITONSERVER_Error *TRITONBACKEND_ModelInitialize(TRITONBACKEND_Model *model) {
    return guarded([&] {
        auto state = std::make_unique<Model>(model);
        check(TRITONBACKEND_ModelSetState(model, state.get()));
        state.release();
    });
}

TRITONSERVER_Error *TRITONBACKEND_ModelInstanceInitialize(TRITONBACKEND_ModelInstance *instance) {
    return guarded([&] {
        auto state = std::make_unique<Instance>(instance, model_of(instance));
        check(TRITONBACKEND_ModelInstanceSetState(instance, state.get()));
        state.release();
    });
}

TRITONSERVER_Error *TRITONBACKEND_ModelInstanceExecute(TRITONBACKEND_ModelInstance *instance, TRITONBACKEND_Request **requests,
                                                       uint32_t request_count) {
    return guarded([&] {
        Instance *state = state_of(instance);
        if (state == nullptr) throw Failure(TRITONSERVER_ERROR_INTERNAL, "the instance was not initialized");
        state->execute(requests, request_count);
    });
}

// A model or instance that could not be initialized is finalized, too: it has no state.

TRITONSERVER_Error *TRITONBACKEND_ModelInstanceFinalize(TRITONBACKEND_ModelInstance *instance) {
    return guarded([&] { delete state_of(instance); });
}

TRITONSERVER_Error *TRITONBACKEND_ModelFinalize(TRITONBACKEND_Model *model) {
    return guarded([&] { delete state_of(model); });
}
