// One instance of a model: a session of its own, and the runs of the batches that the server gathers.
#pragma once

#include "model.hpp"
#include "request.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

namespace multipoint_triton {

class Instance {
public:
    /// Compiles a session for the model's largest batch. `model` must outlive the instance, as the server promises.
    Instance(TRITONBACKEND_ModelInstance *instance, const Model &model);

    /// Answers and releases all requests, those that fit together in one run. Throws only before it has touched any of them: then
    /// they are still the server's.
    void execute(TRITONBACKEND_Request **requests, std::uint32_t count);

private:
    static constexpr std::size_t alignment = 64;
    struct FreeAligned {
        void operator()(std::byte *bytes) const noexcept { ::operator delete(bytes, std::align_val_t(alignment)); }
    };
    using Memory = std::unique_ptr<std::byte, FreeAligned>;

    /// Nanoseconds of the server's clock.
    struct Times {
        std::uint64_t start, compute_start, compute_end, end;
    };

    void begin(TRITONBACKEND_Request *handle, Request &request) noexcept;
    void run_in_groups(std::uint32_t count, std::uint64_t start) noexcept;
    /// Runs the requests of the group as one batch, answers them and empties the group.
    void run_group(std::uint64_t start) noexcept;
    void make_outputs() noexcept;
    void gather(std::int64_t batch) noexcept;
    void gather_input(std::size_t index) noexcept;
    void scatter() noexcept;
    void report(std::int64_t batch, const Times &times) noexcept;

    static Memory allocate(std::size_t byte_count);
    /// Tensors over `memory`, for any batch up to the largest.
    static std::vector<multipoint_tensor> tensors(const std::vector<Value> &values, const std::vector<Memory> &memory,
                                                  std::vector<Shape> &shapes);
    static void set_batch(const std::vector<Value> &values, std::vector<Shape> &shapes, std::vector<multipoint_tensor> &tensors,
                          std::int64_t batch) noexcept;

    TRITONBACKEND_ModelInstance *handle_;
    const Model &model_;
    std::unique_ptr<multipoint_session, Destroy> session_;

    /// Where batches of several requests, or of inputs in several blocks, are put together.
    std::vector<Memory> input_memory_, output_memory_;
    std::vector<Shape> input_shapes_, output_shapes_;
    std::vector<multipoint_tensor> inputs_, outputs_;

    std::vector<Request> requests_;
    std::vector<Request *> group_;
};

} // namespace multipoint_triton
