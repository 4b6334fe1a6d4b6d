// The calls that are the same in both generations of oneDNN.
#include "guarded.hpp"

dnnl_status_t onednn_engine_create(dnnl_engine_t *engine) {
    return compiling([&] { return dnnl_engine_create(engine, dnnl_cpu, 0); });
}

dnnl_status_t onednn_stream_create(dnnl_stream_t *stream, dnnl_engine_t engine) {
    return compiling([&] { return dnnl_stream_create(stream, engine, dnnl_stream_default_flags); });
}

dnnl_status_t onednn_memory_create(dnnl_memory_t *memory, const_onednn_desc desc, dnnl_engine_t engine, void *data) {
    return guarded([&] { return dnnl_memory_create(memory, desc, engine, data); });
}

dnnl_status_t onednn_memory_set_data(dnnl_memory_t memory, void *data) {
    return guarded([&] { return dnnl_memory_set_data_handle(memory, data); });
}

size_t onednn_desc_size(const_onednn_desc desc) { return dnnl_memory_desc_get_size(desc); }
int onednn_desc_equal(const_onednn_desc a, const_onednn_desc b) { return dnnl_memory_desc_equal(a, b); }

dnnl_status_t onednn_attr_create(dnnl_primitive_attr_t *attributes) {
    const dnnl_status_t status = guarded([&] { return dnnl_primitive_attr_create(attributes); });
    if (status != dnnl_success) return status;
    const dnnl_status_t set = guarded([&] { return dnnl_primitive_attr_set_scratchpad_mode(*attributes, dnnl_scratchpad_mode_user); });
    if (set != dnnl_success) dnnl_primitive_attr_destroy(*attributes);
    return set;
}

dnnl_status_t onednn_attr_post_ops(dnnl_primitive_attr_t attributes, dnnl_post_ops_t operations) {
    return guarded([&] { return dnnl_primitive_attr_set_post_ops(attributes, operations); });
}

dnnl_status_t onednn_post_ops_create(dnnl_post_ops_t *operations) {
    return guarded([&] { return dnnl_post_ops_create(operations); });
}

dnnl_status_t onednn_append_binary(dnnl_post_ops_t operations, dnnl_alg_kind_t algorithm, const_onednn_desc operand) {
    return guarded([&] { return dnnl_post_ops_append_binary(operations, algorithm, operand); });
}

dnnl_status_t onednn_reorder(
    dnnl_primitive_desc_t *found, const_onednn_desc source, const_onednn_desc destination, dnnl_engine_t engine,
    const_dnnl_primitive_attr_t attributes) {
    return compiling([&] { return dnnl_reorder_primitive_desc_create(found, source, engine, destination, engine, attributes); });
}

/// Empties oneDNN's cache of primitives.
static void forget_primitives() {
    int capacity = 0;
    if (dnnl_get_primitive_cache_capacity(&capacity) != dnnl_success) return;
    dnnl_set_primitive_cache_capacity(0);
    dnnl_set_primitive_cache_capacity(capacity);
}

dnnl_status_t onednn_primitive_create(dnnl_primitive_t *primitive, const_dnnl_primitive_desc_t descriptor) {
    return compiling([&] {
        try {
            return dnnl_primitive_create(primitive, descriptor);
        } catch (...) {
            // The cache has kept an entry that will never be filled. It refers to the descriptor, which the caller destroys.
            forget_primitives();
            throw;
        }
    });
}

dnnl_status_t onednn_execute(const_dnnl_primitive_t primitive, dnnl_stream_t stream, int count, const dnnl_exec_arg_t *arguments) {
    return guarded([&] { return dnnl_primitive_execute(primitive, stream, count, arguments); });
}

dnnl_status_t onednn_sgemm(
    char transpose_a, char transpose_b, dnnl_dim_t m, dnnl_dim_t n, dnnl_dim_t k, float alpha, const float *a, dnnl_dim_t lda,
    const float *b, dnnl_dim_t ldb, float beta, float *c, dnnl_dim_t ldc) {
    return guarded([&] { return dnnl_sgemm(transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc); });
}
