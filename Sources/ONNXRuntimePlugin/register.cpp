// The door: ONNX Runtime calls RegisterCustomOps when it loads the library into the options of a session.

#include "kernel.hpp"

#include <cstdlib>
#include <map>

namespace {

using Make = std::unique_ptr<Kernel> (*)(const host::Node &, int threads);

/// One operator of the domain, and the threads of the sessions that it is for.
struct Operator : ort::CustomOp {
    const char *operator_name;
    Make make;
    int threads;
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
        *kernel = new Instance{*api, own(op).make(node, own(op).threads)};
    });
}

ort::Status *compute(void *kernel, ort::KernelContext *context) {
    auto &instance = *static_cast<Instance *>(kernel);
    return host::as_status(instance.api, [&] { instance.kernel->compute({instance.api, context}); });
}

/// What all operators have alike. The two functions that cannot report errors are for versions before 16; the runtime calls those of
/// 16 instead, but wants all of them set.
Operator operator_named(const char *name, Make make, int threads) {
    Operator op{};
    op.version = ort::operator_version;
    op.operator_name = name;
    op.make = make;
    op.threads = threads;
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
Operator network_operator(int threads) {
    Operator op = operator_named("Network", make_network_kernel, threads);
    op.input_type = [](const ort::CustomOp *, size_t) { return ort::ElementType::undefined; };
    op.input_type_count = [](const ort::CustomOp *) -> size_t { return 1; };
    op.input_characteristic = [](const ort::CustomOp *, size_t) { return ort::Characteristic::variadic; };
    op.output_characteristic = [](const ort::CustomOp *, size_t) { return ort::Characteristic::variadic; };
    return op;
}

/// Inputs: x, and the packed file (uint8) unless it is an attribute. One output.
Operator layer_operator(const char *name, Make make, int threads) {
    Operator op = operator_named(name, make, threads);
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

/// The operators for sessions of one runtime and thread count, in their domain. The runtime keeps pointers to all of it.
class Domain {
public:
    Domain(const ort::Api &api, int threads)
        : operators{
                        network_operator(threads),
                        layer_operator(
                            "Conv", [](const host::Node &node, int count) { return make_layer_kernel(node, MULTIPOINT_CONV, count); },
                            threads),
                        layer_operator(
                            "Gemm", [](const host::Node &node, int count) { return make_layer_kernel(node, MULTIPOINT_GEMM, count); },
                            threads)} {
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

constexpr const char *threads_key = "multipoint.threads";
constexpr int most_threads = 1024;

/// The entry `multipoint.threads` of the session's configuration; 0 without one.
int threads_of(const ort::Api &api, const ort::SessionOptions *options) {
    int has = 0;
    host::check(api.call<ort::HasSessionConfigEntry>(options, threads_key, &has));
    if (has == 0) return 0;
    char text[16] = {};
    size_t size = sizeof text;
    ort::Status *too_long = api.call<ort::GetSessionConfigEntry>(options, threads_key, static_cast<char *>(text), &size);
    if (too_long != nullptr) api.call<ort::ReleaseStatus>(too_long);
    char *end = nullptr;
    const long threads = std::strtol(text, &end, 10);
    if (too_long != nullptr || text[0] == '\0' || *end != '\0' || threads < 0 || threads > most_threads) {
        throw host::InvalidArgument(
            std::string("multipoint: the session's configuration has ") + threads_key + " = `" + text + "`; a number from 0 to "
            + std::to_string(most_threads) + " is expected");
    }
    return static_cast<int>(threads);
}

void register_operators(const ort::Api &api, ort::SessionOptions *options) {
    static std::mutex mutex;
    // A process may hold two runtimes, and a domain is of the one that made it.
    static std::map<std::pair<const ort::Api *, int>, Domain> domains;
    const int threads = threads_of(api, options);
    const std::lock_guard<std::mutex> lock(mutex);
    domains.try_emplace({&api, threads}, api, threads).first->second.add_to(api, options);
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
