/*
 * multipoint.h: run convolutional networks with multipoint-packed weights.
 *
 * A multipoint-packed layer stores each output channel's weight vector as a short sum of scaled low-bit vectors
 * ("points"): w = a1 q1 + a2 q2 + ..., each q with entries from a small codebook of signed 8-bit integers. The library
 * reads such weights from a `.multipoint` file (or from your own arrays), decodes them once to int8 rows, and executes
 * them with oneDNN's integer convolutions on x86-64 CPUs.
 *
 * This header is the manual; read it from the top. It has five parts, each complete without the ones after it:
 *
 *   1. Versions, status codes and errors
 *   2. Models            open a packed file, see what is in it
 *   3. Sessions          run a whole network             (the simplest use: parts 2 and 3)
 *   4. Layers and plans  run single layers of a graph that your program owns
 *   5. Packing           turn a float weight matrix into points
 *
 * The simplest complete program (error checks left out; see Examples/c and Examples/cpp for them):
 *
 *     multipoint_model *model;
 *     multipoint_session *session;
 *     multipoint_model_open("digits.multipoint", NULL, &model);
 *     multipoint_session_create(model, NULL, &session);
 *     const int64_t image_shape[] = {1, 1, 8, 8}, logits_shape[] = {1, 10};
 *     float image[64] = {...}, logits[10];
 *     multipoint_tensor in  = {image, sizeof image, MULTIPOINT_F32, 4, image_shape, NULL};
 *     multipoint_tensor out = {logits, sizeof logits, MULTIPOINT_F32, 2, logits_shape, NULL};
 *     multipoint_session_run(session, &in, 1, &out, 1);
 *     multipoint_session_destroy(session);
 *     multipoint_model_destroy(model);
 *
 * Rules that hold everywhere:
 *   - Every call that can fail returns a multipoint_status. On failure the outputs are untouched, and
 *     multipoint_last_error() says what was wrong, where, what was expected and what was found.
 *   - Handles are opaque. A destroy function accepts NULL. Objects keep what they need alive: a model may be destroyed
 *     while its sessions, layers and plans are in use. Using a handle after its destruction is undefined.
 *   - Strings that go in are UTF-8 and copied; strings that come out belong to the library and live as long as the handle
 *     they were asked of, if nothing else is said.
 *   - Models, layers, plans and packings are immutable and may be used by many threads at once. A session belongs to one
 *     thread at a time.
 *   - Structs that start with `struct_size` may grow: set it to sizeof the struct, and the rest to zero, before use.
 *     A zero field means its default. Enum values are fixed for ever.
 *   - The library prints nothing, installs no signal handlers, and changes neither the environment nor the process-wide
 *     OpenMP settings.
 */
#ifndef MULTIPOINT_H
#define MULTIPOINT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MULTIPOINT_API __attribute__((visibility("default")))
#else
#define MULTIPOINT_API
#endif

/* ------------------------------------------------------------------------------------------------------------------
 * 1. Versions, status codes and errors
 * --------------------------------------------------------------------------------------------------------------- */

/** The version of this header (semantic versioning; the shared library's soname carries the major number). */
#define MULTIPOINT_VERSION_MAJOR 0
#define MULTIPOINT_VERSION_MINOR 1
#define MULTIPOINT_VERSION_PATCH 0
/** The header's version as one number, comparable with multipoint_version_number(). */
#define MULTIPOINT_VERSION_NUMBER \
    (MULTIPOINT_VERSION_MAJOR * 10000 + MULTIPOINT_VERSION_MINOR * 100 + MULTIPOINT_VERSION_PATCH)

/** Most dimensions that a tensor may have. */
#define MULTIPOINT_MAX_RANK 8

/** What a call came to. MULTIPOINT_OK is 0; everything else is a failure. */
typedef enum multipoint_status {
    MULTIPOINT_OK = 0,
    /** An argument is NULL, out of range, of the wrong shape or dtype, or contradicts another. */
    MULTIPOINT_INVALID_ARGUMENT = 1,
    /** A file cannot be opened, read or written; the message has the system's reason. */
    MULTIPOINT_IO_ERROR = 2,
    /** A packed file is damaged or contradicts itself. */
    MULTIPOINT_BAD_FORMAT = 3,
    /** Well-formed, but this version cannot do it: an operator, a format version, a layer that is too large. */
    MULTIPOINT_UNSUPPORTED = 4,
    /** No layer or value has that name or index. */
    MULTIPOINT_NOT_FOUND = 5,
    MULTIPOINT_OUT_OF_MEMORY = 6,
    /** The progress callback asked to stop. */
    MULTIPOINT_CANCELLED = 7,
    /** The process was forked after a run with several threads: only objects made with one thread can run in the child
     *  (GNU OpenMP's worker threads do not survive fork; using them would hang). */
    MULTIPOINT_FORKED = 8,
    /** This CPU lacks SSE4.1. */
    MULTIPOINT_UNSUPPORTED_MACHINE = 9,
    /** oneDNN refused something that it should accept; the message has its status. Please report it. */
    MULTIPOINT_INTERNAL_ERROR = 10,
    /** More than a limit allows: the message names the limit, which is a field of the options and can be raised there. */
    MULTIPOINT_LIMIT_EXCEEDED = 11
} multipoint_status;

/** The version of the loaded library, such as "0.1.0". Static. Any thread. */
MULTIPOINT_API const char *multipoint_version(void);

/** The version of the loaded library as MULTIPOINT_VERSION_NUMBER computes it. Any thread. */
MULTIPOINT_API uint32_t multipoint_version_number(void);

/** One line about the loaded library, such as "multipoint 0.1.0, oneDNN 2.6.3 (OpenMP), AVX2, 2 threads": its version, the loaded
 *  oneDNN's version and CPU runtime, the instruction set in use, and OpenMP's default number of threads (of the first thread that asked).
 *  Static. Any thread. */
MULTIPOINT_API const char *multipoint_build_info(void);

/** The name of a status, such as "invalid argument"; "unknown status" for a number that is none. Static. Any thread. */
MULTIPOINT_API const char *multipoint_status_string(multipoint_status status);

/** What the calling thread's last failed call found wrong; the empty string if its last call succeeded or it made none.
 *  Valid until the same thread's next call of a function that returns a multipoint_status. */
MULTIPOINT_API const char *multipoint_last_error(void);

/* ------------------------------------------------------------------------------------------------------------------
 * Tensors: the caller's memory, described
 * --------------------------------------------------------------------------------------------------------------- */

/** Element types. 0 is none of them, so that a forgotten field is noticed. */
typedef enum multipoint_dtype {
    MULTIPOINT_DTYPE_NONE = 0,
    MULTIPOINT_F32 = 1, /**< IEEE 754 binary32 */
    MULTIPOINT_U8 = 2,  /**< unsigned 8-bit; real value = scale * (stored - zero point) */
    MULTIPOINT_S8 = 3,  /**< signed 8-bit */
    MULTIPOINT_S32 = 4  /**< signed 32-bit: raw row sums */
} multipoint_dtype;

/**
 * A block of the caller's memory and how to read it. The library never keeps a tensor beyond the call.
 *
 * `dimensions` are always in ONNX order (an image batch is N, C, H, W), whatever the order in memory. `strides` are in
 * elements, one per dimension; NULL means dense in C order (NCHW), and for a plan with MULTIPOINT_NHWC, dense in that
 * layout. A channels-last tensor is one with strides {H*W*C, 1, W*C, C}. Strides other than these two dense orders are
 * refused. (Dimensions of size 1 may have any stride.)
 *
 * `data` needs no alignment, not even to the element's size. Nothing outside [data, data + byte_count) is read or written;
 * `byte_count` must be at least the tensor's size. Inputs are not written. An output that overlaps an input is refused.
 */
typedef struct multipoint_tensor {
    void *data;
    size_t byte_count;
    multipoint_dtype dtype;
    int32_t rank;
    const int64_t *dimensions;
    const int64_t *strides;
} multipoint_tensor;

/* ------------------------------------------------------------------------------------------------------------------
 * 2. Models
 * --------------------------------------------------------------------------------------------------------------- */

/** A packed file in memory: layers and, where the file has one, the network's graph. Immutable, shared between threads. */
typedef struct multipoint_model multipoint_model;

typedef enum multipoint_log_level { MULTIPOINT_LOG_INFO = 1, MULTIPOINT_LOG_WARNING = 2 } multipoint_log_level;

/** How to open a model. Zero-initialise, set struct_size. */
typedef struct multipoint_model_options {
    size_t struct_size;
    /** Called on the opening thread while the file is read and decoded, `fraction` from 0 to 1. Non-zero cancels:
     *  the call returns MULTIPOINT_CANCELLED and nothing is left behind. Optional. */
    int (*progress)(void *user_data, double fraction);
    /** Called on the opening thread with things worth knowing that are no errors. The message lives for the call.
     *  Optional; without it they are dropped. */
    void (*log)(void *user_data, multipoint_log_level level, const char *message);
    /** Passed to both callbacks. */
    void *user_data;
    /* Limits of what the file may ask for: beyond one the call returns MULTIPOINT_LIMIT_EXCEEDED. 0 means the default, UINT64_MAX
     * none. The defaults keep a small file from costing much, and let every network pass that is known to us (SECURITY.md). */
    /** Bytes of the file, which is read into memory whole. Default 8 GiB. */
    uint64_t maximum_file_bytes;
    /** Tensors in the file. Default 100,000. */
    uint64_t maximum_tensors;
    /** Nodes of the graph, and so the longest path through it. Default 50,000. */
    uint64_t maximum_nodes;
    /** Elements of one layer's weights, and of any value of the network for a batch of 1. Default, and most: 2^31 - 1. */
    uint64_t maximum_elements;
    /** Bytes of all weights as they are executed, before oneDNN's padding, and of the network's constants: one for a weight of a row, four
     *  for a float. The channels of a grouped layer (Conv with group > 1) all have the rows of the one that has most. Default
     *  64 MiB, and 64 for each byte of the layers' tensors, and the graph's constants, in the file. */
    uint64_t maximum_weight_bytes;
} multipoint_model_options;

/**
 * Open the packed file at `path` (UTF-8). The file is read once, checked completely, and not kept open or mapped.
 *
 * `options` may be NULL. On success `*model` is a new model that the caller destroys.
 * Fails with IO_ERROR, BAD_FORMAT, UNSUPPORTED, LIMIT_EXCEEDED, CANCELLED, OUT_OF_MEMORY or INVALID_ARGUMENT. Any thread.
 */
MULTIPOINT_API multipoint_status multipoint_model_open(const char *path, const multipoint_model_options *options,
                                                       multipoint_model **model);

/** The same from a file's content in memory: `byte_count` bytes at `data`, which are not needed after the call. */
MULTIPOINT_API multipoint_status multipoint_model_open_memory(const void *data, size_t byte_count,
                                                              const multipoint_model_options *options,
                                                              multipoint_model **model);

/** Give the model back. NULL is accepted. Sessions, layers and plans made from it stay usable. */
MULTIPOINT_API void multipoint_model_destroy(multipoint_model *model);

/** The model's name as stored in the file (empty if it has none), or NULL if `model` is NULL. Lives with the model. */
MULTIPOINT_API const char *multipoint_model_name(const multipoint_model *model);

/** 1 if the file holds a whole network (sessions can be made), 0 if it holds weights only (layers and plans can). */
MULTIPOINT_API int32_t multipoint_model_has_graph(const multipoint_model *model);

/** An input or output of a network. */
typedef struct multipoint_value_info {
    size_t struct_size;
    const char *name;
    multipoint_dtype dtype;
    int32_t rank;
    /** -1 for the batch dimension. Entries at and beyond `rank` are 0. */
    int64_t dimensions[MULTIPOINT_MAX_RANK];
    /** Scale and zero point of the value where the network quantizes it; scale 0 where it does not. The tensor itself is
     *  always float, also where the ONNX model had another type: bytes of an image are numbers from 0 to 255, truth values
     *  0 and 1. */
    float scale;
    int32_t zero_point;
} multipoint_value_info;

/** How many inputs and outputs the network has; 0 for a weights-only file or NULL. */
MULTIPOINT_API size_t multipoint_model_input_count(const multipoint_model *model);
MULTIPOINT_API size_t multipoint_model_output_count(const multipoint_model *model);

/** Describe input or output number `index`, counted from 0. Set info->struct_size first. NOT_FOUND beyond the last.
 *  The name lives with the model. */
MULTIPOINT_API multipoint_status multipoint_model_input(const multipoint_model *model, size_t index,
                                                        multipoint_value_info *info);
MULTIPOINT_API multipoint_status multipoint_model_output(const multipoint_model *model, size_t index,
                                                         multipoint_value_info *info);

/** The operators that carry packed weights, as ONNX defines them (Conv-11, Gemm-13 with transB = 1). */
typedef enum multipoint_operator { MULTIPOINT_CONV = 1, MULTIPOINT_GEMM = 2 } multipoint_operator;

/** A layer, described. */
typedef struct multipoint_layer_info {
    size_t struct_size;
    const char *name;
    multipoint_operator op;
    /** Conv: 4 and {out, in / group, kernel height, kernel width}. Gemm: 2 and {out, in}. Rest 0. */
    int32_t rank;
    int64_t shape[4];
    int64_t strides[2];   /**< height, width; 1, 1 for Gemm */
    int64_t pads[4];      /**< top, left, bottom, right; 0 for Gemm */
    int64_t dilations[2]; /**< height, width; 1, 1 for Gemm */
    int64_t group;
    /** Output channels, and weights in one output channel's vector (the product of shape[1..]). */
    int64_t channels;
    int64_t row_length;
    /** 1 if the layer's weights are kept in float: then points, levels, bits and rows are 0. */
    int32_t is_float;
    int32_t has_bias;
    /** Points of all channels together, and of the channel that has most. */
    int64_t points;
    int32_t maximum_points;
    /** Widths: the base level's bits, and stored bits per weight with points, scales and codebooks counted (32 in float). */
    int32_t base_bits;
    double bits_per_weight;
    /** The int8 rows that oneDNN multiplies, and how many of them stand for several points folded into one. A layer whose
     *  rows are as many as its channels runs as one ordinary convolution; the rest are summed. */
    int64_t rows;
    int64_t folded_rows;
    /** Input quantization: x = scale * (stored - zero point). Scale 0 where the file does not say. Likewise the output's. */
    float input_scale;
    int32_t input_zero_point;
    float output_scale;
    int32_t output_zero_point;
    /** Bytes of the layer's tensors in the file. */
    uint64_t bytes;
    /** How the layer will run, in words: "one convolution", "one convolution with 5 extra rows, summed", ... */
    const char *execution;
} multipoint_layer_info;

/** How many layers the file has; 0 for NULL. */
MULTIPOINT_API size_t multipoint_model_layer_count(const multipoint_model *model);

/** Describe layer number `index`, in the file's order. Set info->struct_size first. NOT_FOUND beyond the last.
 *  Strings live with the model. */
MULTIPOINT_API multipoint_status multipoint_model_layer(const multipoint_model *model, size_t index,
                                                        multipoint_layer_info *info);

/* ------------------------------------------------------------------------------------------------------------------
 * 3. Sessions: run a whole network
 * --------------------------------------------------------------------------------------------------------------- */

/** A network compiled for a batch size and a thread count, with all the memory that a run needs. One thread at a time.
 *  Sessions of one model share its weights. */
typedef struct multipoint_session multipoint_session;

/** Zero-initialise, set struct_size. */
typedef struct multipoint_session_options {
    size_t struct_size;
    /** The largest batch that will be run; 0 means 1. */
    int64_t maximum_batch;
    /** Threads for one run, up to 1024; 0 means what OpenMP would use on the creating thread (OMP_NUM_THREADS, else every core).
     *  INVALID_ARGUMENT for more than OMP_THREAD_LIMIT; OUT_OF_MEMORY if the system does not give the process so many, when
     *  the session is made or when another of the caller's threads runs it first. In a parallel region of OpenMP that the host is
     *  in, 0 means 1, and only objects of 1 thread are made and run: INVALID_ARGUMENT for others. */
    int32_t threads;
    /* Limits of what the network may ask for, as in multipoint_model_options. 0 means the default, UINT64_MAX none. */
    /** Bytes of the session's arena (see multipoint_session_info), and of the inputs and outputs of the largest batch. Default 512 MiB,
     *  4,096 for each byte of the layers' tensors in the file, and 1,024 for each element of the inputs. */
    uint64_t maximum_run_bytes;
    /** Work of one run of the largest batch, in multiply-adds of an int8 convolution, about 5 picoseconds each on a CPU with
     *  VNNI and one thread. A multiply-add in float counts as 8, in a grouped convolution as 16, in one of oneDNN's reference
     *  kernels as 1024; a byte that any step reads or writes as 64, an element under a window as 256. Default 2^38, 2^28
     *  for each byte of the layers' tensors in the file, and 2^16 for each element of the inputs. */
    uint64_t maximum_work;
} multipoint_session_options;

/**
 * Compile the network. `options` may be NULL. On success `*session` is a new session that the caller destroys.
 * UNSUPPORTED if the model is weights-only; INVALID_ARGUMENT for a batch above 1 where the network fixes its own;
 * LIMIT_EXCEEDED beyond a limit of the options.
 */
MULTIPOINT_API multipoint_status multipoint_session_create(const multipoint_model *model,
                                                           const multipoint_session_options *options,
                                                           multipoint_session **session);

/** Give the session back. NULL is accepted. */
MULTIPOINT_API void multipoint_session_destroy(multipoint_session *session);

/**
 * Run the network: `inputs` and `outputs` in the model's order, all float (MULTIPOINT_F32), shapes as
 * multipoint_model_input and _output describe them with one batch size, 1 to maximum_batch, in place of -1.
 * Returns when the outputs are written. A batch size or layout is compiled when first seen, and again if sixteen others were run
 * since; a run that compiles nothing allocates nothing.
 */
MULTIPOINT_API multipoint_status multipoint_session_run(multipoint_session *session, const multipoint_tensor *inputs,
                                                        size_t input_count, const multipoint_tensor *outputs,
                                                        size_t output_count);

/** What a session holds and does. */
typedef struct multipoint_session_info {
    size_t struct_size;
    int64_t maximum_batch;
    int32_t threads;
    /** Bytes of the session's arena: activations, conversions and oneDNN's scratchpad, for the largest batch. */
    uint64_t arena_bytes;
    /** Number of steps that a run of the largest batch executes. */
    size_t step_count;
    /** Bytes of weights and biases as the steps of the largest batch read them. The model's other sessions share the weights. */
    uint64_t weight_bytes;
} multipoint_session_info;

/** Describe the session. Set info->struct_size first. */
MULTIPOINT_API multipoint_status multipoint_session_describe(const multipoint_session *session,
                                                             multipoint_session_info *info);

/** One step of a run, in order of execution. Strings live with the session. */
typedef struct multipoint_step_info {
    size_t struct_size;
    /** The node (or first of the fused nodes) that the step comes from. */
    const char *name;
    /** What it does, for example "Conv+Relu" or "quantize". */
    const char *operation;
    /** oneDNN's name of the implementation that it chose, such as "jit_int8:avx2"; "copy" and the like for our own. */
    const char *implementation;
} multipoint_step_info;

/** Describe step number `index` of the session. Set info->struct_size first. NOT_FOUND beyond the last. */
MULTIPOINT_API multipoint_status multipoint_session_step(const multipoint_session *session, size_t index,
                                                         multipoint_step_info *info);

/**
 * Time every step of the runs that follow, and forget the times of earlier ones. Profiling costs about 50 nanoseconds per step;
 * a session that is not profiled pays nothing.
 */
MULTIPOINT_API multipoint_status multipoint_session_start_profile(multipoint_session *session);

/** Time no further runs. The profile stays readable until the next multipoint_session_start_profile. */
MULTIPOINT_API multipoint_status multipoint_session_stop_profile(multipoint_session *session);

/** Where the time of a session's runs went. */
typedef struct multipoint_profile_info {
    size_t struct_size;
    /** The batch size of the runs. A run of another batch size, or with tensors in another layout, executes other steps, so it
     *  starts the profile anew: a profile is that of the latest kind of run. */
    int64_t batch;
    /** Runs that were timed; 0, and all else 0, before the first. */
    int64_t runs;
    /** Wall-clock time of all steps of all these runs, in seconds. */
    double seconds;
    /** Number of steps of one run. */
    size_t step_count;
} multipoint_profile_info;

/** Describe the session's profile. Set info->struct_size first. */
MULTIPOINT_API multipoint_status multipoint_session_profile(const multipoint_session *session, multipoint_profile_info *info);

/** What a step is for. */
typedef enum multipoint_step_kind {
    MULTIPOINT_STEP_LAYER = 1,      /**< the product of a layer's weights with its input, and what is fused to it */
    MULTIPOINT_STEP_SUM = 2,        /**< adds up the rows of a layer that do not fold */
    MULTIPOINT_STEP_CONVERSION = 3, /**< changes a tensor's type or layout */
    MULTIPOINT_STEP_OPERATION = 4   /**< an operation without weights: pooling, addition, rearrangement */
} multipoint_step_kind;

/** One step of the profiled runs, in order of execution. Strings live with the session. */
typedef struct multipoint_step_profile {
    size_t struct_size;
    /** As in multipoint_step_info. */
    const char *name;
    const char *operation;
    const char *implementation;
    multipoint_step_kind kind;
    /** Wall-clock time in this step, in seconds: of all runs together, and of the run in which it took least. */
    double seconds;
    double minimum_seconds;
    /** Multiplications and additions of one run, those of extra rows and of padded channels counted; 0 for a step that is no
     *  product. */
    uint64_t operations;
    /** Bytes of the tensors, weights and scratchpads that one run of the step touches. */
    uint64_t bytes;
} multipoint_step_profile;

/** Describe step number `index` of the profiled runs. Set step->struct_size first. NOT_FOUND beyond the last. */
MULTIPOINT_API multipoint_status multipoint_session_profile_step(const multipoint_session *session, size_t index,
                                                                 multipoint_step_profile *step);

/* ------------------------------------------------------------------------------------------------------------------
 * 4. Layers and plans: run single layers of a graph that your program owns
 *
 * A plan computes, for every output channel c and output position,
 *
 *     y_c = act(residual + bias_c + s_x * sum over rows r of c ( a_r * sum over k ( q_rk * (x_k - z_x) ) ))
 *
 * with x unsigned 8-bit of scale s_x and zero point z_x. The inner sum is exact in 32-bit integers, and equal on every
 * x86-64 CPU. A float source is quantized first: x = clamp(round_half_even(v / s_x) + z_x, 0, 255). A u8 destination gets
 * clamp(round_half_even(y / s_y) + z_y, 0, 255). Padding counts as real zeros. A layer kept in float computes in float.
 * --------------------------------------------------------------------------------------------------------------- */

/** One layer's int8 rows and scales. Immutable, shared between threads. */
typedef struct multipoint_layer multipoint_layer;

/** One level of points: the L-th point of every channel that has more than L. */
typedef struct multipoint_level {
    /** The 2^bits integers that a code selects, bits 1 to 8. */
    const int8_t *codebook;
    size_t codebook_size;
    /** Codes, as in a packed file: a vector for each channel with more than L points, in channel order; `bits` wide codes,
     *  packed from the least significant bit, every vector starting on a byte (ceil(row_length * bits / 8) bytes). */
    const uint8_t *codes;
    size_t codes_byte_count;
} multipoint_level;

/** Packed weights as arrays, laid out as in a packed file. */
typedef struct multipoint_weights {
    size_t struct_size;
    size_t channels;
    size_t row_length;
    /** [channels]: points of each channel, 0 allowed, at most level_count. */
    const uint8_t *points;
    size_t level_count;
    const multipoint_level *levels;
    /** With a ladder [channels]: the scale of the channel's finest point. Without: one per point, channel by channel, levels
     *  in order. Positive and finite. */
    const float *scales;
    size_t scale_count;
    /** NULL, or [level_count - 1] integers: the ratio of each level's scale to the next finer one's. Points of a ladder fold
     *  exactly into one row. */
    const int32_t *ladder;
} multipoint_weights;

/** A layer, given by the caller. Zero-initialise, set struct_size. */
typedef struct multipoint_layer_descriptor {
    size_t struct_size;
    /** For messages; optional. */
    const char *name;
    multipoint_operator op;
    /** As in multipoint_layer_info. For Gemm the last two are ignored. */
    int64_t shape[4];
    int64_t strides[2];   /**< 0 means 1 */
    int64_t pads[4];      /**< top, left, bottom, right */
    int64_t dilations[2]; /**< 0 means 1 */
    int64_t group;        /**< 0 means 1 */
    /** One of these two: packed weights, or float weights in C order of `shape`. */
    const multipoint_weights *weights;
    const float *float_weights;
    /** [shape[0]], optional. */
    const float *bias;
    /** Quantization of the input (0 where a plan will say it), and of a u8 output (likewise). Zero points 0 to 255. */
    float input_scale;
    int32_t input_zero_point;
    float output_scale;
    int32_t output_zero_point;
} multipoint_layer_descriptor;

/** The layer of that name in a model. NOT_FOUND if there is none. The caller destroys it. */
MULTIPOINT_API multipoint_status multipoint_layer_from_model(const multipoint_model *model, const char *name,
                                                             multipoint_layer **layer);

/** A layer from the caller's own arrays, which are copied. INVALID_ARGUMENT names the field that is wrong; UNSUPPORTED if
 *  row_length is above 131,586 (an int32 sum could overflow). The caller destroys it. */
MULTIPOINT_API multipoint_status multipoint_layer_create(const multipoint_layer_descriptor *descriptor,
                                                         multipoint_layer **layer);

/** Give the layer back. NULL is accepted. Plans made from it stay usable. */
MULTIPOINT_API void multipoint_layer_destroy(multipoint_layer *layer);

/** Describe the layer. Set info->struct_size first. Strings live with the layer. */
MULTIPOINT_API multipoint_status multipoint_layer_describe(const multipoint_layer *layer, multipoint_layer_info *info);

/** The layer's rows: what a raw s32 destination holds, in its order. All arrays belong to the layer. */
typedef struct multipoint_rows {
    size_t struct_size;
    size_t row_count;
    size_t row_length;
    /** [row_count, row_length], every entry within -64 to 64. */
    const int8_t *values;
    /** [row_count]: the row's scale a_r, and the output channel that it belongs to. The first rows are one per channel, in
     *  channel order; extra rows follow, in channel order within each further level. */
    const float *scales;
    const int32_t *channels;
} multipoint_rows;

/** The layer's rows. Set rows->struct_size first. UNSUPPORTED for a layer kept in float. */
MULTIPOINT_API multipoint_status multipoint_layer_rows(const multipoint_layer *layer, multipoint_rows *rows);

/** A layer compiled for an input shape, layouts, dtypes and fusions. Immutable, shared between threads. */
typedef struct multipoint_plan multipoint_plan;

typedef enum multipoint_layout {
    MULTIPOINT_NCHW = 0,
    MULTIPOINT_NHWC = 1 /**< channels last: fastest */
} multipoint_layout;

/** Fused activations. */
typedef enum multipoint_activation {
    MULTIPOINT_IDENTITY = 0,
    MULTIPOINT_RELU = 1,
    MULTIPOINT_LEAKY_RELU = 2, /**< y < 0 ? alpha * y : y */
    MULTIPOINT_CLIP = 3,       /**< min(max(y, alpha), beta) */
    MULTIPOINT_SIGMOID = 4     /**< 1 / (1 + exp(-y)) */
} multipoint_activation;

/** What to compile. Zero-initialise, set struct_size. */
typedef struct multipoint_plan_options {
    size_t struct_size;
    /** The input: batch (0 means 1) and, for Conv, its height and width. Channels follow from the layer. */
    int64_t batch;
    int64_t height;
    int64_t width;
    /** F32 or U8 (0 means F32). */
    multipoint_dtype source_dtype;
    /** F32, U8, or S32 for the raw row sums [N, rows, H, W] (Gemm: [N, rows]); 0 means F32. With S32: no activation, no
     *  residual, and the layer must be packed. */
    multipoint_dtype destination_dtype;
    /** F32 or U8: adds a tensor of the destination's shape and layout before the activation. 0: no residual. */
    multipoint_dtype residual_dtype;
    multipoint_layout source_layout;
    multipoint_layout destination_layout;
    /** Quantization of source, destination and residual. A scale of 0 means what the layer says (source and destination);
     *  a layer kept in float needs it only for u8. */
    float source_scale;
    int32_t source_zero_point;
    float destination_scale;
    int32_t destination_zero_point;
    float residual_scale;
    int32_t residual_zero_point;
    multipoint_activation activation;
    float activation_alpha;
    float activation_beta;
    /** As in multipoint_session_options. */
    int32_t threads;
} multipoint_plan_options;

/** Compile a plan for the layer. The caller destroys it. INVALID_ARGUMENT names the option that is wrong. */
MULTIPOINT_API multipoint_status multipoint_plan_create(const multipoint_layer *layer,
                                                        const multipoint_plan_options *options, multipoint_plan **plan);

/** Give the plan back. NULL is accepted. */
MULTIPOINT_API void multipoint_plan_destroy(multipoint_plan *plan);

/** Bytes of the workspace that one execution needs (0 for NULL). */
MULTIPOINT_API size_t multipoint_plan_workspace_size(const multipoint_plan *plan);

/** What was compiled. */
typedef struct multipoint_plan_info {
    size_t struct_size;
    /** Shapes in ONNX order; rank 4 for Conv, 2 for Gemm. */
    int32_t rank;
    int64_t source_dimensions[4];
    int64_t destination_dimensions[4];
    uint64_t workspace_bytes;
    int32_t threads;
    /** oneDNN's names of the implementations in use, separated by commas. Lives with the plan. */
    const char *implementations;
} multipoint_plan_info;

/** Describe the plan. Set info->struct_size first. */
MULTIPOINT_API multipoint_status multipoint_plan_describe(const multipoint_plan *plan, multipoint_plan_info *info);

/**
 * Execute: `source` and `destination` with the plan's shapes, dtypes and layouts; `residual` NULL if the plan has none.
 * `workspace` is 64-byte-aligned memory of multipoint_plan_workspace_size() bytes that no other thread uses during the call,
 * or NULL to let the plan keep one of its own per concurrent call. Any number of threads may execute one plan at once.
 */
MULTIPOINT_API multipoint_status multipoint_plan_execute(const multipoint_plan *plan, const multipoint_tensor *source,
                                                         const multipoint_tensor *residual,
                                                         const multipoint_tensor *destination, void *workspace);

/* ------------------------------------------------------------------------------------------------------------------
 * 5. Packing: turn a float weight matrix into points
 *
 * Greedy multipoint quantization (Liu, Ye, Zhou, Liu: "Post-training Quantization with Multiple Points", arXiv 2002.09049):
 * r = w; repeatedly choose the (a, q) that minimises |r - a q| by a grid search over the step, with the closed form
 * a = <r, q> / <q, q>; subtract it. A channel gets points until its output error E[((w - w^) . x)^2] is small enough.
 * --------------------------------------------------------------------------------------------------------------- */

/** A packed weight matrix. Immutable, shared between threads. */
typedef struct multipoint_packing multipoint_packing;

typedef enum multipoint_codebook {
    MULTIPOINT_CODEBOOK_DEFAULT = 0, /**< odd up to 6 bits, uniform above */
    MULTIPOINT_CODEBOOK_ODD = 1,     /**< -(2^b - 1), ..., -3, -1, 1, 3, ..., 2^b - 1; 1 to 6 bits */
    MULTIPOINT_CODEBOOK_UNIFORM = 2, /**< -(2^(b-1) - 1), ..., -1, 0, 1, ..., 2^(b-1) - 1; 2 to 8 bits */
    /** Of the magnitudes that are sums of two powers of two, those that suit the matrix best (Oh, Sim, Kim, Lee: "Non-uniform
     *  Step Size Quantization for Accurate Post-training Quantization", ECCV 2022); 2 to 4 bits. */
    MULTIPOINT_CODEBOOK_SUBSET = 3
} multipoint_codebook;

/** Zero-initialise, set struct_size. */
typedef struct multipoint_packing_options {
    size_t struct_size;
    int32_t bits;                 /**< width of a point, 1 to 8; 0 means 4 */
    multipoint_codebook codebook;
    int32_t maximum_points;       /**< per channel, 1 to 255; 0 means 1 */
    /** Add points to a channel while its output error is above `epsilon`, and above `relative_epsilon` times the channel's
     *  output power E[(w . x)^2]; each rule counts where it is above 0. With both 0 every channel gets maximum_points. A channel
     *  of zeros gets no point, every other at least one. */
    double epsilon;
    double relative_epsilon;
    /** E[x x^T] of the layer's inputs, [row_length, row_length], or NULL for the identity (then the output error is the
     *  squared weight error). */
    const float *second_moment;
} multipoint_packing_options;

/** Pack `matrix`, [channels, row_length] in C order. `options` may be NULL. INVALID_ARGUMENT for NaN or infinity, with its
 *  place. The caller destroys the packing. */
MULTIPOINT_API multipoint_status multipoint_packing_create(const float *matrix, size_t channels, size_t row_length,
                                                           const multipoint_packing_options *options,
                                                           multipoint_packing **packing);

/** Give the packing back. NULL is accepted. */
MULTIPOINT_API void multipoint_packing_destroy(multipoint_packing *packing);

/** The packed arrays, ready for a multipoint_layer_descriptor. Set weights->struct_size first. They belong to the packing. */
MULTIPOINT_API multipoint_status multipoint_packing_weights(const multipoint_packing *packing,
                                                            multipoint_weights *weights);

/** Every channel's output error with the points it got. `count` must be the number of channels. */
MULTIPOINT_API multipoint_status multipoint_packing_errors(const multipoint_packing *packing, double *errors, size_t count);

#ifdef __cplusplus
}
#endif

#endif /* MULTIPOINT_H */
