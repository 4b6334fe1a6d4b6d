#include "instance.hpp"

#include "failure.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace multipoint_triton {
namespace {

std::uint64_t now() {
    const auto time = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(time).count());
}

void require_cpu(TRITONBACKEND_ModelInstance *instance, const std::string &title) {
    TRITONSERVER_InstanceGroupKind kind = TRITONSERVER_INSTANCEGROUPKIND_AUTO;
    check(TRITONBACKEND_ModelInstanceKind(instance, &kind));
    if (kind != TRITONSERVER_INSTANCEGROUPKIND_GPU) return;
    throw Failure(TRITONSERVER_ERROR_UNSUPPORTED,
                  title + ": instance_group: KIND_CPU is expected, found KIND_GPU; this backend computes on CPUs only");
}

std::unique_ptr<multipoint_session, Destroy> make_session(const Model &model) {
    multipoint_session_options options{};
    options.struct_size = sizeof options;
    options.maximum_batch = model.settings().maximum_batch;
    options.threads = model.settings().threads;
    options.maximum_run_bytes = model.settings().maximum_run_bytes;
    options.maximum_work = model.settings().maximum_work;
    multipoint_session *session = nullptr;
    check(multipoint_session_create(model.weights(), &options, &session), model.title());
    return std::unique_ptr<multipoint_session, Destroy>(session);
}

} // namespace

Instance::Instance(TRITONBACKEND_ModelInstance *instance, const Model &model) : handle_(instance), model_(model) {
    require_cpu(instance, model.title());
    session_ = make_session(model);
    const auto &network = model.network();
    const auto batch = model.settings().maximum_batch;
    for (const auto &value : network.inputs) input_memory_.push_back(allocate(value.byte_count(batch)));
    for (const auto &value : network.outputs) output_memory_.push_back(allocate(value.byte_count(batch)));
    inputs_ = tensors(network.inputs, input_memory_, input_shapes_);
    outputs_ = tensors(network.outputs, output_memory_, output_shapes_);
}

Instance::Memory Instance::allocate(std::size_t byte_count) {
    return Memory(static_cast<std::byte *>(::operator new(std::max<std::size_t>(byte_count, 1), std::align_val_t(alignment))));
}

std::vector<multipoint_tensor> Instance::tensors(const std::vector<Value> &values, const std::vector<Memory> &memory,
                                                 std::vector<Shape> &shapes) {
    std::vector<multipoint_tensor> tensors;
    for (const auto &value : values) shapes.push_back(value.shape);
    for (std::size_t index = 0; index < values.size(); ++index) {
        const auto rank = static_cast<std::int32_t>(shapes[index].size());
        tensors.push_back({memory[index].get(), 0, MULTIPOINT_F32, rank, shapes[index].data(), nullptr});
    }
    return tensors;
}

void Instance::set_batch(const std::vector<Value> &values, std::vector<Shape> &shapes, std::vector<multipoint_tensor> &tensors,
                         std::int64_t batch) noexcept {
    for (std::size_t index = 0; index < values.size(); ++index) {
        for (std::size_t axis = 0; axis < shapes[index].size(); ++axis) {
            if (values[index].has_batch_axis(axis)) shapes[index][axis] = batch;
        }
        tensors[index].byte_count = values[index].byte_count(batch); // counted before, for the largest batch
    }
}

void Instance::execute(TRITONBACKEND_Request **requests, std::uint32_t count) {
    if (requests_.size() < count) requests_.resize(count);
    group_.reserve(count);
    const auto start = now();
    for (std::uint32_t index = 0; index < count; ++index) begin(requests[index], requests_[index]);
    run_in_groups(count, start);
    for (std::uint32_t index = 0; index < count; ++index) {
        Request &request = requests_[index];
        if (!request.succeeded()) {
            log_failure(TRITONBACKEND_ModelInstanceReportStatistics(handle_, request.handle(), false, 0, 0, 0, 0));
        }
        request.release();
    }
}

void Instance::begin(TRITONBACKEND_Request *handle, Request &request) noexcept {
    if (!request.begin(handle)) return;
    try {
        request.read(model_.network(), model_.settings().maximum_batch);
    } catch (...) {
        request.fail();
    }
}

void Instance::run_in_groups(std::uint32_t count, std::uint64_t start) noexcept {
    std::int64_t batch = 0;
    for (std::uint32_t index = 0; index < count; ++index) {
        Request &request = requests_[index];
        if (!request.is_open()) continue;
        const bool fits = model_.network().gathers && request.batch() <= model_.settings().maximum_batch - batch;
        if (!group_.empty() && !fits) {
            run_group(start);
            start = now();
            batch = 0;
        }
        group_.push_back(&request); // reserved
        batch += request.batch();
    }
    run_group(start);
}

void Instance::run_group(std::uint64_t start) noexcept {
    make_outputs();
    if (group_.empty()) return;
    std::int64_t batch = 0;
    for (const Request *request : group_) batch += request->batch();
    gather(batch);

    Times times{start, now(), 0, 0};
    const auto status = multipoint_session_run(session_.get(), inputs_.data(), inputs_.size(), outputs_.data(), outputs_.size());
    times.compute_end = now();
    try {
        check_run(status, model_.title());
        scatter();
        for (Request *request : group_) request->send();
    } catch (...) {
        for (Request *request : group_) request->fail();
    }
    times.end = now();
    report(batch, times);
    group_.clear();
}

/// A request whose outputs the server has no memory for leaves the group.
void Instance::make_outputs() noexcept {
    for (Request *request : group_) {
        try {
            request->make_outputs(model_.network());
        } catch (...) {
            request->fail();
        }
    }
    group_.erase(std::remove_if(group_.begin(), group_.end(), [](const Request *request) { return !request->is_open(); }),
                 group_.end());
}

/// Points the tensors at the server's memory where a single request's bytes lie in one block, else at our own.
void Instance::gather(std::int64_t batch) noexcept {
    set_batch(model_.network().inputs, input_shapes_, inputs_, batch);
    set_batch(model_.network().outputs, output_shapes_, outputs_, batch);
    for (std::size_t index = 0; index < inputs_.size(); ++index) gather_input(index);
    for (std::size_t index = 0; index < outputs_.size(); ++index) {
        void *wanted = group_.front()->output(index);
        outputs_[index].data = group_.size() == 1 && wanted != nullptr ? wanted : output_memory_[index].get();
    }
}

void Instance::gather_input(std::size_t index) noexcept {
    const auto &first = group_.front()->pieces(index);
    if (group_.size() == 1 && first.size() == 1) {
        inputs_[index].data = const_cast<void *>(first.front().bytes); // inputs are not written
        return;
    }
    std::byte *place = input_memory_[index].get();
    inputs_[index].data = place;
    for (const Request *request : group_) {
        for (const auto &piece : request->pieces(index)) {
            std::memcpy(place, piece.bytes, piece.count);
            place += piece.count;
        }
    }
}

void Instance::scatter() noexcept {
    if (group_.size() == 1) return; // written in place
    for (std::size_t index = 0; index < outputs_.size(); ++index) {
        const std::byte *place = output_memory_[index].get();
        for (const Request *request : group_) {
            const auto byte_count = model_.network().outputs[index].byte_count(request->batch());
            if (request->output(index) != nullptr) std::memcpy(request->output(index), place, byte_count);
            place += byte_count;
        }
    }
}

/// Of the requests that succeeded and of the run; of the others execute() tells.
void Instance::report(std::int64_t batch, const Times &times) noexcept {
    for (const Request *request : group_) {
        if (!request->succeeded()) continue;
        log_failure(TRITONBACKEND_ModelInstanceReportStatistics(handle_, request->handle(), true, times.start, times.compute_start,
                                                                times.compute_end, times.end));
    }
    log_failure(TRITONBACKEND_ModelInstanceReportBatchStatistics(handle_, static_cast<std::uint64_t>(batch), times.start,
                                                                 times.compute_start, times.compute_end, times.end));
}

} // namespace multipoint_triton
