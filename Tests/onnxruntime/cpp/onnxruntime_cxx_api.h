// A stand-in for ONNX Runtime's header of the same name, which neither Debian nor PyPI carries: the classes and functions that our
// programs use, as that header declares them, over the same table of functions (see Sources/ONNXRuntimePlugin/ort_api.hpp). The
// library beneath is the real one.
#pragma once

#include "../../../Sources/ONNXRuntimePlugin/ort_api.hpp"

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

enum OrtLoggingLevel { ORT_LOGGING_LEVEL_VERBOSE, ORT_LOGGING_LEVEL_INFO, ORT_LOGGING_LEVEL_WARNING, ORT_LOGGING_LEVEL_ERROR, ORT_LOGGING_LEVEL_FATAL };
enum OrtAllocatorType { OrtInvalidAllocator = -1, OrtDeviceAllocator = 0, OrtArenaAllocator = 1 };
enum OrtMemType { OrtMemTypeDefault = 0 };

extern "C" const ort::ApiBase *OrtGetApiBase();

namespace ort_slots {

struct Env;
struct Session;
struct RunOptions;
struct MemoryInfo;
struct Allocator;

using GetErrorMessage = ort::Slot<2, const char *(const ort::Status *)>;
using CreateEnv = ort::Slot<3, ort::Status *(OrtLoggingLevel, const char *, Env **)>;
using CreateSession = ort::Slot<7, ort::Status *(const Env *, const char *, const ort::SessionOptions *, Session **)>;
using Run = ort::Slot<9, ort::Status *(Session *, const RunOptions *, const char *const *, const ort::Value *const *, size_t,
                                       const char *const *, size_t, ort::Value **)>;
using CreateSessionOptions = ort::Slot<10, ort::Status *(ort::SessionOptions **)>;
using SetIntraOpNumThreads = ort::Slot<24, ort::Status *(ort::SessionOptions *, int)>;
using SessionGetInputName = ort::Slot<36, ort::Status *(const Session *, size_t, Allocator *, char **)>;
using SessionGetOutputName = ort::Slot<37, ort::Status *(const Session *, size_t, Allocator *, char **)>;
using CreateTensorWithData = ort::Slot<49, ort::Status *(const MemoryInfo *, void *, size_t, const int64_t *, size_t, ort::ElementType, ort::Value **)>;
using GetTensorShapeElementCount = ort::Slot<64, ort::Status *(const ort::TensorTypeAndShapeInfo *, size_t *)>;
using CreateCpuMemoryInfo = ort::Slot<69, ort::Status *(OrtAllocatorType, OrtMemType, MemoryInfo **)>;
using AllocatorFree = ort::Slot<76, ort::Status *(Allocator *, void *)>;
using GetAllocatorWithDefaultOptions = ort::Slot<78, ort::Status *(Allocator **)>;
using ReleaseEnv = ort::Slot<92, void(Env *)>;
using ReleaseMemoryInfo = ort::Slot<94, void(MemoryInfo *)>;
using ReleaseSession = ort::Slot<95, void(Session *)>;
using ReleaseValue = ort::Slot<96, void(ort::Value *)>;
using ReleaseSessionOptions = ort::Slot<100, void(ort::SessionOptions *)>;
using AddSessionConfigEntry = ort::Slot<130, ort::Status *(ort::SessionOptions *, const char *, const char *)>;
/// Gives the library back when the options and the sessions made with them are gone.
using RegisterCustomOpsLibraryV2 = ort::Slot<228, ort::Status *(ort::SessionOptions *, const char *)>;

/// The header's table is as long as the header; ours ends where the plugin's does.
inline const ort::Api &api() {
    static const ort::Api *api = OrtGetApiBase()->get_api(ort::interface_version);
    return *api;
}

}  // namespace ort_slots

namespace Ort {

struct Exception : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline void ThrowOnError(ort::Status *status) {
    if (status == nullptr) return;
    const std::string message = ort_slots::api().call<ort_slots::GetErrorMessage>(static_cast<const ort::Status *>(status));
    ort_slots::api().call<ort::ReleaseStatus>(status);
    throw Exception(message);
}

template <class Release, class Object>
class Owner {
public:
    explicit Owner(Object *owned = nullptr) : object(owned) {}
    Owner(Owner &&other) noexcept : object(std::exchange(other.object, nullptr)) {}
    Owner &operator=(Owner &&other) noexcept {
        std::swap(object, other.object);
        return *this;
    }
    ~Owner() {
        if (object != nullptr) ort_slots::api().call<Release>(object);
    }
    operator Object *() const { return object; }

protected:
    Object *object;
};

struct RunOptions {
    explicit RunOptions(std::nullptr_t) {}
};

struct Env : Owner<ort_slots::ReleaseEnv, ort_slots::Env> {
    Env(OrtLoggingLevel level, const char *name) {
        ThrowOnError(ort_slots::api().call<ort_slots::CreateEnv>(level, name, &object));
    }
};

struct SessionOptions : Owner<ort_slots::ReleaseSessionOptions, ort::SessionOptions> {
    SessionOptions() { ThrowOnError(ort_slots::api().call<ort_slots::CreateSessionOptions>(&object)); }
    SessionOptions &SetIntraOpNumThreads(int threads) {
        ThrowOnError(ort_slots::api().call<ort_slots::SetIntraOpNumThreads>(object, threads));
        return *this;
    }
    SessionOptions &AddConfigEntry(const char *key, const char *value) {
        ThrowOnError(ort_slots::api().call<ort_slots::AddSessionConfigEntry>(object, key, value));
        return *this;
    }
    SessionOptions &RegisterCustomOpsLibrary(const char *path) {
        // Beyond the table that the plugin reads, but of the same one.
        const auto *slots = reinterpret_cast<void (*const *)()>(&ort_slots::api());
        using Slot = ort_slots::RegisterCustomOpsLibraryV2;
        ThrowOnError(reinterpret_cast<Slot::Pointer>(slots[Slot::index])(object, path));
        return *this;
    }
};

struct MemoryInfo : Owner<ort_slots::ReleaseMemoryInfo, ort_slots::MemoryInfo> {
    static MemoryInfo CreateCpu(OrtAllocatorType allocator, OrtMemType type) {
        MemoryInfo info;
        ThrowOnError(ort_slots::api().call<ort_slots::CreateCpuMemoryInfo>(allocator, type, &info.object));
        return info;
    }
};

struct TensorTypeAndShapeInfo : Owner<ort::ReleaseTensorTypeAndShapeInfo, ort::TensorTypeAndShapeInfo> {
    explicit TensorTypeAndShapeInfo(const ort::Value *value) {
        ThrowOnError(ort_slots::api().call<ort::GetTensorTypeAndShape>(value, &object));
    }
    size_t GetElementCount() const {
        size_t count = 0;
        ThrowOnError(ort_slots::api().call<ort_slots::GetTensorShapeElementCount>(
            static_cast<const ort::TensorTypeAndShapeInfo *>(object), &count));
        return count;
    }
};

struct Value : Owner<ort_slots::ReleaseValue, ort::Value> {
    using Owner::Owner;
    template <class Element>
    static Value CreateTensor(const MemoryInfo &memory, Element *data, size_t count, const int64_t *shape, size_t rank) {
        static_assert(std::is_same_v<Element, float>, "the stand-in knows floats only");
        Value value;
        ThrowOnError(ort_slots::api().call<ort_slots::CreateTensorWithData>(
            static_cast<const ort_slots::MemoryInfo *>(memory), static_cast<void *>(data), count * sizeof(Element), shape, rank,
            ort::ElementType::float32, &value.object));
        return value;
    }
    template <class Element>
    const Element *GetTensorData() const {
        void *data = nullptr;
        ThrowOnError(ort_slots::api().call<ort::GetTensorMutableData>(object, &data));
        return static_cast<const Element *>(data);
    }
    TensorTypeAndShapeInfo GetTensorTypeAndShapeInfo() const { return TensorTypeAndShapeInfo(object); }
};
static_assert(sizeof(Value) == sizeof(ort::Value *), "an array of values is an array of pointers");

struct AllocatorWithDefaultOptions {
    AllocatorWithDefaultOptions() {
        ThrowOnError(ort_slots::api().call<ort_slots::GetAllocatorWithDefaultOptions>(&allocator));
    }
    ort_slots::Allocator *allocator = nullptr;
};

struct AllocatedFree {
    ort_slots::Allocator *allocator;
    void operator()(void *memory) const { ort_slots::api().call<ort_slots::AllocatorFree>(allocator, memory); }
};
using AllocatedStringPtr = std::unique_ptr<char, AllocatedFree>;

struct Session : Owner<ort_slots::ReleaseSession, ort_slots::Session> {
    Session(const Env &env, const char *path, const SessionOptions &options) {
        ThrowOnError(ort_slots::api().call<ort_slots::CreateSession>(
            static_cast<const ort_slots::Env *>(env), path, static_cast<const ort::SessionOptions *>(options), &object));
    }
    AllocatedStringPtr GetInputNameAllocated(size_t index, AllocatorWithDefaultOptions &allocator) const {
        return name<ort_slots::SessionGetInputName>(index, allocator.allocator);
    }
    AllocatedStringPtr GetOutputNameAllocated(size_t index, AllocatorWithDefaultOptions &allocator) const {
        return name<ort_slots::SessionGetOutputName>(index, allocator.allocator);
    }
    std::vector<Value> Run(
        const RunOptions &, const char *const *input_names, const Value *inputs, size_t input_count, const char *const *output_names,
        size_t output_count) {
        std::vector<Value> outputs(output_count);
        ThrowOnError(ort_slots::api().call<ort_slots::Run>(
            object, static_cast<const ort_slots::RunOptions *>(nullptr), input_names,
            reinterpret_cast<const ort::Value *const *>(inputs), input_count, output_names, output_count,
            reinterpret_cast<ort::Value **>(outputs.data())));
        return outputs;
    }

private:
    template <class Get>
    AllocatedStringPtr name(size_t index, ort_slots::Allocator *allocator) const {
        char *text = nullptr;
        ThrowOnError(ort_slots::api().call<Get>(static_cast<const ort_slots::Session *>(object), index, allocator, &text));
        return AllocatedStringPtr(text, AllocatedFree{allocator});
    }
};

}  // namespace Ort
