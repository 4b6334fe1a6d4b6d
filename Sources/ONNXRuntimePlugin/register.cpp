// The door: ONNX Runtime calls RegisterCustomOps when it loads the library into the options of a session.

#include "kernel.hpp"

#include <map>

namespace {

using Make = std::unique_ptr<Kernel> (*)(const host::Node &, const Settings &);

/// One operator of the domain, and the settings of the sessions that it is for.
struct Operator : ort::CustomOp {
    const char *operator_name;
    Make make;
    Settings settings;
};

/// A kernel as the runtime holds it.
struct Instance {
    const ort::Api &api;
    std::unique_ptr<Kernel> kernel;
};

const Operator &own(const ort::CustomOp *op) { return *static_cast<const Operator *>(op); }

ort::Status *create_kernel(const ort::CustomOp *op, const ort::Api *api, const ort::KernelInfo *info, void **kernel) {
    return host::as_status(*api, [&] {
        const host::Node node{*api, info};
        *kernel = new Instance{*api, own(op).make(node, own(op).settings)};
    });
}

ort::Status *compute(void *kernel, ort::KernelContext *context) {
    auto &instance = *static_cast<Instance *>(kernel);
    return host::as_status(instance.api, [&] { instance.kernel->compute({instance.api, context}); });
}

/// What all operators have alike. The two functions that cannot report errors are for versions before 16; the runtime calls those of
/// 16 instead, but wants all of them set.
Operator operator_named(const char *name, Make make, const Settings &settings) {
    Operator op{};
    op.version = ort::operator_version;
    op.operator_name = name;
    op.make = make;
    op.settings = settings;
    op.create_kernel = [](const ort::CustomOp *, const ort::Api *, const ort::KernelInfo *) -> void * { return nullptr; };
    op.compute = [](void *, ort::KernelContext *) {};
    op.name = [](const ort::CustomOp *self) { return own(self).operator_name; };
    op.execution_provider = [](const ort::CustomOp *) { return "CPUExecutionProvider"; };
    op.destroy_kernel = [](void *kernel) { delete static_cast<Instance *>(kernel); };
    op.input_memory_type = [](const ort::CustomOp *, size_t) { return ort::MemoryType::normal; };
    op.output_type = [](const ort::CustomOp *, size_t) { return ort::ElementType::float32; };
    op.output_type_count = [](const ort::CustomOp *) -> size_t { return 1; };
    op.variadic_input_minimum = op.variadic_output_minimum = [](const ort::CustomOp *) { return 1; };
    op.variadic_input_homogeneous = [](const ort::CustomOp *) { return 0; };
    op.variadic_output_homogeneous = [](const ort::CustomOp *) { return 1; };
    op.create_kernel_v2 = create_kernel;
    op.compute_v2 = compute;
    return op;
}

/// Inputs: the packed file (uint8) unless it is an attribute, then the network's. Outputs: the network's.
Operator network_operator(const Settings &settings) {
    Operator op = operator_named("Network", make_network_kernel, settings);
    op.input_type = [](const ort::CustomOp *, size_t) { return ort::ElementType::undefined; };
    op.input_type_count = [](const ort::CustomOp *) -> size_t { return 1; };
    op.input_characteristic = [](const ort::CustomOp *, size_t) { return ort::Characteristic::variadic; };
    op.output_characteristic = [](const ort::CustomOp *, size_t) { return ort::Characteristic::variadic; };
    return op;
}

/// Inputs: x, and the packed file (uint8) unless it is an attribute. One output.
Operator layer_operator(const char *name, Make make, const Settings &settings) {
    Operator op = operator_named(name, make, settings);
    op.input_type = [](const ort::CustomOp *, size_t index) {
        return index == 0 ? ort::ElementType::float32 : ort::ElementType::uint8;
    };
    op.input_type_count = [](const ort::CustomOp *) -> size_t { return 2; };
    op.input_characteristic = [](const ort::CustomOp *, size_t index) {
        return index == 0 ? ort::Characteristic::required : ort::Characteristic::optional;
    };
    op.output_characteristic = [](const ort::CustomOp *, size_t) { return ort::Characteristic::required; };
    return op;
}

std::unique_ptr<Kernel> make_conv_kernel(const host::Node &node, const Settings &settings) {
    return make_layer_kernel(node, MULTIPOINT_CONV, settings);
}
std::unique_ptr<Kernel> make_gemm_kernel(const host::Node &node, const Settings &settings) {
    return make_layer_kernel(node, MULTIPOINT_GEMM, settings);
}

/// The operators for sessions of one runtime and settings, in their domain. The runtime keeps pointers to all of it.
class Domain {
public:
    Domain(const ort::Api &api, const Settings &settings)
        : operators{
                        network_operator(settings), layer_operator("Conv", make_conv_kernel, settings),
                        layer_operator("Gemm", make_gemm_kernel, settings)} {
        ort::CustomOpDomain *created = nullptr;
        host::check(api.call<ort::CreateCustomOpDomain>("multipoint", &created));
        domain = {created, api.slot<ort::ReleaseCustomOpDomain>()};
        for (const ort::CustomOp &op : operators) host::check(api.call<ort::CustomOpDomainAdd>(created, &op));
    }
    Domain(const Domain &) = delete;
    Domain &operator=(const Domain &) = delete;

    void add_to(const ort::Api &api, ort::SessionOptions *options) const {
        host::check(api.call<ort::AddCustomOpDomain>(options, domain.get()));
    }

private:
    const Operator operators[3];
    std::unique_ptr<ort::CustomOpDomain, ort::ReleaseCustomOpDomain::Pointer> domain{nullptr, nullptr};
};

void register_operators(const ort::Api &api, ort::SessionOptions *options) {
    static std::mutex mutex;
    // A process may hold two runtimes, and a domain is of the one that made it. None is ever given back: nobody tells when the
    // last session that has it is gone. A host that keeps to a few settings has a few.
    static std::map<std::pair<const ort::Api *, Settings>, Domain> domains;
    const Settings settings = settings_of(api, options);
    const std::lock_guard<std::mutex> lock(mutex);
    domains.try_emplace({&api, settings}, api, settings).first->second.add_to(api, options);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) ort::Status *RegisterCustomOps(
    ort::SessionOptions *options, const ort::ApiBase *base) {
    if (const ort::Api *api = base->get_api(ort::interface_version)) {
        return host::as_status(*api, [&] { register_operators(*api, options); });
    }
    // Of an older runtime's table, the slot that makes a status is the same.
    const ort::Api *oldest = base->get_api(1);
    if (oldest == nullptr) return nullptr;
    return oldest->call<ort::CreateStatus>(
        ort::ErrorCode::fail, "multipoint: ONNX Runtime 1.17 or newer is needed");
}
