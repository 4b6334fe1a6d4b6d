/* oneDNN 2 under the names and in the shape of oneDNN 3: descriptors have owners, an operation is created by one call. What differs, and
 * the pages that say so, is in Sources/DNNL/README.md. */
#ifndef MULTIPOINT_CDNNL_GENERATION2_H
#define MULTIPOINT_CDNNL_GENERATION2_H

#include <oneapi/dnnl/dnnl.h>
#include <stdlib.h>
#include <string.h>

/* Scales and zero points belong to the primitive. */
enum { onednn_quantization_is_argument = 0, onednn_argument_scales = 0, onednn_argument_zero_points = 0 };
/* result = scale * (sum + bias). */
enum { onednn_bias_is_scaled = 1 };

/* The status that says so. */
enum { onednn_no_implementation_left = dnnl_iterator_ends };

/* A descriptor with an owner; oneDNN 2 has them by value. */
typedef dnnl_memory_desc_t *onednn_desc;
typedef const dnnl_memory_desc_t *const_onednn_desc;

static inline dnnl_status_t onednn_desc_own(onednn_desc *desc, const dnnl_memory_desc_t *value, dnnl_status_t status) {
    if (status != dnnl_success) return status;
    *desc = (onednn_desc)malloc(sizeof **desc);
    if (!*desc) return dnnl_out_of_memory;
    **desc = *value;
    return dnnl_success;
}

static inline dnnl_status_t onednn_desc_strided(
    onednn_desc *desc, int rank, const dnnl_dim_t *dimensions, dnnl_data_type_t type, const dnnl_dim_t *strides) {
    dnnl_memory_desc_t value;
    return onednn_desc_own(desc, &value, dnnl_memory_desc_init_by_strides(&value, rank, dimensions, type, strides));
}

static inline dnnl_status_t onednn_desc_any(onednn_desc *desc, int rank, const dnnl_dim_t *dimensions, dnnl_data_type_t type) {
    dnnl_memory_desc_t value;
    return onednn_desc_own(desc, &value, dnnl_memory_desc_init_by_tag(&value, rank, dimensions, type, dnnl_format_tag_any));
}

/* A copy of a primitive's descriptor of an operand; NULL if it has none. */
static inline onednn_desc onednn_desc_of(const_dnnl_primitive_desc_t primitive, dnnl_query_t what) {
    const dnnl_memory_desc_t *found = dnnl_primitive_desc_query_md(primitive, what, 0);
    onednn_desc copy = NULL;
    if (found && onednn_desc_own(&copy, found, dnnl_success) != dnnl_success) return NULL;
    return copy;
}

static inline void onednn_desc_destroy(onednn_desc desc) { free(desc); }
static inline int onednn_desc_rank(const_onednn_desc desc) { return desc->ndims; }
static inline dnnl_dim_t onednn_desc_dimension(const_onednn_desc desc, int axis) { return desc->dims[axis]; }
static inline dnnl_data_type_t onednn_desc_type(const_onednn_desc desc) { return desc->data_type; }

/* MARK: attributes */

/* Output scales: one for all (axes = 0), or one per output channel, whatever the axes of the argument that oneDNN 3 counts. */
static inline dnnl_status_t onednn_attr_scales(
    dnnl_primitive_attr_t attributes, int argument, int axes, dnnl_dim_t count, const float *scales) {
    (void)argument;
    return dnnl_primitive_attr_set_output_scales(attributes, count, axes ? 1 << 1 : 0, scales);
}

static inline dnnl_status_t onednn_attr_zero_point(dnnl_primitive_attr_t attributes, int argument, int32_t value) {
    return dnnl_primitive_attr_set_zero_points(attributes, argument, 1, 0, &value);
}

/* Hard swish and softplus have fixed parameters; oneDNN 3 wants to be told them. */
static inline int onednn_is_fixed(dnnl_alg_kind_t algorithm) {
    return algorithm == dnnl_eltwise_hardswish || algorithm == dnnl_eltwise_soft_relu;
}

static inline dnnl_status_t onednn_append_eltwise(dnnl_post_ops_t operations, dnnl_alg_kind_t algorithm, float alpha, float beta) {
    if (onednn_is_fixed(algorithm)) alpha = beta = 0;
    return dnnl_post_ops_append_eltwise(operations, 1, algorithm, alpha, beta);
}

static inline dnnl_status_t onednn_append_sum(dnnl_post_ops_t operations, float scale, int32_t zero_point, dnnl_data_type_t type) {
    return dnnl_post_ops_append_sum_v3(operations, scale, zero_point, type);
}

/* MARK: implementations, best first */

/* Stands on one of them. The iterator reads the operation's description again whenever it moves on, and does not copy it. */
typedef struct onednn_chooser {
    dnnl_primitive_desc_iterator_t iterator;
    union {
        dnnl_convolution_desc_t convolution;
        dnnl_pooling_v2_desc_t pooling;
        dnnl_eltwise_desc_t eltwise;
        dnnl_binary_desc_t binary;
        dnnl_softmax_desc_t softmax;
        dnnl_matmul_desc_t matmul;
    } description;
} *onednn_choice;

/* The implementation at hand, with an owner of its own. */
static inline dnnl_status_t onednn_choice_fetch(onednn_choice choice, dnnl_primitive_desc_t *found) {
    *found = dnnl_primitive_desc_iterator_fetch(choice->iterator);
    return *found ? dnnl_success : dnnl_out_of_memory;
}
static inline dnnl_status_t onednn_choice_next(onednn_choice choice) { return dnnl_primitive_desc_iterator_next(choice->iterator); }
static inline void onednn_choice_destroy(onednn_choice choice) {
    if (choice) dnnl_primitive_desc_iterator_destroy(choice->iterator);
    free(choice);
}

/* Goes from an operation's description to its implementations. */
static inline dnnl_status_t onednn_choose(
    onednn_choice *choice, dnnl_status_t status, const void *description, size_t size, dnnl_engine_t engine,
    const_dnnl_primitive_attr_t attributes) {
    if (status != dnnl_success) return status;
    onednn_choice made = (onednn_choice)malloc(sizeof *made);
    if (!made) return dnnl_out_of_memory;
    memcpy(&made->description, description, size);
    status = dnnl_primitive_desc_iterator_create(&made->iterator, &made->description, attributes, engine, NULL);
    if (status == dnnl_success) {
        *choice = made;
    } else {
        free(made);
    }
    return status;
}

static inline dnnl_status_t onednn_convolution(
    onednn_choice *choice, dnnl_engine_t engine, const_onednn_desc source, const_onednn_desc weights, const_onednn_desc bias,
    const_onednn_desc destination, const dnnl_dim_t *strides, const dnnl_dim_t *dilations, const dnnl_dim_t *begins,
    const dnnl_dim_t *ends, const_dnnl_primitive_attr_t attributes) {
    dnnl_convolution_desc_t description;
    dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(
        &description, dnnl_forward_inference, dnnl_convolution_direct, source, weights, bias, destination, strides, dilations,
        begins, ends);
    return onednn_choose(choice, status, &description, sizeof description, engine, attributes);
}

static inline dnnl_status_t onednn_pooling(
    onednn_choice *choice, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, const_onednn_desc source, const_onednn_desc destination,
    const dnnl_dim_t *strides, const dnnl_dim_t *kernel, const dnnl_dim_t *dilations, const dnnl_dim_t *begins,
    const dnnl_dim_t *ends, const_dnnl_primitive_attr_t attributes) {
    dnnl_pooling_v2_desc_t description;
    dnnl_status_t status = dnnl_pooling_v2_forward_desc_init(
        &description, dnnl_forward_inference, algorithm, source, destination, strides, kernel, dilations, begins, ends);
    return onednn_choose(choice, status, &description, sizeof description, engine, attributes);
}

static inline dnnl_status_t onednn_eltwise(
    onednn_choice *choice, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, const_onednn_desc tensor, float alpha, float beta,
    const_dnnl_primitive_attr_t attributes) {
    dnnl_eltwise_desc_t description;
    if (onednn_is_fixed(algorithm)) alpha = beta = 0;
    dnnl_status_t status = dnnl_eltwise_forward_desc_init(&description, dnnl_forward_inference, algorithm, tensor, alpha, beta);
    return onednn_choose(choice, status, &description, sizeof description, engine, attributes);
}

static inline dnnl_status_t onednn_binary(
    onednn_choice *choice, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, const_onednn_desc first, const_onednn_desc second,
    const_onednn_desc destination, const_dnnl_primitive_attr_t attributes) {
    dnnl_binary_desc_t description;
    dnnl_status_t status = dnnl_binary_desc_init(&description, algorithm, first, second, destination);
    return onednn_choose(choice, status, &description, sizeof description, engine, attributes);
}

static inline dnnl_status_t onednn_softmax(
    onednn_choice *choice, dnnl_engine_t engine, int is_logarithmic, const_onednn_desc tensor, int axis,
    const_dnnl_primitive_attr_t attributes) {
    dnnl_softmax_desc_t description;
    dnnl_status_t status = is_logarithmic
        ? dnnl_logsoftmax_forward_desc_init(&description, dnnl_forward_inference, tensor, axis)
        : dnnl_softmax_forward_desc_init(&description, dnnl_forward_inference, tensor, axis);
    return onednn_choose(choice, status, &description, sizeof description, engine, attributes);
}

static inline dnnl_status_t onednn_matmul(
    onednn_choice *choice, dnnl_engine_t engine, const_onednn_desc first, const_onednn_desc second, const_onednn_desc destination,
    const_dnnl_primitive_attr_t attributes) {
    dnnl_matmul_desc_t description;
    dnnl_status_t status = dnnl_matmul_desc_init(&description, first, second, NULL, destination);
    return onednn_choose(choice, status, &description, sizeof description, engine, attributes);
}

#endif
