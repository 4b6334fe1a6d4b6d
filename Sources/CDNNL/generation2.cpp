// oneDNN 2 in the shape of oneDNN 3: descriptors have owners, an operation is created by one call.
#include "guarded.hpp"

#if DNNL_VERSION_MAJOR < 3
#include <cstring>

// MARK: memory

namespace {
/// A copy with an owner.
dnnl_status_t own(onednn_desc *desc, const dnnl_memory_desc_t &value) {
    *desc = new (std::nothrow) dnnl_memory_desc_t(value);
    return *desc ? dnnl_success : dnnl_out_of_memory;
}
} // namespace

dnnl_status_t onednn_desc_strided(
    onednn_desc *desc, int rank, const dnnl_dim_t *dimensions, dnnl_data_type_t type, const dnnl_dim_t *strides) {
    return guarded([&] {
        dnnl_memory_desc_t value;
        const dnnl_status_t status = dnnl_memory_desc_init_by_strides(&value, rank, dimensions, type, strides);
        return status == dnnl_success ? own(desc, value) : status;
    });
}

dnnl_status_t onednn_desc_any(onednn_desc *desc, int rank, const dnnl_dim_t *dimensions, dnnl_data_type_t type) {
    return guarded([&] {
        dnnl_memory_desc_t value;
        const dnnl_status_t status = dnnl_memory_desc_init_by_tag(&value, rank, dimensions, type, dnnl_format_tag_any);
        return status == dnnl_success ? own(desc, value) : status;
    });
}

dnnl_status_t onednn_desc_of(onednn_desc *desc, const_dnnl_primitive_desc_t primitive, dnnl_query_t what) {
    const dnnl_memory_desc_t *found = dnnl_primitive_desc_query_md(primitive, what, 0);
    *desc = nullptr;
    return found ? own(desc, *found) : dnnl_success;
}

void onednn_desc_destroy(onednn_desc desc) { delete desc; }
int onednn_desc_rank(const_onednn_desc desc) { return desc->ndims; }
dnnl_dim_t onednn_desc_dimension(const_onednn_desc desc, int axis) { return desc->dims[axis]; }
dnnl_data_type_t onednn_desc_type(const_onednn_desc desc) { return desc->data_type; }

// MARK: attributes

dnnl_status_t onednn_attr_scales(
    dnnl_primitive_attr_t attributes, int, int axes, dnnl_dim_t count, const float *scales) {
    return guarded([&] { return dnnl_primitive_attr_set_output_scales(attributes, count, axes ? 1 << 1 : 0, scales); });
}

dnnl_status_t onednn_attr_zero_point(dnnl_primitive_attr_t attributes, int argument, int32_t value) {
    return guarded([&] { return dnnl_primitive_attr_set_zero_points(attributes, argument, 1, 0, &value); });
}

namespace {
/// Hard swish and softplus have fixed parameters; oneDNN 3 wants to be told them.
bool is_fixed(dnnl_alg_kind_t algorithm) { return algorithm == dnnl_eltwise_hardswish || algorithm == dnnl_eltwise_soft_relu; }
} // namespace

dnnl_status_t onednn_append_eltwise(dnnl_post_ops_t operations, dnnl_alg_kind_t algorithm, float alpha, float beta) {
    if (is_fixed(algorithm)) alpha = beta = 0;
    return guarded([&] { return dnnl_post_ops_append_eltwise(operations, 1, algorithm, alpha, beta); });
}

dnnl_status_t onednn_append_sum(dnnl_post_ops_t operations, float scale, int32_t zero_point, dnnl_data_type_t type) {
    return guarded([&] { return dnnl_post_ops_append_sum_v3(operations, scale, zero_point, type); });
}

// MARK: implementations, best first

/// The iterator reads the operation's description again whenever it moves on, and does not copy it.
struct onednn_chooser {
    dnnl_primitive_desc_iterator_t iterator;
    union {
        dnnl_convolution_desc_t convolution;
        dnnl_pooling_v2_desc_t pooling;
        dnnl_eltwise_desc_t eltwise;
        dnnl_binary_desc_t binary;
        dnnl_softmax_desc_t softmax;
        dnnl_matmul_desc_t matmul;
    } description;
};

dnnl_status_t onednn_choice_fetch(onednn_choice choice, dnnl_primitive_desc_t *found) {
    return compiling([&] {
        *found = dnnl_primitive_desc_iterator_fetch(choice->iterator);
        return *found ? dnnl_success : dnnl_out_of_memory;
    });
}

dnnl_status_t onednn_choice_next(onednn_choice choice) {
    return compiling([&] { return dnnl_primitive_desc_iterator_next(choice->iterator); });
}

void onednn_choice_destroy(onednn_choice choice) {
    if (choice) dnnl_primitive_desc_iterator_destroy(choice->iterator);
    delete choice;
}

namespace {
/// Goes from an operation's description, which `describe` makes, to its implementations.
template <typename Description, typename Describe>
dnnl_status_t choose(
    onednn_choice *choice, dnnl_engine_t engine, const_dnnl_primitive_attr_t attributes, const Describe &describe) {
    return compiling([&] {
        Description description;
        dnnl_status_t status = describe(&description);
        if (status != dnnl_success) return status;
        auto *const made = new (std::nothrow) onednn_chooser;
        if (!made) return dnnl_out_of_memory;
        std::memcpy(&made->description, &description, sizeof description);
        status = guarded([&] {
            return dnnl_primitive_desc_iterator_create(&made->iterator, &made->description, attributes, engine, nullptr);
        });
        if (status == dnnl_success) {
            *choice = made;
        } else {
            delete made;
        }
        return status;
    });
}
} // namespace

dnnl_status_t onednn_convolution(
    onednn_choice *choice, dnnl_engine_t engine, const_onednn_desc source, const_onednn_desc weights, const_onednn_desc bias,
    const_onednn_desc destination, const dnnl_dim_t *strides, const dnnl_dim_t *dilations, const dnnl_dim_t *begins,
    const dnnl_dim_t *ends, const_dnnl_primitive_attr_t attributes) {
    return choose<dnnl_convolution_desc_t>(choice, engine, attributes, [&](dnnl_convolution_desc_t *description) {
        return dnnl_dilated_convolution_forward_desc_init(
            description, dnnl_forward_inference, dnnl_convolution_direct, source, weights, bias, destination, strides, dilations,
            begins, ends);
    });
}

dnnl_status_t onednn_pooling(
    onednn_choice *choice, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, const_onednn_desc source, const_onednn_desc destination,
    const dnnl_dim_t *strides, const dnnl_dim_t *kernel, const dnnl_dim_t *dilations, const dnnl_dim_t *begins,
    const dnnl_dim_t *ends, const_dnnl_primitive_attr_t attributes) {
    return choose<dnnl_pooling_v2_desc_t>(choice, engine, attributes, [&](dnnl_pooling_v2_desc_t *description) {
        return dnnl_pooling_v2_forward_desc_init(
            description, dnnl_forward_inference, algorithm, source, destination, strides, kernel, dilations, begins, ends);
    });
}

dnnl_status_t onednn_eltwise(
    onednn_choice *choice, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, const_onednn_desc tensor, float alpha, float beta,
    const_dnnl_primitive_attr_t attributes) {
    if (is_fixed(algorithm)) alpha = beta = 0;
    return choose<dnnl_eltwise_desc_t>(choice, engine, attributes, [&](dnnl_eltwise_desc_t *description) {
        return dnnl_eltwise_forward_desc_init(description, dnnl_forward_inference, algorithm, tensor, alpha, beta);
    });
}

dnnl_status_t onednn_binary(
    onednn_choice *choice, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, const_onednn_desc first, const_onednn_desc second,
    const_onednn_desc destination, const_dnnl_primitive_attr_t attributes) {
    return choose<dnnl_binary_desc_t>(choice, engine, attributes, [&](dnnl_binary_desc_t *description) {
        return dnnl_binary_desc_init(description, algorithm, first, second, destination);
    });
}

dnnl_status_t onednn_softmax(
    onednn_choice *choice, dnnl_engine_t engine, int is_logarithmic, const_onednn_desc tensor, int axis,
    const_dnnl_primitive_attr_t attributes) {
    return choose<dnnl_softmax_desc_t>(choice, engine, attributes, [&](dnnl_softmax_desc_t *description) {
        return is_logarithmic ? dnnl_logsoftmax_forward_desc_init(description, dnnl_forward_inference, tensor, axis)
                              : dnnl_softmax_forward_desc_init(description, dnnl_forward_inference, tensor, axis);
    });
}

dnnl_status_t onednn_matmul(
    onednn_choice *choice, dnnl_engine_t engine, const_onednn_desc first, const_onednn_desc second, const_onednn_desc destination,
    const_dnnl_primitive_attr_t attributes) {
    return choose<dnnl_matmul_desc_t>(choice, engine, attributes, [&](dnnl_matmul_desc_t *description) {
        return dnnl_matmul_desc_init(description, first, second, nullptr, destination);
    });
}

#endif
