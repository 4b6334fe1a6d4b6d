// The part of ONNX Runtime's C interface that this library uses, declared here because neither Debian nor PyPI carries its header.
//
// `OrtApi` is a table of function pointers that only ever grows at its end, so a slot's number is as fixed as a name. The numbers
// are positions in `struct OrtApi` of include/onnxruntime/core/session/onnxruntime_c_api.h (https://github.com/microsoft/onnxruntime,
// MIT License); C#'s NativeMethods.shared.cs of the same repository lists them without the comments. Layouts and enum values are
// those of the same header.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ort {

// Opaque to us.
struct Status;
struct SessionOptions;
struct CustomOpDomain;
struct KernelInfo;
struct KernelContext;
struct Value;
struct TensorTypeAndShapeInfo;

/// `OrtApiBase`.
struct ApiBase {
    /// NULL if the runtime is older than that version of the interface.
    const struct Api *(*get_api)(uint32_t version);
    const char *(*get_version_string)();
};

/// The version of the interface that this library asks for. 16 lets kernels report errors as a status, but its runtime calls the
/// function that cannot as long as there is one.
constexpr uint32_t interface_version = 17;
/// The version of `CustomOp` below.
constexpr uint32_t operator_version = 16;

enum class ErrorCode : int { fail = 1, invalid_argument = 2 };

/// `ONNXTensorElementDataType`.
enum class ElementType : int { undefined = 0, float32 = 1, uint8 = 2 };

/// `OrtCustomOpInputOutputCharacteristic`.
enum class Characteristic : int { required = 0, optional = 1, variadic = 2 };

/// `OrtMemType`.
enum class MemoryType : int { normal = 0 };

/// A position in the table and the type of the function that is there.
template <size_t number, class Function>
struct Slot;
template <size_t number, class Result, class... Arguments>
struct Slot<number, Result(Arguments...)> {
    static constexpr size_t index = number;
    using Pointer = Result (*)(Arguments...);
};

// Since version 1 of the interface.
using CreateStatus = Slot<0, Status *(ErrorCode, const char *)>;
using CreateCustomOpDomain = Slot<26, Status *(const char *domain, CustomOpDomain **)>;
using CustomOpDomainAdd = Slot<27, Status *(CustomOpDomain *, const struct CustomOp *)>;
using AddCustomOpDomain = Slot<28, Status *(SessionOptions *, CustomOpDomain *)>;
using GetTensorMutableData = Slot<51, Status *(Value *, void **)>;
using GetTensorElementType = Slot<60, Status *(const TensorTypeAndShapeInfo *, ElementType *)>;
using GetDimensionsCount = Slot<61, Status *(const TensorTypeAndShapeInfo *, size_t *)>;
using GetDimensions = Slot<62, Status *(const TensorTypeAndShapeInfo *, int64_t *, size_t count)>;
using GetTensorTypeAndShape = Slot<65, Status *(const Value *, TensorTypeAndShapeInfo **)>;
/// With `out` NULL: the size. `*size` counts the terminating zero that follows the bytes.
using KernelInfoGetAttributeString = Slot<87, Status *(const KernelInfo *, const char *name, char *out, size_t *size)>;
using KernelContextGetInputCount = Slot<88, Status *(const KernelContext *, size_t *)>;
using KernelContextGetOutputCount = Slot<89, Status *(const KernelContext *, size_t *)>;
using KernelContextGetInput = Slot<90, Status *(const KernelContext *, size_t index, const Value **)>;
using KernelContextGetOutput = Slot<91, Status *(KernelContext *, size_t index, const int64_t *, size_t rank, Value **)>;
using ReleaseStatus = Slot<93, void(Status *)>;
using ReleaseTensorTypeAndShapeInfo = Slot<99, void(TensorTypeAndShapeInfo *)>;
using ReleaseCustomOpDomain = Slot<101, void(CustomOpDomain *)>;
// Since version 14.
using KernelInfoGetInputCount = Slot<230, Status *(const KernelInfo *, size_t *)>;
using KernelInfoGetOutputCount = Slot<231, Status *(const KernelInfo *, size_t *)>;
using HasSessionConfigEntry = Slot<237, Status *(const SessionOptions *, const char *key, int *has)>;
using GetSessionConfigEntry = Slot<238, Status *(const SessionOptions *, const char *key, char *out, size_t *size)>;
// Since version 15.
using KernelInfoGetNodeName = Slot<244, Status *(const KernelInfo *, char *out, size_t *size)>;
/// The value belongs to the session. NULL and 0 if the input is missing or computed.
using KernelInfoGetConstantInput = Slot<249, Status *(const KernelInfo *, size_t index, int *is_constant, const Value **)>;

/// `OrtApi`, read by slot.
struct Api {
    void (*slots[KernelInfoGetConstantInput::index + 1])();

    template <class Function>
    typename Function::Pointer slot() const {
        return reinterpret_cast<typename Function::Pointer>(slots[Function::index]);
    }

    template <class Function, class... Arguments>
    auto call(Arguments... arguments) const {
        return slot<Function>()(arguments...);
    }
};

/// `OrtCustomOp` of version 16. The runtime calls what the stated version has without asking whether it is NULL.
struct CustomOp {
    uint32_t version;
    void *(*create_kernel)(const CustomOp *, const Api *, const KernelInfo *);
    const char *(*name)(const CustomOp *);
    const char *(*execution_provider)(const CustomOp *);
    ElementType (*input_type)(const CustomOp *, size_t index);
    size_t (*input_type_count)(const CustomOp *);
    ElementType (*output_type)(const CustomOp *, size_t index);
    size_t (*output_type_count)(const CustomOp *);
    void (*compute)(void *kernel, KernelContext *);
    void (*destroy_kernel)(void *kernel);
    Characteristic (*input_characteristic)(const CustomOp *, size_t index);
    Characteristic (*output_characteristic)(const CustomOp *, size_t index);
    MemoryType (*input_memory_type)(const CustomOp *, size_t index);
    int (*variadic_input_minimum)(const CustomOp *);
    int (*variadic_input_homogeneous)(const CustomOp *);
    int (*variadic_output_minimum)(const CustomOp *);
    int (*variadic_output_homogeneous)(const CustomOp *);
    Status *(*create_kernel_v2)(const CustomOp *, const Api *, const KernelInfo *, void **kernel);
    Status *(*compute_v2)(void *kernel, KernelContext *);
};

}  // namespace ort
