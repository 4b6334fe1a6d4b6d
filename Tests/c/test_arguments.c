/* NULL for every pointer argument of every function, and structs of no size or a nonsensical one. */
#include "check.h"
#include "packed_file.h"
#include "sample_layers.h"

#include <stdlib.h>

#define NULL_REFUSED(call, name) CHECK_FAILS(call, MULTIPOINT_INVALID_ARGUMENT, name)

static multipoint_model *model;
static multipoint_session *session;
static multipoint_layer *layer;
static multipoint_plan *plan;
static multipoint_packing *packing;
static layer_parts parts;
static multipoint_plan_options plan_options;

static const size_t wrong_sizes[] = {0, 1, sizeof(size_t), 7777777, (size_t)-1};
enum { wrong_size_count = sizeof wrong_sizes / sizeof wrong_sizes[0] };

static int make_objects(void) {
    byte_string file = sample_network();
    const float matrix[] = {1, -2, 3, -4};
    memset(&plan_options, 0, sizeof plan_options);
    plan_options.struct_size = sizeof plan_options;
    plan_options.height = plan_options.width = 2;
    conv_1x1(&parts);
    int made = CHECK_OK(multipoint_model_open_memory(file.bytes, file.count, NULL, &model)) &&
               CHECK_OK(multipoint_session_create(model, NULL, &session)) &&
               CHECK_OK(multipoint_layer_create(&parts.descriptor, &layer)) &&
               CHECK_OK(multipoint_plan_create(layer, &plan_options, &plan)) &&
               CHECK_OK(multipoint_packing_create(matrix, 2, 2, NULL, &packing));
    byte_string_free(file);
    return made;
}

static void test_destroying_nothing(void) {
    multipoint_model_destroy(NULL);
    multipoint_session_destroy(NULL);
    multipoint_layer_destroy(NULL);
    multipoint_plan_destroy(NULL);
    multipoint_packing_destroy(NULL);
    CHECK(multipoint_model_name(NULL) == NULL);
    CHECK(multipoint_model_has_graph(NULL) == 0);
    CHECK(multipoint_model_input_count(NULL) == 0 && multipoint_model_output_count(NULL) == 0);
    CHECK(multipoint_model_layer_count(NULL) == 0);
    CHECK(multipoint_plan_workspace_size(NULL) == 0);
}

static void test_model_nulls(void) {
    multipoint_model *made = NULL;
    NULL_REFUSED(multipoint_model_open(NULL, NULL, &made), "path");
    NULL_REFUSED(multipoint_model_open("x.multipoint", NULL, NULL), "model");
    NULL_REFUSED(multipoint_model_open_memory(NULL, 10, NULL, &made), "data");
    NULL_REFUSED(multipoint_model_open_memory("x", 1, NULL, NULL), "model");
    CHECK_FAILS(multipoint_model_open_memory("x", (size_t)-1, NULL, &made), MULTIPOINT_INVALID_ARGUMENT, "byte_count");
    multipoint_value_info value = {0};
    value.struct_size = sizeof value;
    multipoint_layer_info info = {0};
    info.struct_size = sizeof info;
    NULL_REFUSED(multipoint_model_input(NULL, 0, &value), "model");
    NULL_REFUSED(multipoint_model_input(model, 0, NULL), "info");
    NULL_REFUSED(multipoint_model_output(NULL, 0, &value), "model");
    NULL_REFUSED(multipoint_model_output(model, 0, NULL), "info");
    NULL_REFUSED(multipoint_model_layer(NULL, 0, &info), "model");
    NULL_REFUSED(multipoint_model_layer(model, 0, NULL), "info");
    CHECK(made == NULL && value.name == NULL && info.name == NULL);
}

static void test_session_nulls(void) {
    multipoint_session *made = NULL;
    NULL_REFUSED(multipoint_session_create(NULL, NULL, &made), "model");
    NULL_REFUSED(multipoint_session_create(model, NULL, NULL), "session");
    float result[2];
    const int64_t image_shape[] = {1, 2, 2, 2}, result_shape[] = {1, 2};
    multipoint_tensor input = {(void *)sample_image, sizeof sample_image, MULTIPOINT_F32, 4, image_shape, NULL};
    multipoint_tensor output = {result, sizeof result, MULTIPOINT_F32, 2, result_shape, NULL};
    NULL_REFUSED(multipoint_session_run(NULL, &input, 1, &output, 1), "session");
    NULL_REFUSED(multipoint_session_run(session, NULL, 1, &output, 1), "inputs");
    NULL_REFUSED(multipoint_session_run(session, &input, 1, NULL, 1), "outputs");
    multipoint_session_info info = {0};
    info.struct_size = sizeof info;
    multipoint_step_info step = {0};
    step.struct_size = sizeof step;
    NULL_REFUSED(multipoint_session_describe(NULL, &info), "session");
    NULL_REFUSED(multipoint_session_describe(session, NULL), "info");
    NULL_REFUSED(multipoint_session_step(NULL, 0, &step), "session");
    NULL_REFUSED(multipoint_session_step(session, 0, NULL), "info");
    multipoint_profile_info profile = {0};
    profile.struct_size = sizeof profile;
    multipoint_step_profile profiled = {0};
    profiled.struct_size = sizeof profiled;
    NULL_REFUSED(multipoint_session_start_profile(NULL), "session");
    NULL_REFUSED(multipoint_session_stop_profile(NULL), "session");
    NULL_REFUSED(multipoint_session_profile(NULL, &profile), "session");
    NULL_REFUSED(multipoint_session_profile(session, NULL), "info");
    NULL_REFUSED(multipoint_session_profile_step(NULL, 0, &profiled), "session");
    NULL_REFUSED(multipoint_session_profile_step(session, 0, NULL), "step");
    CHECK(made == NULL);
}

static void test_layer_nulls(void) {
    multipoint_layer *made = NULL;
    NULL_REFUSED(multipoint_layer_from_model(NULL, "conv", &made), "model");
    NULL_REFUSED(multipoint_layer_from_model(model, NULL, &made), "name");
    NULL_REFUSED(multipoint_layer_from_model(model, "conv", NULL), "layer");
    NULL_REFUSED(multipoint_layer_create(NULL, &made), "descriptor");
    NULL_REFUSED(multipoint_layer_create(&parts.descriptor, NULL), "layer");
    multipoint_layer_info info = {0};
    info.struct_size = sizeof info;
    multipoint_rows rows = {0};
    rows.struct_size = sizeof rows;
    NULL_REFUSED(multipoint_layer_describe(NULL, &info), "layer");
    NULL_REFUSED(multipoint_layer_describe(layer, NULL), "info");
    NULL_REFUSED(multipoint_layer_rows(NULL, &rows), "layer");
    NULL_REFUSED(multipoint_layer_rows(layer, NULL), "rows");
    CHECK(made == NULL);
}

static void test_plan_nulls(void) {
    multipoint_plan *made = NULL;
    NULL_REFUSED(multipoint_plan_create(NULL, &plan_options, &made), "layer");
    NULL_REFUSED(multipoint_plan_create(layer, NULL, &made), "options");
    NULL_REFUSED(multipoint_plan_create(layer, &plan_options, NULL), "plan");
    multipoint_plan_info info = {0};
    info.struct_size = sizeof info;
    NULL_REFUSED(multipoint_plan_describe(NULL, &info), "plan");
    NULL_REFUSED(multipoint_plan_describe(plan, NULL), "info");
    float result[8];
    const int64_t shape[] = {1, 2, 2, 2};
    multipoint_tensor source = {(void *)sample_image, sizeof sample_image, MULTIPOINT_F32, 4, shape, NULL};
    multipoint_tensor destination = {result, sizeof result, MULTIPOINT_F32, 4, shape, NULL};
    NULL_REFUSED(multipoint_plan_execute(NULL, &source, NULL, &destination, NULL), "plan");
    NULL_REFUSED(multipoint_plan_execute(plan, NULL, NULL, &destination, NULL), "source");
    NULL_REFUSED(multipoint_plan_execute(plan, &source, NULL, NULL, NULL), "destination");
    CHECK(made == NULL);
}

static void test_packing_nulls(void) {
    multipoint_packing *made = NULL;
    const float matrix[] = {1, 2};
    double errors[2];
    multipoint_weights weights = {0};
    weights.struct_size = sizeof weights;
    NULL_REFUSED(multipoint_packing_create(NULL, 1, 2, NULL, &made), "matrix");
    NULL_REFUSED(multipoint_packing_create(matrix, 1, 2, NULL, NULL), "packing");
    NULL_REFUSED(multipoint_packing_weights(NULL, &weights), "packing");
    NULL_REFUSED(multipoint_packing_weights(packing, NULL), "weights");
    NULL_REFUSED(multipoint_packing_errors(NULL, errors, 2), "packing");
    NULL_REFUSED(multipoint_packing_errors(packing, NULL, 2), "errors");
    CHECK(made == NULL);
}

/* Structs that the library fills. */
static void test_described_struct_sizes(void) {
    for (int i = 0; i < wrong_size_count; i++) {
        multipoint_value_info value = {0};
        multipoint_layer_info info = {0};
        multipoint_session_info session_info = {0};
        multipoint_step_info step = {0};
        multipoint_profile_info profile = {0};
        multipoint_step_profile profiled = {0};
        multipoint_rows rows = {0};
        multipoint_plan_info plan_info = {0};
        multipoint_weights weights = {0};
        value.struct_size = info.struct_size = session_info.struct_size = step.struct_size = rows.struct_size =
            plan_info.struct_size = weights.struct_size = profile.struct_size = profiled.struct_size = wrong_sizes[i];
        NULL_REFUSED(multipoint_model_input(model, 0, &value), "struct_size");
        NULL_REFUSED(multipoint_model_output(model, 0, &value), "struct_size");
        NULL_REFUSED(multipoint_model_layer(model, 0, &info), "struct_size");
        NULL_REFUSED(multipoint_session_describe(session, &session_info), "struct_size");
        NULL_REFUSED(multipoint_session_step(session, 0, &step), "struct_size");
        NULL_REFUSED(multipoint_session_profile(session, &profile), "struct_size");
        NULL_REFUSED(multipoint_session_profile_step(session, 0, &profiled), "struct_size");
        NULL_REFUSED(multipoint_layer_describe(layer, &info), "struct_size");
        NULL_REFUSED(multipoint_layer_rows(layer, &rows), "struct_size");
        NULL_REFUSED(multipoint_plan_describe(plan, &plan_info), "struct_size");
        NULL_REFUSED(multipoint_packing_weights(packing, &weights), "struct_size");
        CHECK(value.name == NULL && info.name == NULL && rows.values == NULL && weights.points == NULL);
    }
}

/* Options of a program that was compiled when they were shorter: nothing beyond them is read. */
static void test_options_of_an_older_program(void) {
    enum { model_options_size = 32, session_options_size = 24 };
    byte_string file = sample_network();
    size_t *old_model_options = calloc(1, model_options_size), *old_session_options = calloc(1, session_options_size);
    multipoint_model *opened = NULL;
    multipoint_session *made = NULL;
    if (old_model_options == NULL || old_session_options == NULL) exit(2);
    *old_model_options = model_options_size;
    *old_session_options = session_options_size;
    if (CHECK_OK(multipoint_model_open_memory(file.bytes, file.count, (const void *)old_model_options, &opened))) {
        CHECK_OK(multipoint_session_create(opened, (const void *)old_session_options, &made));
    }
    multipoint_session_destroy(made);
    multipoint_model_destroy(opened);
    free(old_session_options);
    free(old_model_options);
    byte_string_free(file);
}

/* Structs that the caller fills. */
static void test_option_struct_sizes(void) {
    for (int i = 0; i < wrong_size_count; i++) {
        byte_string file = sample_network();
        multipoint_model_options model_options = {0};
        multipoint_model *made_model = NULL;
        model_options.struct_size = wrong_sizes[i];
        NULL_REFUSED(multipoint_model_open_memory(file.bytes, file.count, &model_options, &made_model), "struct_size");
        byte_string_free(file);
        multipoint_session_options session_options = {0};
        multipoint_session *made_session = NULL;
        session_options.struct_size = wrong_sizes[i];
        NULL_REFUSED(multipoint_session_create(model, &session_options, &made_session), "struct_size");
        multipoint_plan_options options = plan_options;
        multipoint_plan *made_plan = NULL;
        options.struct_size = wrong_sizes[i];
        NULL_REFUSED(multipoint_plan_create(layer, &options, &made_plan), "struct_size");
        multipoint_packing_options packing_options = {0};
        multipoint_packing *made_packing = NULL;
        const float matrix[] = {1, 2};
        packing_options.struct_size = wrong_sizes[i];
        NULL_REFUSED(multipoint_packing_create(matrix, 1, 2, &packing_options, &made_packing), "struct_size");
        layer_parts wrong;
        multipoint_layer *made_layer = NULL;
        conv_1x1(&wrong);
        wrong.descriptor.struct_size = wrong_sizes[i];
        NULL_REFUSED(multipoint_layer_create(&wrong.descriptor, &made_layer), "struct_size");
        conv_1x1(&wrong);
        wrong.weights.struct_size = wrong_sizes[i];
        NULL_REFUSED(multipoint_layer_create(&wrong.descriptor, &made_layer), "struct_size");
        CHECK(made_model == NULL && made_session == NULL && made_plan == NULL && made_packing == NULL && made_layer == NULL);
    }
}

/* A program compiled against a later header passes a larger struct: fine as long as what this version does not know is zero. */
static void test_larger_struct(void) {
    struct {
        multipoint_session_options known;
        int64_t later;
    } larger;
    memset(&larger, 0, sizeof larger);
    larger.known.struct_size = sizeof larger;
    multipoint_session *made = NULL;
    if (CHECK_OK(multipoint_session_create(model, &larger.known, &made))) multipoint_session_destroy(made);
    made = NULL;
    larger.later = 1;
    NULL_REFUSED(multipoint_session_create(model, &larger.known, &made), "options");
    CHECK(made == NULL);
}

int main(void) {
    if (make_objects()) {
        test_model_nulls();
        test_session_nulls();
        test_layer_nulls();
        test_plan_nulls();
        test_packing_nulls();
        test_described_struct_sizes();
        test_options_of_an_older_program();
    test_option_struct_sizes();
        test_larger_struct();
    }
    test_destroying_nothing();
    multipoint_packing_destroy(packing);
    multipoint_plan_destroy(plan);
    multipoint_layer_destroy(layer);
    multipoint_session_destroy(session);
    multipoint_model_destroy(model);
    return check_summary("arguments");
}
