/* What is in a file: descriptions, callbacks, lifetimes. */
#include "check.h"
#include "packed_file.h"

#include <stdlib.h>

static multipoint_model *opened(byte_string file) {
    multipoint_model *model = NULL;
    CHECK_OK(multipoint_model_open_memory(file.bytes, file.count, NULL, &model));
    if (model == NULL) exit(check_summary("models"));
    return model;
}

static void test_network(const multipoint_model *model) {
    CHECK(strcmp(multipoint_model_name(model), "sample") == 0);
    CHECK(multipoint_model_has_graph(model) == 1);
    CHECK(multipoint_model_input_count(model) == 1 && multipoint_model_output_count(model) == 1);

    multipoint_value_info value;
    memset(&value, 0xEE, sizeof value);
    value.struct_size = sizeof value;
    if (CHECK_OK(multipoint_model_input(model, 0, &value))) {
        CHECK(strcmp(value.name, "x") == 0 && value.dtype == MULTIPOINT_F32 && value.rank == 4);
        const int64_t dimensions[MULTIPOINT_MAX_RANK] = {-1, 2, 2, 2};
        CHECK(memcmp(value.dimensions, dimensions, sizeof dimensions) == 0);
        CHECK(value.scale == 0.5f && value.zero_point == 2);
        CHECK(value.struct_size == sizeof value);
    }
    if (CHECK_OK(multipoint_model_output(model, 0, &value))) {
        CHECK(strcmp(value.name, "y") == 0 && value.rank == 2 && value.dimensions[0] == -1 && value.dimensions[1] == 2);
        CHECK(value.scale == 0 && value.zero_point == 0);
    }
    CHECK_FAILS(multipoint_model_input(model, 1, &value), MULTIPOINT_NOT_FOUND, "input 1");
    CHECK_FAILS(multipoint_model_output(model, (size_t)-1, &value), MULTIPOINT_NOT_FOUND, "output");
    CHECK(strcmp(value.name, "y") == 0);
}

static void test_conv(const multipoint_model *model) {
    multipoint_layer_info info = {0};
    info.struct_size = sizeof info;
    if (!CHECK_OK(multipoint_model_layer(model, 0, &info))) return;
    CHECK(strcmp(info.name, "conv") == 0 && info.op == MULTIPOINT_CONV && info.rank == 4);
    const int64_t shape[] = {2, 2, 1, 1}, ones[] = {1, 1}, zeros[] = {0, 0, 0, 0};
    CHECK(memcmp(info.shape, shape, sizeof shape) == 0);
    CHECK(memcmp(info.strides, ones, sizeof ones) == 0 && memcmp(info.dilations, ones, sizeof ones) == 0);
    CHECK(memcmp(info.pads, zeros, sizeof zeros) == 0);
    CHECK(info.group == 1 && info.channels == 2 && info.row_length == 2);
    CHECK(info.is_float == 0 && info.has_bias == 1);
    CHECK(info.points == 3 && info.maximum_points == 2 && info.base_bits == 1);
    /* The scales 0.5 and 0.375 are in no integer ratio: the second point stays a row of its own. */
    CHECK(info.rows == 3 && info.folded_rows == 0);
    CHECK(info.input_scale == 0.5f && info.input_zero_point == 2);
    CHECK(info.output_scale == 0 && info.output_zero_point == 0);
    /* points 2, codes 2 + 1, codebooks 2 + 2, scales 12, bias 8 bytes; the bias is no weight */
    CHECK(info.bytes == 29);
    CHECK(info.bits_per_weight == (29 - 8) * 8 / 4.0);
    CHECK(strstr(info.execution, "1 extra row") != NULL);
}

static void test_classifier(const multipoint_model *model) {
    multipoint_layer_info info = {0};
    info.struct_size = sizeof info;
    if (!CHECK_OK(multipoint_model_layer(model, 1, &info))) return;
    CHECK(strcmp(info.name, "classifier") == 0 && info.op == MULTIPOINT_GEMM && info.rank == 2);
    const int64_t shape[] = {2, 2, 0, 0}, ones[] = {1, 1};
    CHECK(memcmp(info.shape, shape, sizeof shape) == 0 && memcmp(info.strides, ones, sizeof ones) == 0);
    CHECK(info.points == 3 && info.rows == 2 && info.folded_rows == 1);
    CHECK(strcmp(info.execution, "one convolution") == 0 || strcmp(info.execution, "one matrix product") == 0);
    CHECK_FAILS(multipoint_model_layer(model, 2, &info), MULTIPOINT_NOT_FOUND, "layer 2");
}

static void test_weights_only(void) {
    byte_string file = sample_weights();
    multipoint_model *model = opened(file);
    byte_string_free(file);
    CHECK(multipoint_model_has_graph(model) == 0);
    CHECK(multipoint_model_input_count(model) == 0 && multipoint_model_output_count(model) == 0);
    CHECK(multipoint_model_layer_count(model) == 2);
    multipoint_session *session = NULL;
    CHECK_FAILS(multipoint_session_create(model, NULL, &session), MULTIPOINT_UNSUPPORTED, "graph");
    CHECK(session == NULL);
    multipoint_layer *layer = NULL;
    CHECK_FAILS(multipoint_layer_from_model(model, "cOnv", &layer), MULTIPOINT_NOT_FOUND, "cOnv");
    CHECK(layer == NULL);
    CHECK_OK(multipoint_layer_from_model(model, "conv", &layer));
    /* The layer outlives its model. */
    multipoint_model_destroy(model);
    multipoint_layer_info info = {0};
    info.struct_size = sizeof info;
    CHECK_OK(multipoint_layer_describe(layer, &info));
    CHECK(strcmp(info.name, "conv") == 0);
    multipoint_layer_destroy(layer);
}

typedef struct calls {
    int count, stop_at, is_in_order, messages;
    double last;
} calls;

static int progress(void *user_data, double fraction) {
    calls *seen = user_data;
    seen->is_in_order &= fraction >= seen->last && fraction >= 0 && fraction <= 1;
    seen->last = fraction;
    return ++seen->count == seen->stop_at;
}

static void log_message(void *user_data, multipoint_log_level level, const char *message) {
    calls *seen = user_data;
    seen->messages += message != NULL && (level == MULTIPOINT_LOG_INFO || level == MULTIPOINT_LOG_WARNING);
}

static void test_callbacks(byte_string file) {
    calls seen = {0, 0, 1, 0, 0};
    multipoint_model_options options = {
        .struct_size = sizeof options, .progress = progress, .log = log_message, .user_data = &seen};
    multipoint_model *model = NULL;
    CHECK_OK(multipoint_model_open_memory(file.bytes, file.count, &options, &model));
    CHECK(seen.count > 0 && seen.is_in_order && seen.last == 1);
    multipoint_model_destroy(model);

    /* Stopped at each of its calls. */
    for (int stop_at = 1, count = seen.count; stop_at <= count; stop_at++) {
        calls stopping = {0, stop_at, 1, 0, 0};
        options.user_data = &stopping;
        model = NULL;
        CHECK_FAILS(multipoint_model_open_memory(file.bytes, file.count, &options, &model), MULTIPOINT_CANCELLED, NULL);
        CHECK(model == NULL && stopping.count == stop_at);
    }
}

int main(void) {
    byte_string file = sample_network();
    multipoint_model *model = opened(file);
    test_callbacks(file);
    memset(file.bytes, 0, file.count); /* the model does not look at it any more */
    byte_string_free(file);
    test_network(model);
    CHECK(multipoint_model_layer_count(model) == 2);
    test_conv(model);
    test_classifier(model);
    multipoint_model_destroy(model);
    test_weights_only();
    return check_summary("models");
}
