#include "host.hpp"

namespace host {

size_t Tensor::count() const {
    // The runtime holds the tensor in memory: the product does not overflow.
    size_t count = 1;
    for (const int64_t size : shape) count *= static_cast<size_t>(size);
    return count;
}

Tensor tensor(const ort::Api &api, const ort::Value *value) {
    struct Description {
        const ort::Api &api;
        ort::TensorTypeAndShapeInfo *info = nullptr;
        ~Description() { api.call<ort::ReleaseTensorTypeAndShapeInfo>(info); }
    } description{api};
    check(api.call<ort::GetTensorTypeAndShape>(value, &description.info));
    const auto *info = static_cast<const ort::TensorTypeAndShapeInfo *>(description.info);

    Tensor tensor{};
    size_t rank = 0;
    check(api.call<ort::GetTensorElementType>(info, &tensor.type));
    check(api.call<ort::GetDimensionsCount>(info, &rank));
    tensor.shape.resize(rank);
    check(api.call<ort::GetDimensions>(info, tensor.shape.data(), rank));
    void *data = nullptr;
    // There is no function for reading only.
    check(api.call<ort::GetTensorMutableData>(const_cast<ort::Value *>(value), &data));
    tensor.data = data;
    return tensor;
}

std::string text(const std::vector<int64_t> &shape) {
    std::string text = "[";
    for (const int64_t size : shape) {
        if (text.size() > 1) text += ", ";
        text += size < 0 ? "N" : std::to_string(size);
    }
    return text + "]";
}

std::string Node::name() const {
    size_t size = 0;
    check(api.call<ort::KernelInfoGetNodeName>(info, static_cast<char *>(nullptr), &size));
    std::string name(size, '\0');
    check(api.call<ort::KernelInfoGetNodeName>(info, name.data(), &size));
    while (!name.empty() && name.back() == '\0') name.pop_back();
    return name;
}

size_t Node::input_count() const {
    size_t count = 0;
    check(api.call<ort::KernelInfoGetInputCount>(info, &count));
    return count;
}

size_t Node::output_count() const {
    size_t count = 0;
    check(api.call<ort::KernelInfoGetOutputCount>(info, &count));
    return count;
}

std::string Node::attribute(const char *name) const {
    size_t size = 0;
    // The runtime fails if the attribute is missing, and does not say so in another way.
    if (ort::Status *missing = api.call<ort::KernelInfoGetAttributeString>(info, name, static_cast<char *>(nullptr), &size)) {
        api.call<ort::ReleaseStatus>(missing);
        return "";
    }
    std::string value(size, '\0');
    check(api.call<ort::KernelInfoGetAttributeString>(info, name, value.data(), &size));
    if (!value.empty()) value.pop_back();
    return value;
}

bool Node::constant_input(size_t index, Tensor *value) const {
    if (index >= input_count()) return false;
    int is_constant = 0;
    const ort::Value *constant = nullptr;
    check(api.call<ort::KernelInfoGetConstantInput>(info, index, &is_constant, &constant));
    if (is_constant == 0 || constant == nullptr) return false;
    *value = tensor(api, constant);
    return true;
}

size_t Call::input_count() const {
    size_t count = 0;
    check(api.call<ort::KernelContextGetInputCount>(static_cast<const ort::KernelContext *>(context), &count));
    return count;
}

size_t Call::output_count() const {
    size_t count = 0;
    check(api.call<ort::KernelContextGetOutputCount>(static_cast<const ort::KernelContext *>(context), &count));
    return count;
}

Tensor Call::input(size_t index) const {
    const ort::Value *value = nullptr;
    check(api.call<ort::KernelContextGetInput>(static_cast<const ort::KernelContext *>(context), index, &value));
    if (value == nullptr) throw InvalidArgument("multipoint: input " + std::to_string(index) + " is missing");
    return tensor(api, value);
}

float *Call::output(size_t index, const std::vector<int64_t> &shape) const {
    ort::Value *value = nullptr;
    check(api.call<ort::KernelContextGetOutput>(context, index, shape.data(), shape.size(), &value));
    if (value == nullptr) throw InvalidArgument("multipoint: output " + std::to_string(index) + " is missing");
    void *data = nullptr;
    check(api.call<ort::GetTensorMutableData>(value, &data));
    return static_cast<float *>(data);
}

}  // namespace host
