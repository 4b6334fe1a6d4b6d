/*
 * multipoint.hpp: the C interface of multipoint.h with C++'s ownership, exceptions and containers. C++17, header only:
 * nothing but the C functions of libmultipoint.so is called, so a program may be built by any compiler and standard library.
 *
 * multipoint.h is the manual of what the library does; this header says only what is different here. The simplest complete
 * program:
 *
 *     #include <multipoint.hpp>
 *
 *     multipoint::Model model("digits.multipoint");
 *     multipoint::Session session(model);
 *     std::vector<float> image(64);
 *     std::vector<float> logits = session.run(image);
 *
 * Rules that hold everywhere:
 *   - What fails throws multipoint::Error, with the status and the library's message. Nothing else is thrown, but std::bad_alloc
 *     and what your own callbacks throw. Destructors, moves and queries marked noexcept never throw.
 *   - Model, Session, Layer, Plan and Packing own one object of the library each. They move and do not copy; a moved-from one may
 *     be destroyed and assigned to, and any other use of it throws. What is made from an object stays usable without it.
 *   - Model, Layer, Plan and Packing are immutable: threads may share them. A Session belongs to one thread at a time.
 *   - Structs are those of multipoint.h, zeroed and with struct_size set (`PlanOptions` is a multipoint_plan_options, and so
 *     on); enumerations are those of multipoint.h. Strings and arrays in them live with the object that was asked.
 *   - Tensors are views of the caller's memory: whatever has std::data and std::size (std::vector, std::array, std::span, a C
 *     array) and elements of float, std::uint8_t, std::int8_t or std::int32_t. Nothing is copied.
 */
#ifndef MULTIPOINT_HPP
#define MULTIPOINT_HPP

#include <multipoint.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#if !defined(__cplusplus) || __cplusplus < 201703L
#error "multipoint.hpp needs C++17 or newer"
#endif

namespace multipoint {

/* ------------------------------------------------------------------------------------------------------------------
 * 1. Versions and errors
 * --------------------------------------------------------------------------------------------------------------- */

/** The version of the loaded library, such as "0.1.0". Any thread. */
inline const char *version() noexcept { return multipoint_version(); }

/** The same as a number, comparable with this header's MULTIPOINT_VERSION_NUMBER. Any thread. */
inline std::uint32_t version_number() noexcept { return multipoint_version_number(); }

/** One line about the loaded library: its version, oneDNN's, the CPU runtime and the instruction set in use. Any thread. */
inline const char *build_info() noexcept { return multipoint_build_info(); }

/** A call that failed: what() says what was wrong, where, what was expected and what was found. */
class Error : public std::runtime_error {
public:
    Error(multipoint_status status, const std::string &message) : std::runtime_error(message), status_(status) {}

    /** Never MULTIPOINT_OK. */
    multipoint_status status() const noexcept { return status_; }

private:
    multipoint_status status_;
};

/** Throws what a call of the C interface on this thread came to, unless it succeeded. For calls of your own. */
inline void check(multipoint_status status) {
    if (status == MULTIPOINT_OK) return;
    const char *message = multipoint_last_error();
    throw Error(status, *message == '\0' ? multipoint_status_string(status) : message);
}

/** A struct of multipoint.h that starts with struct_size: zeroed, and struct_size set. */
template <typename Struct>
struct Sized : Struct {
    Sized() noexcept : Struct() { this->struct_size = sizeof(Struct); }
};

using ValueInfo = Sized<multipoint_value_info>;
using LayerInfo = Sized<multipoint_layer_info>;
using SessionOptions = Sized<multipoint_session_options>;
using SessionInfo = Sized<multipoint_session_info>;
using StepInfo = Sized<multipoint_step_info>;
using ProfileInfo = Sized<multipoint_profile_info>;
using StepProfile = Sized<multipoint_step_profile>;
using Weights = Sized<multipoint_weights>;
using LayerDescriptor = Sized<multipoint_layer_descriptor>;
using Rows = Sized<multipoint_rows>;
using PlanOptions = Sized<multipoint_plan_options>;
using PlanInfo = Sized<multipoint_plan_info>;
using PackingOptions = Sized<multipoint_packing_options>;

/* ------------------------------------------------------------------------------------------------------------------
 * Tensors: the caller's memory, described
 * --------------------------------------------------------------------------------------------------------------- */

/** A view of `size` elements in a row; what std::span is in C++20. Made of anything that has std::data and std::size. */
template <typename Element>
class Span {
public:
    constexpr Span() noexcept = default;
    constexpr Span(Element *data, std::size_t size) noexcept : data_(data), size_(size) {}
    template <typename Container, typename Found = std::remove_pointer_t<decltype(std::data(std::declval<Container &>()))>,
              typename = std::enable_if_t<std::is_convertible_v<Found (*)[], Element (*)[]>>>
    constexpr Span(Container &&container) noexcept : data_(std::data(container)), size_(std::size(container)) {}

    constexpr Element *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr Element *begin() const noexcept { return data_; }
    constexpr Element *end() const noexcept { return data_ + size_; }
    /** Element number `index`, which is less than size(). */
    constexpr Element &operator[](std::size_t index) const noexcept { return data_[index]; }

private:
    Element *data_ = nullptr;
    std::size_t size_ = 0;
};

/** Dimensions in ONNX order (N, C, H, W), at most MULTIPOINT_MAX_RANK of them. An empty shape is one that is not said. */
class Shape {
public:
    Shape() noexcept = default;
    Shape(std::initializer_list<std::int64_t> dimensions) : Shape(Span<const std::int64_t>(dimensions)) {}
    template <typename Container, typename = std::enable_if_t<std::is_convertible_v<const Container &, Span<const std::int64_t>>>>
    Shape(const Container &dimensions) : rank_(std::size(dimensions)) {
        if (rank_ > dimensions_.size()) {
            throw Error(MULTIPOINT_INVALID_ARGUMENT, "a shape of " + std::to_string(rank_) + " dimensions: at most " +
                                                         std::to_string(dimensions_.size()) + " expected");
        }
        for (std::size_t i = 0; i < rank_; ++i) dimensions_[i] = std::data(dimensions)[i];
    }

    const std::int64_t *data() const noexcept { return dimensions_.data(); }
    std::size_t size() const noexcept { return rank_; }
    bool empty() const noexcept { return rank_ == 0; }
    const std::int64_t *begin() const noexcept { return data(); }
    const std::int64_t *end() const noexcept { return data() + rank_; }
    /** Dimension number `axis`, which is less than size(). */
    std::int64_t operator[](std::size_t axis) const noexcept { return dimensions_[axis]; }
    std::int64_t &operator[](std::size_t axis) noexcept { return dimensions_[axis]; }

private:
    std::array<std::int64_t, MULTIPOINT_MAX_RANK> dimensions_{};
    std::size_t rank_ = 0;
};

/** How a tensor lies in memory: `dense` in the order of its shape (of a plan's tensor: in the plan's layout), or NHWC for a shape
 *  that is given as N, C, H, W. */
enum class Order { dense, channels_last };

/** The library's number of an element type. */
template <typename Element>
inline constexpr multipoint_dtype dtype_of = MULTIPOINT_DTYPE_NONE;
template <>
inline constexpr multipoint_dtype dtype_of<float> = MULTIPOINT_F32;
template <>
inline constexpr multipoint_dtype dtype_of<std::uint8_t> = MULTIPOINT_U8;
template <>
inline constexpr multipoint_dtype dtype_of<std::int8_t> = MULTIPOINT_S8;
template <>
inline constexpr multipoint_dtype dtype_of<std::int32_t> = MULTIPOINT_S32;

namespace detail {

template <typename Container>
using ElementOf = std::remove_pointer_t<decltype(std::data(std::declval<Container &>()))>;
template <typename Container>
using IfReadable = std::enable_if_t<dtype_of<std::remove_cv_t<ElementOf<Container>>> != MULTIPOINT_DTYPE_NONE>;
template <typename Container>
using IfWritable = std::enable_if_t<dtype_of<ElementOf<Container>> != MULTIPOINT_DTYPE_NONE>;

/** What Input and Output have in common. */
class Tensor {
public:
    /** The shape that was given; empty if none was. */
    const Shape &shape() const noexcept { return shape_; }
    std::size_t element_count() const noexcept { return count_; }

protected:
    Tensor(void *data, std::size_t count, std::size_t element_size, multipoint_dtype dtype, const Shape &shape, Order order)
        : data_(data), count_(count), element_size_(element_size), dtype_(dtype), shape_(shape), order_(order) {}

private:
    friend class Described;
    void *data_;
    std::size_t count_, element_size_;
    multipoint_dtype dtype_;
    Shape shape_;
    Order order_;
};

/** A multipoint_tensor with the numbers that it points to. Stays where it was made. */
class Described {
public:
    /** `shape` is that of a tensor which does not say its own. */
    Described(const Tensor &tensor, const Shape &shape) : shape_(tensor.shape().empty() ? shape : tensor.shape()) {
        struct_.data = tensor.data_;
        struct_.byte_count = tensor.count_ * tensor.element_size_;
        struct_.dtype = tensor.dtype_;
        struct_.rank = static_cast<std::int32_t>(shape_.size());
        struct_.dimensions = shape_.data();
        if (tensor.order_ == Order::channels_last && shape_.size() == 4) {
            // Unsigned, where a product that is too large is no fault: the library checks shapes.
            const auto c = static_cast<std::uint64_t>(shape_[1]), h = static_cast<std::uint64_t>(shape_[2]),
                       w = static_cast<std::uint64_t>(shape_[3]);
            strides_ = {static_cast<std::int64_t>(c * h * w), 1, static_cast<std::int64_t>(w * c), shape_[1]};
            struct_.strides = strides_.data();
        }
    }
    Described(const Described &) = delete;
    Described &operator=(const Described &) = delete;

    const multipoint_tensor &get() const noexcept { return struct_; }

private:
    Shape shape_;
    std::array<std::int64_t, 4> strides_{};
    multipoint_tensor struct_{};
};

/** A string for C, which would see no more of it than what is before a null byte. */
inline const char *c_string(const std::string &text, const char *what) {
    if (text.find('\0') != std::string::npos) throw Error(MULTIPOINT_INVALID_ARGUMENT, std::string(what) + ": it has a null byte");
    return text.c_str();
}

/** One object of the library and its end. */
template <typename Object, void (*destroy)(Object *)>
class Handle {
public:
    /** The object for calls of the C interface; null after a move. It stays this one's. */
    Object *get() const noexcept { return object_.get(); }
    /** The object, which is the caller's to destroy from now on. */
    Object *release() noexcept { return object_.release(); }
    /** False after a move. */
    explicit operator bool() const noexcept { return object_ != nullptr; }

protected:
    explicit Handle(Object *object) noexcept : object_(object) {}

    /** Owns what `create` puts at the place that it is given. */
    template <typename Create>
    static Object *made(Create create) {
        Object *object = nullptr;
        check(create(&object));
        return object;
    }

    Object *open() const {
        if (!object_) throw Error(MULTIPOINT_INVALID_ARGUMENT, "an object of multipoint.hpp was used after it was moved from");
        return object_.get();
    }

private:
    struct Destroy {
        void operator()(Object *object) const noexcept { destroy(object); }
    };
    std::unique_ptr<Object, Destroy> object_;
};

} // namespace detail

/** A tensor that is read: a view of a container's elements. Without a shape it has the one that the network or plan expects. */
class Input : public detail::Tensor {
public:
    template <typename Container, typename = detail::IfReadable<const Container>>
    Input(const Container &elements, const Shape &shape = {}, Order order = Order::dense)
        // The one C struct for inputs and outputs has no const; inputs are not written.
        : Tensor(const_cast<std::remove_cv_t<detail::ElementOf<const Container>> *>(std::data(elements)), std::size(elements),
                 sizeof(detail::ElementOf<const Container>), dtype_of<std::remove_cv_t<detail::ElementOf<const Container>>>, shape,
                 order) {}
};

/** A tensor that is written: a view of a container's elements, at least as many as its shape has. Without a shape it has the one
 *  that the network or plan gives. */
class Output : public detail::Tensor {
public:
    template <typename Container, typename = detail::IfWritable<Container>>
    Output(Container &&elements, const Shape &shape = {}, Order order = Order::dense)
        : Tensor(std::data(elements), std::size(elements), sizeof(detail::ElementOf<Container>),
                 dtype_of<detail::ElementOf<Container>>, shape, order) {}
};

/* ------------------------------------------------------------------------------------------------------------------
 * 2. Models
 * --------------------------------------------------------------------------------------------------------------- */

class Layer;

/** How to open a model. Both functions are called on the opening thread; what they throw ends the opening and reaches the caller. */
struct ModelOptions {
    /** The fraction done, 0 to 1. True cancels: Error with MULTIPOINT_CANCELLED. Optional. */
    std::function<bool(double fraction)> progress = nullptr;
    /** Things worth knowing that are no errors. Optional. */
    std::function<void(multipoint_log_level level, const char *message)> log = nullptr;
    /** Limits of what the file may ask for, as in multipoint_model_options: beyond one, Error with MULTIPOINT_LIMIT_EXCEEDED. 0 means the
     *  default, UINT64_MAX none. */
    std::uint64_t maximum_file_bytes = 0;
    std::uint64_t maximum_tensors = 0;
    std::uint64_t maximum_nodes = 0;
    std::uint64_t maximum_elements = 0;
    std::uint64_t maximum_weight_bytes = 0;
};

/** A packed file in memory: layers and, where the file has one, the network's graph. */
class Model : public detail::Handle<multipoint_model, multipoint_model_destroy> {
public:
    /** Opens the packed file at `path` (UTF-8), reads it once and checks it completely. */
    explicit Model(const std::string &path, const ModelOptions &options = {})
        : Handle(opened(options, [&](const multipoint_model_options *all, multipoint_model **model) {
              return multipoint_model_open(detail::c_string(path, "path"), all, model);
          })) {}

    /** The same from a file's content in memory, which is not needed after the call. */
    template <typename Bytes>
    static Model from_memory(const Bytes &content, const ModelOptions &options = {}) {
        static_assert(sizeof(*std::data(content)) == 1, "the bytes of a file are expected");
        return Model(opened(options, [&](const multipoint_model_options *all, multipoint_model **model) {
            const void *data = std::data(content); // of an empty container perhaps null, which would be another error
            return multipoint_model_open_memory(data == nullptr ? "" : data, std::size(content), all, model);
        }));
    }

    /** The name stored in the file; empty if it has none. Lives with the model. */
    const char *name() const { return multipoint_model_name(open()); }

    /** Whether the file holds a whole network (sessions can be made), or weights only (layers and plans can). */
    bool has_graph() const { return multipoint_model_has_graph(open()) != 0; }

    /** The network's inputs and outputs, in order; empty for a weights-only file. */
    std::vector<ValueInfo> inputs() const {
        return described<ValueInfo>(multipoint_model_input_count(open()), multipoint_model_input);
    }
    std::vector<ValueInfo> outputs() const {
        return described<ValueInfo>(multipoint_model_output_count(open()), multipoint_model_output);
    }

    /** All layers, in the file's order. */
    std::vector<LayerInfo> layers() const {
        return described<LayerInfo>(multipoint_model_layer_count(open()), multipoint_model_layer);
    }

    /** The layer of that name, to make plans of. MULTIPOINT_NOT_FOUND if there is none. */
    Layer layer(const std::string &name) const;

private:
    explicit Model(multipoint_model *model) noexcept : Handle(model) {}

    template <typename Info, typename Struct>
    std::vector<Info> described(std::size_t count,
                                multipoint_status (*describe)(const multipoint_model *, std::size_t, Struct *)) const {
        std::vector<Info> infos(count);
        for (std::size_t i = 0; i < count; ++i) check(describe(open(), i, &infos[i]));
        return infos;
    }

    /** Callbacks that are on their way through C, where no exception may pass, and what they threw. */
    struct Callbacks {
        const ModelOptions &functions;
        std::exception_ptr thrown;

        static int progress(void *data, double fraction) noexcept {
            auto &self = *static_cast<Callbacks *>(data);
            if (self.thrown) return 1;
            try {
                return self.functions.progress && self.functions.progress(fraction) ? 1 : 0;
            } catch (...) {
                self.thrown = std::current_exception();
                return 1;
            }
        }
        static void log(void *data, multipoint_log_level level, const char *message) noexcept {
            auto &self = *static_cast<Callbacks *>(data);
            if (self.thrown) return;
            try {
                self.functions.log(level, message);
            } catch (...) {
                self.thrown = std::current_exception();
            }
        }
    };

    template <typename Open>
    static multipoint_model *opened(const ModelOptions &given, Open open) {
        Callbacks callbacks{given, nullptr};
        Sized<multipoint_model_options> options;
        options.user_data = &callbacks;
        options.progress = given.progress || given.log ? Callbacks::progress : nullptr;
        options.log = given.log ? Callbacks::log : nullptr;
        options.maximum_file_bytes = given.maximum_file_bytes;
        options.maximum_tensors = given.maximum_tensors;
        options.maximum_nodes = given.maximum_nodes;
        options.maximum_elements = given.maximum_elements;
        options.maximum_weight_bytes = given.maximum_weight_bytes;
        multipoint_model *model = nullptr;
        const multipoint_status status = open(&options, &model);
        if (callbacks.thrown) {
            multipoint_model_destroy(model);
            std::rethrow_exception(callbacks.thrown);
        }
        check(status);
        return model;
    }
};

/* ------------------------------------------------------------------------------------------------------------------
 * 3. Sessions: run a whole network
 * --------------------------------------------------------------------------------------------------------------- */

/** A network compiled for a batch size and a thread count. One thread at a time; sessions of one model share its weights. */
class Session : public detail::Handle<multipoint_session, multipoint_session_destroy> {
public:
    /** Compiles the network for batches of up to `maximum_batch`, run by `threads` threads (0: what OpenMP would use). */
    explicit Session(const Model &model, std::int64_t maximum_batch = 1, std::int32_t threads = 0)
        : Session(model, options(maximum_batch, threads)) {}
    Session(const Model &model, const multipoint_session_options &options)
        : Handle(made([&](multipoint_session **session) { return multipoint_session_create(model.get(), &options, session); })),
          inputs_(shapes(model.inputs())), outputs_(shapes(model.outputs())) {}

    /** Runs a network of one input and one output, and gives the output. For a network of more see the other forms. */
    std::vector<float> run(const Input &input) {
        open();
        if (outputs_.size() != 1) {
            throw Error(MULTIPOINT_INVALID_ARGUMENT, "run: 1 output is expected by this form, the network has " +
                                                         std::to_string(outputs_.size()));
        }
        const Shape shape = of_batch(outputs_[0], batch({&input, 1}));
        std::vector<float> result(count(shape));
        run(input, Output(result, shape));
        return result;
    }

    /**
     * Runs the network into the caller's memory. A tensor without a shape has the network's: an input as many images as it has
     * elements for, an output as many as the inputs. All float.
     */
    void run(const Input &input, const Output &output) { run(Span<const Input>(&input, 1), Span<const Output>(&output, 1)); }

    /** The same for a network of several inputs or outputs, in the model's order. */
    void run(std::initializer_list<Input> inputs, std::initializer_list<Output> outputs) {
        run(Span<const Input>(inputs), Span<const Output>(outputs));
    }
    void run(Span<const Input> inputs, Span<const Output> outputs) {
        multipoint_session *session = open();
        const std::int64_t batch = this->batch(inputs);
        if (inputs.size() == 1 && outputs.size() == 1) { // without an allocation
            const detail::Described in(inputs[0], of_batch(inputs_, 0, batch)), out(outputs[0], of_batch(outputs_, 0, batch));
            check(multipoint_session_run(session, &in.get(), 1, &out.get(), 1));
            return;
        }
        const Tensors in(inputs, inputs_, batch), out(outputs, outputs_, batch);
        check(multipoint_session_run(session, in.structs.data(), inputs.size(), out.structs.data(), outputs.size()));
    }

    /** What the session holds. */
    SessionInfo describe() const {
        SessionInfo info;
        check(multipoint_session_describe(open(), &info));
        return info;
    }

    /** What a run of the largest batch does, in order. */
    std::vector<StepInfo> steps() const {
        std::vector<StepInfo> steps(describe().step_count);
        for (std::size_t i = 0; i < steps.size(); ++i) check(multipoint_session_step(open(), i, &steps[i]));
        return steps;
    }

    /** Times every step of the runs that follow, and forgets the times of earlier ones. */
    void start_profile() { check(multipoint_session_start_profile(open())); }

    /** Times no further runs; what was timed stays readable. */
    void stop_profile() { check(multipoint_session_stop_profile(open())); }

    /** Where the time of the profiled runs went. */
    ProfileInfo profile() const {
        ProfileInfo info;
        check(multipoint_session_profile(open(), &info));
        return info;
    }
    std::vector<StepProfile> profile_steps() const {
        std::vector<StepProfile> steps(profile().step_count);
        for (std::size_t i = 0; i < steps.size(); ++i) check(multipoint_session_profile_step(open(), i, &steps[i]));
        return steps;
    }

private:
    /** Shapes of the network's inputs and outputs, -1 where the batch goes. */
    std::vector<Shape> inputs_, outputs_;

    static SessionOptions options(std::int64_t maximum_batch, std::int32_t threads) {
        SessionOptions options;
        options.maximum_batch = maximum_batch;
        options.threads = threads;
        return options;
    }

    static std::vector<Shape> shapes(const std::vector<ValueInfo> &values) {
        std::vector<Shape> shapes;
        for (const ValueInfo &value : values) {
            shapes.emplace_back(Span<const std::int64_t>(value.dimensions, static_cast<std::size_t>(value.rank)));
        }
        return shapes;
    }

    /** The elements of a shape, those of one image where the batch is open. The library has checked that it has no other -1. */
    static std::size_t count(const Shape &shape) {
        std::size_t count = 1;
        for (const std::int64_t size : shape) count *= size < 0 ? 1 : static_cast<std::size_t>(size);
        return count;
    }

    static Shape of_batch(Shape shape, std::int64_t batch) {
        for (std::size_t axis = 0; axis < shape.size(); ++axis) {
            if (shape[axis] < 0) shape[axis] = batch;
        }
        return shape;
    }
    /** A tensor too many gets no shape: the library says that it is one. */
    static Shape of_batch(const std::vector<Shape> &shapes, std::size_t index, std::int64_t batch) {
        return index < shapes.size() ? of_batch(shapes[index], batch) : Shape();
    }

    /** A stated shape is the network's, and the data has its elements: what is made room for is no larger than what is there. */
    static void check_shape(const Shape &expected, const Shape &given, std::size_t found, std::size_t index) {
        bool is_same = given.size() == expected.size();
        for (std::size_t axis = 0; is_same && axis < given.size(); ++axis) {
            is_same = given[axis] >= 1 && (expected[axis] < 0 || given[axis] == expected[axis]);
        }
        const auto refuse = [&](const std::string &what) {
            throw Error(MULTIPOINT_INVALID_ARGUMENT, "input " + std::to_string(index) + ": " + what);
        };
        if (!is_same) refuse("shape " + text(expected) + " expected (-1: the batch, at least 1), found " + text(given));
        std::size_t count = 1;
        for (const std::int64_t size : given) {
            // Divided, as a product may be too large.
            if (static_cast<std::uint64_t>(size) > found / count) {
                refuse("all elements of shape " + text(given) + " expected, found " + std::to_string(found));
            }
            count *= static_cast<std::size_t>(size);
        }
    }

    static std::string text(const Shape &shape) {
        std::string text = "[";
        for (const std::int64_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
        return text + "]";
    }

    /** How many images the inputs hold: by the first that says so. */
    std::int64_t batch(Span<const Input> inputs) const {
        for (std::size_t i = 0; i < inputs.size() && i < inputs_.size(); ++i) {
            const Shape &expected = inputs_[i], &given = inputs[i].shape();
            for (std::size_t axis = 0; axis < expected.size(); ++axis) {
                if (expected[axis] >= 0) continue;
                const std::size_t found = inputs[i].element_count();
                if (!given.empty()) {
                    check_shape(expected, given, found, i);
                    return given[axis];
                }
                const std::size_t one = count(expected);
                if (one == 0 || found % one != 0) {
                    throw Error(MULTIPOINT_INVALID_ARGUMENT, "input " + std::to_string(i) + ": a multiple of " +
                                                                 std::to_string(one) + " elements expected, found " +
                                                                 std::to_string(found));
                }
                return static_cast<std::int64_t>(found / one);
            }
        }
        return 1;
    }

    /** Several tensors as the one array that C takes. */
    struct Tensors {
        std::vector<std::unique_ptr<detail::Described>> described;
        std::vector<multipoint_tensor> structs;

        template <typename Tensor>
        Tensors(Span<const Tensor> tensors, const std::vector<Shape> &shapes, std::int64_t batch) {
            for (std::size_t i = 0; i < tensors.size(); ++i) {
                described.push_back(std::make_unique<detail::Described>(tensors[i], of_batch(shapes, i, batch)));
                structs.push_back(described.back()->get());
            }
        }
    };
};

/* ------------------------------------------------------------------------------------------------------------------
 * 4. Layers and plans: run single layers of a graph that your program owns
 * --------------------------------------------------------------------------------------------------------------- */

/** One layer's int8 rows and scales. */
class Layer : public detail::Handle<multipoint_layer, multipoint_layer_destroy> {
public:
    /** A layer from the caller's own arrays, which are copied. */
    explicit Layer(const multipoint_layer_descriptor &descriptor)
        : Handle(made([&](multipoint_layer **layer) { return multipoint_layer_create(&descriptor, layer); })) {}

    /** What Model::layer does. */
    Layer(const Model &model, const std::string &name)
        : Handle(made([&](multipoint_layer **layer) {
              return multipoint_layer_from_model(model.get(), detail::c_string(name, "name"), layer);
          })) {}

    /** The layer, described. */
    LayerInfo describe() const {
        LayerInfo info;
        check(multipoint_layer_describe(open(), &info));
        return info;
    }

    /** The layer's rows. MULTIPOINT_UNSUPPORTED for a layer kept in float. */
    Rows rows() const {
        Rows rows;
        check(multipoint_layer_rows(open(), &rows));
        return rows;
    }
};

inline Layer Model::layer(const std::string &name) const {
    open();
    return Layer(*this, name);
}

/** A layer compiled for an input shape, layouts, dtypes and fusions. */
class Plan : public detail::Handle<multipoint_plan, multipoint_plan_destroy> {
public:
    /** Compiles. MULTIPOINT_INVALID_ARGUMENT names the option that is wrong. */
    Plan(const Layer &layer, const multipoint_plan_options &options)
        : Handle(made([&](multipoint_plan **plan) { return multipoint_plan_create(layer.get(), &options, plan); })) {
        const PlanInfo info = describe();
        const auto rank = static_cast<std::size_t>(info.rank);
        source_ = Shape(Span<const std::int64_t>(info.source_dimensions, rank));
        destination_ = Shape(Span<const std::int64_t>(info.destination_dimensions, rank));
    }

    /** Shapes in ONNX order; of a raw s32 destination with rows in place of channels. */
    const Shape &source_shape() const {
        open();
        return source_;
    }
    const Shape &destination_shape() const {
        open();
        return destination_;
    }

    /** What was compiled. */
    PlanInfo describe() const {
        PlanInfo info;
        check(multipoint_plan_describe(open(), &info));
        return info;
    }

    /** Bytes of the workspace that one execution needs. */
    std::size_t workspace_size() const { return multipoint_plan_workspace_size(open()); }

    /**
     * Executes. `workspace` is 64-byte-aligned memory of workspace_size() bytes that no other thread uses during the call, or null:
     * the plan then keeps one of its own per concurrent call. Any number of threads may execute one plan at once.
     */
    void execute(const Input &source, const Output &destination, void *workspace = nullptr) const {
        const detail::Described in(source, source_), out(destination, destination_);
        check(multipoint_plan_execute(open(), &in.get(), nullptr, &out.get(), workspace));
    }

    /** The same for a plan with a residual, of the destination's shape and layout. */
    void execute(const Input &source, const Input &residual, const Output &destination, void *workspace = nullptr) const {
        const detail::Described in(source, source_), addend(residual, destination_), out(destination, destination_);
        check(multipoint_plan_execute(open(), &in.get(), &addend.get(), &out.get(), workspace));
    }

private:
    Shape source_, destination_;
};

/* ------------------------------------------------------------------------------------------------------------------
 * 5. Packing: turn a float weight matrix into points
 * --------------------------------------------------------------------------------------------------------------- */

/** A packed weight matrix. */
class Packing : public detail::Handle<multipoint_packing, multipoint_packing_destroy> {
public:
    /** Packs `matrix`, [channels, row_length] in C order. */
    Packing(Span<const float> matrix, std::size_t channels, std::size_t row_length, const PackingOptions &options = {})
        : Handle(made([&](multipoint_packing **packing) {
              if (row_length == 0 || matrix.size() % row_length != 0 || matrix.size() / row_length != channels) {
                  throw Error(MULTIPOINT_INVALID_ARGUMENT, "matrix: " + std::to_string(channels) + " x " +
                                                               std::to_string(row_length) + " elements expected, found " +
                                                               std::to_string(matrix.size()));
              }
              return multipoint_packing_create(matrix.data(), channels, row_length, &options, packing);
          })) {}

    /** The packed arrays, ready for a LayerDescriptor. They belong to the packing. */
    Weights weights() const {
        Weights weights;
        check(multipoint_packing_weights(open(), &weights));
        return weights;
    }

    /** Every channel's output error with the points it got. */
    std::vector<double> errors() const {
        std::vector<double> errors(weights().channels);
        check(multipoint_packing_errors(open(), errors.data(), errors.size()));
        return errors;
    }
};

} // namespace multipoint

#endif /* MULTIPOINT_HPP */
