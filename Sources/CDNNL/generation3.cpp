// oneDNN 3: its own functions under the names that the Swift side uses.
#include "guarded.hpp"

#if DNNL_VERSION_MAJOR >= 3

// MARK: memory

dnnl_status_t onednn_desc_strided(
    onednn_desc *desc, int rank, const dnnl_dim_t *dimensions, dnnl_data_type_t type, const dnnl_dim_t *strides) {
    return guarded([&] { return dnnl_memory_desc_create_with_strides(desc, rank, dimensions, type, strides); });
}

dnnl_status_t onednn_desc_any(onednn_desc *desc, int rank, const dnnl_dim_t *dimensions, dnnl_data_type_t type) {
    return guarded([&] { return dnnl_memory_desc_create_with_tag(desc, rank, dimensions, type, dnnl_format_tag_any); });
}

dnnl_status_t onednn_desc_of(onednn_desc *desc, const_dnnl_primitive_desc_t primitive, dnnl_query_t what) {
    *desc = nullptr;
    return guarded([&] {
        const const_onednn_desc found = dnnl_primitive_desc_query_md(primitive, what, 0);
        return found ? dnnl_memory_desc_clone(desc, found) : dnnl_success;
    });
}

void onednn_desc_destroy(onednn_desc desc) { dnnl_memory_desc_destroy(desc); }

int onednn_desc_rank(const_onednn_desc desc) {
    int rank = 0;
    return dnnl_memory_desc_query(desc, dnnl_query_ndims_s32, &rank) == dnnl_success ? rank : 0;
}

dnnl_dim_t onednn_desc_dimension(const_onednn_desc desc, int axis) {
    dnnl_dims_t *dimensions = nullptr;
    if (dnnl_memory_desc_query(desc, dnnl_query_dims, &dimensions) != dnnl_success) return 1;
    return (*dimensions)[axis];
}

dnnl_data_type_t onednn_desc_type(const_onednn_desc desc) {
    dnnl_data_type_t type = dnnl_data_type_undef;
    dnnl_memory_desc_query(desc, dnnl_query_data_type, &type);
    return type;
}

// MARK: attributes

dnnl_status_t onednn_attr_scales(dnnl_primitive_attr_t attributes, int argument, int axes, dnnl_dim_t, const float *) {
    return guarded([&] { return dnnl_primitive_attr_set_scales_mask(attributes, argument, axes); });
}

dnnl_status_t onednn_attr_zero_point(dnnl_primitive_attr_t attributes, int argument, int32_t) {
    return guarded([&] { return dnnl_primitive_attr_set_zero_points_mask(attributes, argument, 0); });
}

dnnl_status_t onednn_append_eltwise(dnnl_post_ops_t operations, dnnl_alg_kind_t algorithm, float alpha, float beta) {
    return guarded([&] { return dnnl_post_ops_append_eltwise(operations, algorithm, alpha, beta); });
}

dnnl_status_t onednn_append_sum(dnnl_post_ops_t operations, float scale, int32_t zero_point, dnnl_data_type_t type) {
    return guarded([&] { return dnnl_post_ops_append_sum(operations, scale, zero_point, type); });
}

// MARK: implementations, best first

dnnl_status_t onednn_choice_fetch(onednn_choice choice, dnnl_primitive_desc_t *found) {
    return compiling([&] { return dnnl_primitive_desc_clone(found, choice); });
}

dnnl_status_t onednn_choice_next(onednn_choice choice) {
    return compiling([&] { return dnnl_primitive_desc_next_impl(choice); });
}

void onednn_choice_destroy(onednn_choice choice) { dnnl_primitive_desc_destroy(choice); }

dnnl_status_t onednn_convolution(
    onednn_choice *choice, dnnl_engine_t engine, const_onednn_desc source, const_onednn_desc weights, const_onednn_desc bias,
    const_onednn_desc destination, const dnnl_dim_t *strides, const dnnl_dim_t *dilations, const dnnl_dim_t *begins,
    const dnnl_dim_t *ends, const_dnnl_primitive_attr_t attributes) {
    return compiling([&] {
        return dnnl_convolution_forward_primitive_desc_create(
            choice, engine, dnnl_forward_inference, dnnl_convolution_direct, source, weights, bias, destination, strides, dilations,
            begins, ends, attributes);
    });
}

dnnl_status_t onednn_pooling(
    onednn_choice *choice, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, const_onednn_desc source, const_onednn_desc destination,
    const dnnl_dim_t *strides, const dnnl_dim_t *kernel, const dnnl_dim_t *dilations, const dnnl_dim_t *begins,
    const dnnl_dim_t *ends, const_dnnl_primitive_attr_t attributes) {
    return compiling([&] {
        return dnnl_pooling_forward_primitive_desc_create(
            choice, engine, dnnl_forward_inference, algorithm, source, destination, strides, kernel, dilations, begins, ends,
            attributes);
    });
}

dnnl_status_t onednn_eltwise(
    onednn_choice *choice, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, const_onednn_desc tensor, float alpha, float beta,
    const_dnnl_primitive_attr_t attributes) {
    return compiling([&] {
        return dnnl_eltwise_forward_primitive_desc_create(
            choice, engine, dnnl_forward_inference, algorithm, tensor, tensor, alpha, beta, attributes);
    });
}

dnnl_status_t onednn_binary(
    onednn_choice *choice, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, const_onednn_desc first, const_onednn_desc second,
    const_onednn_desc destination, const_dnnl_primitive_attr_t attributes) {
    return compiling(
        [&] { return dnnl_binary_primitive_desc_create(choice, engine, algorithm, first, second, destination, attributes); });
}

dnnl_status_t onednn_softmax(
    onednn_choice *choice, dnnl_engine_t engine, int is_logarithmic, const_onednn_desc tensor, int axis,
    const_dnnl_primitive_attr_t attributes) {
    return compiling([&] {
        return dnnl_softmax_forward_primitive_desc_create(
            choice, engine, dnnl_forward_inference, is_logarithmic ? dnnl_softmax_log : dnnl_softmax_accurate, tensor, tensor, axis,
            attributes);
    });
}

dnnl_status_t onednn_matmul(
    onednn_choice *choice, dnnl_engine_t engine, const_onednn_desc first, const_onednn_desc second, const_onednn_desc destination,
    const_dnnl_primitive_attr_t attributes) {
    return compiling(
        [&] { return dnnl_matmul_primitive_desc_create(choice, engine, first, second, nullptr, destination, attributes); });
}

#endif
