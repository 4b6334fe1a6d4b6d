/* oneDNN's C API, in the words of its third generation whichever is installed, and the calls of GNU OpenMP with which a thread chooses
 * its own thread count and shares oneDNN's worker threads. Debian's and Ubuntu's libdnnl are built on GNU OpenMP.
 *
 * oneDNN is written in C++ and lets exceptions out of its C functions, std::bad_alloc above all. None may reach Swift, whose frames they
 * would pass without cleaning up, or end the process: every call that can allocate is one of those below, which return a status whatever
 * happens. What differs between the generations, and the pages that say so, is in Sources/DNNL/README.md. */
#ifndef MULTIPOINT_CDNNL_H
#define MULTIPOINT_CDNNL_H

#include <cpuid.h>
#include <oneapi/dnnl/dnnl.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if DNNL_VERSION_MAJOR >= 3
/* Scales and zero points are arguments of each execution. */
enum {
    onednn_quantization_is_argument = 1,
    onednn_argument_scales = DNNL_ARG_ATTR_SCALES,
    onednn_argument_zero_points = DNNL_ARG_ATTR_ZERO_POINTS
};
/* result = scale * sum + bias. */
enum { onednn_bias_is_scaled = 0 };

/* The status that says so. */
enum { onednn_no_implementation_left = dnnl_last_impl_reached };

/* A descriptor with an owner. */
typedef dnnl_memory_desc_t onednn_desc;
typedef const_dnnl_memory_desc_t const_onednn_desc;

/* Stands on one of an operation's implementations. */
typedef dnnl_primitive_desc_t onednn_choice;
#else
/* Scales and zero points belong to the primitive. */
enum { onednn_quantization_is_argument = 0, onednn_argument_scales = 0, onednn_argument_zero_points = 0 };
/* result = scale * (sum + bias). */
enum { onednn_bias_is_scaled = 1 };

/* The status that says so. */
enum { onednn_no_implementation_left = dnnl_iterator_ends };

/* A descriptor with an owner; oneDNN 2 has them by value. */
typedef dnnl_memory_desc_t *onednn_desc;
typedef const dnnl_memory_desc_t *const_onednn_desc;

/* Stands on one of an operation's implementations. */
typedef struct onednn_chooser *onednn_choice;
#endif

dnnl_status_t onednn_engine_create(dnnl_engine_t *engine);
dnnl_status_t onednn_stream_create(dnnl_stream_t *stream, dnnl_engine_t engine);

/* MARK: memory */

dnnl_status_t onednn_desc_strided(
    onednn_desc *desc, int rank, const dnnl_dim_t *dimensions, dnnl_data_type_t type, const dnnl_dim_t *strides);
/* In a layout that the primitive chooses. */
dnnl_status_t onednn_desc_any(onednn_desc *desc, int rank, const dnnl_dim_t *dimensions, dnnl_data_type_t type);
/* A copy of a primitive's descriptor of an operand; NULL if it has none. */
dnnl_status_t onednn_desc_of(onednn_desc *desc, const_dnnl_primitive_desc_t primitive, dnnl_query_t what);
void onednn_desc_destroy(onednn_desc desc);
int onednn_desc_rank(const_onednn_desc desc);
dnnl_dim_t onednn_desc_dimension(const_onednn_desc desc, int axis);
dnnl_data_type_t onednn_desc_type(const_onednn_desc desc);
size_t onednn_desc_size(const_onednn_desc desc);
int onednn_desc_equal(const_onednn_desc a, const_onednn_desc b);

dnnl_status_t onednn_memory_create(dnnl_memory_t *memory, const_onednn_desc desc, dnnl_engine_t engine, void *data);
dnnl_status_t onednn_memory_set_data(dnnl_memory_t memory, void *data);

/* MARK: attributes */

/* With the scratchpad managed by the caller. */
dnnl_status_t onednn_attr_create(dnnl_primitive_attr_t *attributes);
/* One scale for all (axes = 0), or one per index of the axes in that mask. oneDNN 2 takes the values here and the axes as those of the
 * result's channels; oneDNN 3 counts the axes of the argument and is given the values at execution. */
dnnl_status_t onednn_attr_scales(
    dnnl_primitive_attr_t attributes, int argument, int axes, dnnl_dim_t count, const float *scales);
dnnl_status_t onednn_attr_zero_point(dnnl_primitive_attr_t attributes, int argument, int32_t value);
dnnl_status_t onednn_attr_post_ops(dnnl_primitive_attr_t attributes, dnnl_post_ops_t operations);

dnnl_status_t onednn_post_ops_create(dnnl_post_ops_t *operations);
dnnl_status_t onednn_append_eltwise(dnnl_post_ops_t operations, dnnl_alg_kind_t algorithm, float alpha, float beta);
dnnl_status_t onednn_append_binary(dnnl_post_ops_t operations, dnnl_alg_kind_t algorithm, const_onednn_desc operand);
dnnl_status_t onednn_append_sum(dnnl_post_ops_t operations, float scale, int32_t zero_point, dnnl_data_type_t type);

/* MARK: implementations, best first */

/* The implementation at hand, with an owner of its own. */
dnnl_status_t onednn_choice_fetch(onednn_choice choice, dnnl_primitive_desc_t *found);
dnnl_status_t onednn_choice_next(onednn_choice choice);
void onednn_choice_destroy(onednn_choice choice);

dnnl_status_t onednn_reorder(
    dnnl_primitive_desc_t *found, const_onednn_desc source, const_onednn_desc destination, dnnl_engine_t engine,
    const_dnnl_primitive_attr_t attributes);

dnnl_status_t onednn_convolution(
    onednn_choice *choice, dnnl_engine_t engine, const_onednn_desc source, const_onednn_desc weights, const_onednn_desc bias,
    const_onednn_desc destination, const dnnl_dim_t *strides, const dnnl_dim_t *dilations, const dnnl_dim_t *begins,
    const dnnl_dim_t *ends, const_dnnl_primitive_attr_t attributes);

dnnl_status_t onednn_pooling(
    onednn_choice *choice, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, const_onednn_desc source, const_onednn_desc destination,
    const dnnl_dim_t *strides, const dnnl_dim_t *kernel, const dnnl_dim_t *dilations, const dnnl_dim_t *begins,
    const dnnl_dim_t *ends, const_dnnl_primitive_attr_t attributes);

dnnl_status_t onednn_eltwise(
    onednn_choice *choice, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, const_onednn_desc tensor, float alpha, float beta,
    const_dnnl_primitive_attr_t attributes);

dnnl_status_t onednn_binary(
    onednn_choice *choice, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, const_onednn_desc first, const_onednn_desc second,
    const_onednn_desc destination, const_dnnl_primitive_attr_t attributes);

dnnl_status_t onednn_softmax(
    onednn_choice *choice, dnnl_engine_t engine, int is_logarithmic, const_onednn_desc tensor, int axis,
    const_dnnl_primitive_attr_t attributes);

dnnl_status_t onednn_matmul(
    onednn_choice *choice, dnnl_engine_t engine, const_onednn_desc first, const_onednn_desc second, const_onednn_desc destination,
    const_dnnl_primitive_attr_t attributes);

/* MARK: primitives */

dnnl_status_t onednn_primitive_create(dnnl_primitive_t *primitive, const_dnnl_primitive_desc_t descriptor);
dnnl_status_t onednn_execute(const_dnnl_primitive_t primitive, dnnl_stream_t stream, int count, const dnnl_exec_arg_t *arguments);
dnnl_status_t onednn_sgemm(
    char transpose_a, char transpose_b, dnnl_dim_t m, dnnl_dim_t n, dnnl_dim_t k, float alpha, const float *a, dnnl_dim_t lda,
    const float *b, dnnl_dim_t ldb, float beta, float *c, dnnl_dim_t ldc);

/* MARK: threads */

/* omp.h comes with the compiler, not with the library; these are its declarations (OpenMP 5.0, sections 3.2.1, 3.2.3).
 * Both concern the calling thread only. */
extern void omp_set_num_threads(int);
extern int omp_get_max_threads(void);
extern int omp_get_thread_limit(void);
extern int omp_in_parallel(void);
extern int omp_get_dynamic(void);
extern void omp_set_dynamic(int);

/* What `#pragma omp parallel` compiles to (libgomp ABI GOMP_4.0): runs `body(data)` once in each of `threads` threads. */
extern void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);
extern int omp_get_thread_num(void);
extern int omp_get_num_threads(void);

/* The most threads that there were found to be for the calling thread, itself included; 1 at first. */
int onednn_threads_had(void);
void onednn_threads_have(int count);

/* How many of `count` threads the process can have at this moment beside the calling one: GNU OpenMP ends the process if it cannot
 * create one. Found out by creating them. */
int onednn_threads_possible(int count);

/* MARK: forks */

/* Between these two calls no other thread can fork; it waits. For what takes a lock that a child would find taken for ever: oneDNN's calls
 * that compile take that of its cache, and hold this themselves. Not recursive, and not around anything of the caller's. */
void onednn_forks_wait(void);
void onednn_forks_may(void);

/* How often this process's line has been forked since the library was loaded. */
int onednn_forks(void);

/* Whether the CPU has SSE4.1, the least that oneDNN's integer kernels need (CPUID leaf 1, ECX bit 19). */
static inline int multipoint_cpu_has_sse41(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_1) != 0;
}

#ifdef __cplusplus
}
#endif

#endif
