/* Every call of oneDNN that returns a status fails in turn, as if out of memory, not implemented, or for no reason that it tells. The
 * functions below stand before oneDNN's own. Whatever fails, the call of the C interface returns a status with a message or does without,
 * nothing that oneDNN made is lost, and the same call works right after. */
#define _GNU_SOURCE
#include "check.h"
#include "packed_file.h"

#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdlib.h>

/* MARK: in oneDNN's place */

static int is_watching;
static long calls_made, failing; /* which one fails, 0 for none */
static dnnl_status_t failure;
static int has_failed;
/* Objects that exist: made and not destroyed. */
static long engines, streams, memories, attributes, post_operations, descriptors, choices, primitives;

static int fails(void) {
    if (!is_watching) return 0;
    if (++calls_made != failing) return 0;
    has_failed = 1;
    return 1;
}

static void *next_function(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) {
        fprintf(stderr, "no %s\n", name);
        exit(2);
    }
    return found;
}

/* A function with a status. `made`: what is counted if it succeeds. */
#define STATUS(name, parameters, arguments, made)                                                                      \
    dnnl_status_t name parameters {                                                                                    \
        static dnnl_status_t(*next) parameters;                                                                        \
        if (next == NULL) *(void **)&next = next_function(#name);                                                      \
        if (fails()) return failure;                                                                                   \
        const dnnl_status_t status = next arguments;                                                                   \
        if (status == dnnl_success) { made; }                                                                          \
        return status;                                                                                                 \
    }

/* One that gives an object back, and does not fail. */
#define DESTROY(name, type, kind)                                                                                      \
    dnnl_status_t name(type object) {                                                                                  \
        static dnnl_status_t (*next)(type);                                                                            \
        if (next == NULL) *(void **)&next = next_function(#name);                                                      \
        if (object != NULL) kind--;                                                                                    \
        return next(object);                                                                                           \
    }

STATUS(dnnl_engine_create, (dnnl_engine_t * engine, dnnl_engine_kind_t kind, size_t index), (engine, kind, index), engines++)
STATUS(dnnl_stream_create, (dnnl_stream_t * stream, dnnl_engine_t engine, unsigned flags), (stream, engine, flags), streams++)
STATUS(dnnl_memory_set_data_handle, (dnnl_memory_t memory, void *handle), (memory, handle), (void)0)
STATUS(dnnl_primitive_attr_create, (dnnl_primitive_attr_t * made), (made), attributes++)
STATUS(dnnl_primitive_attr_set_scratchpad_mode, (dnnl_primitive_attr_t attribute, dnnl_scratchpad_mode_t mode), (attribute, mode), (void)0)
STATUS(dnnl_primitive_attr_set_post_ops, (dnnl_primitive_attr_t attribute, const_dnnl_post_ops_t made), (attribute, made), (void)0)
STATUS(dnnl_post_ops_create, (dnnl_post_ops_t * made), (made), post_operations++)
STATUS(dnnl_primitive_create, (dnnl_primitive_t * made, const_dnnl_primitive_desc_t desc), (made, desc), primitives++)
STATUS(dnnl_primitive_execute,
       (const_dnnl_primitive_t primitive, dnnl_stream_t stream, int count, const dnnl_exec_arg_t *values),
       (primitive, stream, count, values), (void)0)
DESTROY(dnnl_engine_destroy, dnnl_engine_t, engines)
DESTROY(dnnl_stream_destroy, dnnl_stream_t, streams)
DESTROY(dnnl_memory_destroy, dnnl_memory_t, memories)
DESTROY(dnnl_primitive_attr_destroy, dnnl_primitive_attr_t, attributes)
DESTROY(dnnl_post_ops_destroy, dnnl_post_ops_t, post_operations)
DESTROY(dnnl_primitive_desc_destroy, dnnl_primitive_desc_t, descriptors)
DESTROY(dnnl_primitive_destroy, dnnl_primitive_t, primitives)

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_dims_t const shape;
STATUS(dnnl_memory_create, (dnnl_memory_t * made, const_dnnl_memory_desc_t desc, dnnl_engine_t engine, void *data),
       (made, desc, engine, data), memories++)
STATUS(dnnl_memory_desc_create_with_strides,
       (dnnl_memory_desc_t * made, int rank, shape sizes, dnnl_data_type_t type, shape strides), (made, rank, sizes, type, strides),
       (void)0)
STATUS(dnnl_memory_desc_create_with_tag, (dnnl_memory_desc_t * made, int rank, shape sizes, dnnl_data_type_t type, dnnl_format_tag_t tag),
       (made, rank, sizes, type, tag), (void)0)
STATUS(dnnl_memory_desc_clone, (dnnl_memory_desc_t * made, const_dnnl_memory_desc_t desc), (made, desc), (void)0)
STATUS(dnnl_primitive_attr_set_scales_mask, (dnnl_primitive_attr_t attribute, int argument, int mask), (attribute, argument, mask), (void)0)
STATUS(dnnl_primitive_attr_set_zero_points_mask, (dnnl_primitive_attr_t attribute, int argument, int mask), (attribute, argument, mask),
       (void)0)
STATUS(dnnl_post_ops_append_eltwise, (dnnl_post_ops_t made, dnnl_alg_kind_t kind, float a, float b), (made, kind, a, b), (void)0)
STATUS(dnnl_post_ops_append_binary, (dnnl_post_ops_t made, dnnl_alg_kind_t kind, const_dnnl_memory_desc_t desc), (made, kind, desc), (void)0)
STATUS(dnnl_post_ops_append_sum, (dnnl_post_ops_t made, float scale, int32_t zero, dnnl_data_type_t type), (made, scale, zero, type),
       (void)0)
STATUS(dnnl_primitive_desc_clone, (dnnl_primitive_desc_t * made, const_dnnl_primitive_desc_t desc), (made, desc), descriptors++)
STATUS(dnnl_primitive_desc_next_impl, (dnnl_primitive_desc_t desc), (desc), (void)0)
STATUS(dnnl_reorder_primitive_desc_create,
       (dnnl_primitive_desc_t * made, const_dnnl_memory_desc_t from, dnnl_engine_t from_engine, const_dnnl_memory_desc_t to,
        dnnl_engine_t to_engine, const_dnnl_primitive_attr_t attribute),
       (made, from, from_engine, to, to_engine, attribute), descriptors++)
STATUS(dnnl_convolution_forward_primitive_desc_create,
       (dnnl_primitive_desc_t * made, dnnl_engine_t engine, dnnl_prop_kind_t kind, dnnl_alg_kind_t algorithm, const_dnnl_memory_desc_t from,
        const_dnnl_memory_desc_t weights, const_dnnl_memory_desc_t bias, const_dnnl_memory_desc_t to, shape strides, shape dilations,
        shape begins, shape ends, const_dnnl_primitive_attr_t attribute),
       (made, engine, kind, algorithm, from, weights, bias, to, strides, dilations, begins, ends, attribute), descriptors++)
STATUS(dnnl_pooling_forward_primitive_desc_create,
       (dnnl_primitive_desc_t * made, dnnl_engine_t engine, dnnl_prop_kind_t kind, dnnl_alg_kind_t algorithm, const_dnnl_memory_desc_t from,
        const_dnnl_memory_desc_t to, shape strides, shape kernel, shape dilations, shape begins, shape ends,
        const_dnnl_primitive_attr_t attribute),
       (made, engine, kind, algorithm, from, to, strides, kernel, dilations, begins, ends, attribute), descriptors++)
STATUS(dnnl_eltwise_forward_primitive_desc_create,
       (dnnl_primitive_desc_t * made, dnnl_engine_t engine, dnnl_prop_kind_t kind, dnnl_alg_kind_t algorithm, const_dnnl_memory_desc_t from,
        const_dnnl_memory_desc_t to, float a, float b, const_dnnl_primitive_attr_t attribute),
       (made, engine, kind, algorithm, from, to, a, b, attribute), descriptors++)
STATUS(dnnl_binary_primitive_desc_create,
       (dnnl_primitive_desc_t * made, dnnl_engine_t engine, dnnl_alg_kind_t algorithm, const_dnnl_memory_desc_t a, const_dnnl_memory_desc_t b,
        const_dnnl_memory_desc_t to, const_dnnl_primitive_attr_t attribute),
       (made, engine, algorithm, a, b, to, attribute), descriptors++)
STATUS(dnnl_softmax_forward_primitive_desc_create,
       (dnnl_primitive_desc_t * made, dnnl_engine_t engine, dnnl_prop_kind_t kind, dnnl_alg_kind_t algorithm, const_dnnl_memory_desc_t from,
        const_dnnl_memory_desc_t to, int axis, const_dnnl_primitive_attr_t attribute),
       (made, engine, kind, algorithm, from, to, axis, attribute), descriptors++)
STATUS(dnnl_matmul_primitive_desc_create,
       (dnnl_primitive_desc_t * made, dnnl_engine_t engine, const_dnnl_memory_desc_t a, const_dnnl_memory_desc_t b,
        const_dnnl_memory_desc_t bias, const_dnnl_memory_desc_t to, const_dnnl_primitive_attr_t attribute),
       (made, engine, a, b, bias, to, attribute), descriptors++)
#else
typedef const dnnl_memory_desc_t *description;
typedef dnnl_dims_t const shape;
STATUS(dnnl_memory_create, (dnnl_memory_t * made, description desc, dnnl_engine_t engine, void *data), (made, desc, engine, data), memories++)
STATUS(dnnl_memory_desc_init_by_strides,
       (dnnl_memory_desc_t * made, int rank, shape sizes, dnnl_data_type_t type, shape strides), (made, rank, sizes, type, strides),
       (void)0)
STATUS(dnnl_memory_desc_init_by_tag, (dnnl_memory_desc_t * made, int rank, shape sizes, dnnl_data_type_t type, dnnl_format_tag_t tag),
       (made, rank, sizes, type, tag), (void)0)
STATUS(dnnl_primitive_attr_set_output_scales, (dnnl_primitive_attr_t attribute, dnnl_dim_t count, int mask, const float *values),
       (attribute, count, mask, values), (void)0)
STATUS(dnnl_primitive_attr_set_zero_points,
       (dnnl_primitive_attr_t attribute, int argument, dnnl_dim_t count, int mask, const int32_t *values),
       (attribute, argument, count, mask, values), (void)0)
STATUS(dnnl_post_ops_append_eltwise, (dnnl_post_ops_t made, float scale, dnnl_alg_kind_t kind, float a, float b),
       (made, scale, kind, a, b), (void)0)
STATUS(dnnl_post_ops_append_binary, (dnnl_post_ops_t made, dnnl_alg_kind_t kind, description desc), (made, kind, desc), (void)0)
STATUS(dnnl_post_ops_append_sum_v3, (dnnl_post_ops_t made, float scale, int32_t zero, dnnl_data_type_t type), (made, scale, zero, type),
       (void)0)
STATUS(dnnl_primitive_desc_iterator_create,
       (dnnl_primitive_desc_iterator_t * made, const_dnnl_op_desc_t desc, const_dnnl_primitive_attr_t attribute, dnnl_engine_t engine,
        const_dnnl_primitive_desc_t hint),
       (made, desc, attribute, engine, hint), choices++)
STATUS(dnnl_primitive_desc_iterator_next, (dnnl_primitive_desc_iterator_t choice), (choice), (void)0)
DESTROY(dnnl_primitive_desc_iterator_destroy, dnnl_primitive_desc_iterator_t, choices)
STATUS(dnnl_reorder_primitive_desc_create,
       (dnnl_primitive_desc_t * made, description from, dnnl_engine_t from_engine, description to, dnnl_engine_t to_engine,
        const_dnnl_primitive_attr_t attribute),
       (made, from, from_engine, to, to_engine, attribute), descriptors++)
STATUS(dnnl_dilated_convolution_forward_desc_init,
       (dnnl_convolution_desc_t * made, dnnl_prop_kind_t kind, dnnl_alg_kind_t algorithm, description from, description weights,
        description bias, description to, shape strides, shape dilations, shape begins, shape ends),
       (made, kind, algorithm, from, weights, bias, to, strides, dilations, begins, ends), (void)0)
STATUS(dnnl_pooling_v2_forward_desc_init,
       (dnnl_pooling_v2_desc_t * made, dnnl_prop_kind_t kind, dnnl_alg_kind_t algorithm, description from, description to, shape strides,
        shape kernel, shape dilations, shape begins, shape ends),
       (made, kind, algorithm, from, to, strides, kernel, dilations, begins, ends), (void)0)
STATUS(dnnl_eltwise_forward_desc_init,
       (dnnl_eltwise_desc_t * made, dnnl_prop_kind_t kind, dnnl_alg_kind_t algorithm, description tensor, float a, float b),
       (made, kind, algorithm, tensor, a, b), (void)0)
STATUS(dnnl_binary_desc_init, (dnnl_binary_desc_t * made, dnnl_alg_kind_t kind, description a, description b, description to),
       (made, kind, a, b, to), (void)0)
STATUS(dnnl_softmax_forward_desc_init, (dnnl_softmax_desc_t * made, dnnl_prop_kind_t kind, description tensor, int axis),
       (made, kind, tensor, axis), (void)0)
STATUS(dnnl_matmul_desc_init, (dnnl_matmul_desc_t * made, description a, description b, description bias, description to),
       (made, a, b, bias, to), (void)0)

/* Has no status; NULL is its failure. */
dnnl_primitive_desc_t dnnl_primitive_desc_iterator_fetch(const_dnnl_primitive_desc_iterator_t choice) {
    static dnnl_primitive_desc_t (*next)(const_dnnl_primitive_desc_iterator_t);
    if (next == NULL) *(void **)&next = next_function("dnnl_primitive_desc_iterator_fetch");
    if (fails()) return NULL;
    dnnl_primitive_desc_t found = next(choice);
    if (found != NULL) descriptors++;
    return found;
}
#endif

/* All but the engine, which stays for the life of the process. */
static long live_objects(void) { return streams + memories + attributes + post_operations + descriptors + choices + primitives; }

/* MARK: the calls */

/* x [N,2,2,2] goes through what oneDNN computes: convolution with an addition and a clip, pooling, functions of one and of two, a matrix product,
 * softmax, conversions. y [N,2]. */
static const char operations[] =
    "{'operator_set':17,"
    "'inputs':[{'name':'x','dtype':'float32','shape':['N',2,2,2]}],"
    "'outputs':[{'name':'y','dtype':'float32','shape':['N',2]}],"
    "'nodes':["
    "{'operator':'Conv','inputs':['x'],'outputs':['c'],'layer':'conv'},"
    "{'operator':'Add','inputs':['c','x'],'outputs':['s']},"
    "{'operator':'Relu','inputs':['s'],'outputs':['r']},"
    "{'operator':'MaxPool','inputs':['r'],'outputs':['m'],'attributes':{'kernel_shape':[2,2],'pads':[0,0,1,1]}},"
    "{'operator':'Sigmoid','inputs':['m'],'outputs':['a']},"
    "{'operator':'Mul','inputs':['a','r'],'outputs':['b']},"
    "{'operator':'MatMul','inputs':['a','b'],'outputs':['d']},"
    "{'operator':'Softmax','inputs':['d'],'outputs':['e'],'attributes':{'axis':1}},"
    "{'operator':'GlobalAveragePool','inputs':['e'],'outputs':['p']},"
    "{'operator':'Flatten','inputs':['p'],'outputs':['features'],'attributes':{'axis':1}},"
    "{'operator':'Gemm','inputs':['features'],'outputs':['y'],'layer':'classifier'}],"
    "'values':{'x':{'scale':0.5,'zero_point':2},'r':{'scale':0.0625,'zero_point':0},'features':{'scale':0.125,'zero_point':0}}}";

static multipoint_model *models[2];
static multipoint_layer *layer;
static float expected[2][2];

static multipoint_status run(multipoint_session *session, int which, int64_t batch) {
    float images[3][8], results[3][2] = {{0}};
    for (int64_t i = 0; i < batch; i++) memcpy(images[i], sample_image, sizeof sample_image);
    const int64_t image_shape[] = {batch, 2, 2, 2}, result_shape[] = {batch, 2};
    multipoint_tensor input = {images, (size_t)batch * 32, MULTIPOINT_F32, 4, image_shape, NULL};
    multipoint_tensor output = {results, (size_t)batch * 8, MULTIPOINT_F32, 2, result_shape, NULL};
    multipoint_status status = multipoint_session_run(session, &input, 1, &output, 1);
    is_watching = 0;
    if (status == MULTIPOINT_OK && expected[which][1] != 0) CHECK_FLOATS(results[batch - 1], expected[which], 2);
    if (status == MULTIPOINT_OK && expected[which][1] == 0) memcpy(expected[which], results[batch - 1], 8);
    return status;
}

static multipoint_status create(int which, multipoint_session **session) {
    multipoint_session_options options = {.struct_size = sizeof options, .maximum_batch = 3, .threads = 1};
    return multipoint_session_create(models[which], &options, session);
}

/* What failed, in words. */
static char message[512];

static multipoint_status create_session(int which) {
    multipoint_session *session = NULL;
    is_watching = 1;
    multipoint_status status = create(which, &session);
    is_watching = 0;
    snprintf(message, sizeof message, "%s", multipoint_last_error());
    CHECK((session == NULL) == (status != MULTIPOINT_OK));
    failing = 0;
    if (session != NULL) CHECK(run(session, which, 3) == MULTIPOINT_OK);
    multipoint_session_destroy(session);
    return status;
}

/* Of a batch that was compiled before or not; the session is good afterwards in any case. */
static multipoint_status run_session(int which, int64_t batch) {
    multipoint_session *session = NULL;
    const long wanted = failing;
    failing = 0;
    if (!CHECK(create(which, &session) == MULTIPOINT_OK)) return MULTIPOINT_INTERNAL_ERROR;
    failing = wanted;
    is_watching = 1;
    multipoint_status status = run(session, which, batch);
    is_watching = 0;
    snprintf(message, sizeof message, "%s", multipoint_last_error());
    failing = 0;
    CHECK(run(session, which, batch) == MULTIPOINT_OK);
    CHECK(run(session, which, 3) == MULTIPOINT_OK);
    multipoint_session_destroy(session);
    return status;
}

static multipoint_status first_run(int which) { return run_session(which, 2); }
static multipoint_status later_run(int which) { return run_session(which, 3); }

static multipoint_status create_plan(multipoint_plan **plan) {
    multipoint_plan_options options = {.struct_size = sizeof options, .height = 2, .width = 2, .threads = 1};
    options.residual_dtype = MULTIPOINT_F32;
    options.activation = MULTIPOINT_RELU;
    return multipoint_plan_create(layer, &options, plan);
}

static multipoint_status execute(const multipoint_plan *plan) {
    float result[8] = {0};
    const float zeros[8] = {0};
    const int64_t shape_of_all[] = {1, 2, 2, 2};
    multipoint_tensor source = {(void *)sample_image, sizeof sample_image, MULTIPOINT_F32, 4, shape_of_all, NULL};
    multipoint_tensor residual = {(void *)zeros, sizeof zeros, MULTIPOINT_F32, 4, shape_of_all, NULL};
    multipoint_tensor destination = {result, sizeof result, MULTIPOINT_F32, 4, shape_of_all, NULL};
    multipoint_status status = multipoint_plan_execute(plan, &source, &residual, &destination, NULL);
    is_watching = 0;
    if (status == MULTIPOINT_OK) CHECK_FLOATS(result, ((const float[]){1.8125f, 2.6875f, 3.5f, 4.5f, 1, 3, 4, 8}), 8);
    return status;
}

static multipoint_status create_and_destroy_plan(int which) {
    (void)which;
    multipoint_plan *plan = NULL;
    is_watching = 1;
    multipoint_status status = create_plan(&plan);
    is_watching = 0;
    snprintf(message, sizeof message, "%s", multipoint_last_error());
    CHECK((plan == NULL) == (status != MULTIPOINT_OK));
    failing = 0;
    if (plan != NULL) CHECK(execute(plan) == MULTIPOINT_OK);
    multipoint_plan_destroy(plan);
    return status;
}

static multipoint_status execute_plan(int which) {
    (void)which;
    multipoint_plan *plan = NULL;
    const long wanted = failing;
    failing = 0;
    if (!CHECK(create_plan(&plan) == MULTIPOINT_OK)) return MULTIPOINT_INTERNAL_ERROR;
    failing = wanted;
    is_watching = 1;
    multipoint_status status = execute(plan);
    is_watching = 0;
    snprintf(message, sizeof message, "%s", multipoint_last_error());
    failing = 0;
    CHECK(execute(plan) == MULTIPOINT_OK);
    multipoint_plan_destroy(plan);
    return status;
}

/* MARK: each in turn */

static void fail_each(const char *name, multipoint_status (*call)(int), int which, dnnl_status_t reason, multipoint_status expected_status) {
    failing = 0;
    CHECK(call(which) == MULTIPOINT_OK);
    const long before = live_objects();
    long number = 0, refused = 0, tolerated = 0;
    for (;;) {
        calls_made = 0;
        has_failed = 0;
        failure = reason;
        failing = ++number;
        multipoint_status status = call(which);
        failing = 0;
        if (!has_failed) break;
        if (status == MULTIPOINT_OK) tolerated++;
        /* A description that is missing counts as no memory, whatever the reason. */
        else if (CHECK((status == expected_status || status == MULTIPOINT_OUT_OF_MEMORY) && message[0] != '\0')) refused++;
        else printf("    %s, call %ld: %s, \"%s\"\n", name, number, multipoint_status_string(status), message);
        if (!CHECK(live_objects() == before)) {
            printf("    %s, call %ld: %ld objects more: %ld streams, %ld memories, %ld attributes, %ld post-operations, %ld descriptors, "
                   "%ld choices, %ld primitives\n", name, number, live_objects() - before, streams, memories, attributes, post_operations,
                   descriptors, choices, primitives);
            break;
        }
        CHECK(call(which) == MULTIPOINT_OK);
    }
    printf("%-15s network %d, status %d: %4ld failures: %ld refused, %ld done without\n", name, which, (int)reason, number - 1, refused,
           tolerated);
}

int main(void) {
    byte_string files[2];
    files[0] = sample_network();
    files[1] = sample_layers_with_graph(operations);
    for (int which = 0; which < 2; which++) {
        if (!CHECK_OK(multipoint_model_open_memory(files[which].bytes, files[which].count, NULL, &models[which]))) {
            return check_summary("oneDNN failures");
        }
    }
    memcpy(expected[0], sample_result, sizeof sample_result);
    CHECK_OK(multipoint_layer_from_model(models[0], "conv", &layer));
    const struct { const char *name; multipoint_status (*call)(int); int networks; } calls[] = {
        {"create session", create_session, 2}, {"first run", first_run, 2}, {"later run", later_run, 2},
        {"create plan", create_and_destroy_plan, 1}, {"execute plan", execute_plan, 1},
    };
    const struct { dnnl_status_t reason; multipoint_status expected; } reasons[] = {
        {dnnl_out_of_memory, MULTIPOINT_OUT_OF_MEMORY},
        {dnnl_unimplemented, MULTIPOINT_UNSUPPORTED},
        {dnnl_runtime_error, MULTIPOINT_INTERNAL_ERROR},
    };
    /* Before anything else: the engine is made again where it could not be made the first time. */
    failure = dnnl_out_of_memory;
    failing = 1;
    CHECK(create_session(0) == MULTIPOINT_OUT_OF_MEMORY && engines == 0);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        for (int which = 0; which < calls[i].networks; which++) {
            for (size_t j = 0; j < 3; j++) fail_each(calls[i].name, calls[i].call, which, reasons[j].reason, reasons[j].expected);
        }
    }
    CHECK(engines == 1);
    multipoint_layer_destroy(layer);
    for (int which = 0; which < 2; which++) {
        multipoint_model_destroy(models[which]);
        byte_string_free(files[which]);
    }
    if (!CHECK(live_objects() == 0)) printf("    %ld objects are left\n", live_objects());
    return check_summary("oneDNN failures");
}
