#define _POSIX_C_SOURCE 200809L
#include "expected_results.h"

#include "random_network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *allocate(size_t count) {
    void *memory = malloc(count > 0 ? count : 1);
    if (memory == NULL) exit(2);
    return memory;
}

/* What one thread cannot do, many need not try. */
static void require(multipoint_status status, const char *what) {
    if (status == MULTIPOINT_OK) return;
    fprintf(stderr, "%s: %s\n", what, multipoint_last_error());
    exit(2);
}

static size_t sample_size(const multipoint_value_info *value) {
    size_t count = 1;
    for (int axis = 1; axis < value->rank; axis++) count *= (size_t)value->dimensions[axis];
    return count;
}

/* ---- Networks ---- */

static multipoint_status run(const expected_network *expected, multipoint_session *session, int64_t batch, float *images,
                             float *results) {
    int64_t input_shape[MULTIPOINT_MAX_RANK], output_shape[MULTIPOINT_MAX_RANK];
    memcpy(input_shape, expected->input.dimensions, sizeof input_shape);
    memcpy(output_shape, expected->output.dimensions, sizeof output_shape);
    input_shape[0] = output_shape[0] = batch;
    size_t images_size = (size_t)batch * expected->input_count * sizeof(float);
    size_t results_size = (size_t)batch * expected->output_count * sizeof(float);
    multipoint_tensor input = {images, images_size, MULTIPOINT_F32, expected->input.rank, input_shape, NULL};
    multipoint_tensor output = {results, results_size, MULTIPOINT_F32, expected->output.rank, output_shape, NULL};
    return multipoint_session_run(session, &input, 1, &output, 1);
}

static void fill_images(expected_network *expected) {
    uint64_t state = 1;
    size_t count = expected_images * expected->input_count;
    float scale = expected->input.scale, low = -scale * (float)expected->input.zero_point;
    /* All that 8 bits hold, and somewhat more. */
    for (size_t i = 0; i < count; i++) expected->images[i] = random_float(&state, low - 3 * scale, low + 258 * scale);
}

void expect_network(expected_network *expected, byte_string file, const char *path) {
    multipoint_model *model = NULL;
    multipoint_session *session = NULL;
    memset(expected, 0, sizeof *expected);
    expected->file = file;
    expected->path = path;
    expected->input.struct_size = expected->output.struct_size = sizeof expected->input;
    require(multipoint_model_open_memory(file.bytes, file.count, NULL, &model), "open");
    require(multipoint_model_input(model, 0, &expected->input), "input");
    require(multipoint_model_output(model, 0, &expected->output), "output");
    /* The model's strings end with it. */
    expected->input.name = expected->output.name = NULL;
    expected->input_count = sample_size(&expected->input);
    expected->output_count = sample_size(&expected->output);
    expected->layer_count = multipoint_model_layer_count(model);
    expected->images = allocate(expected_images * expected->input_count * sizeof(float));
    expected->results = allocate(expected_images * expected->output_count * sizeof(float));
    fill_images(expected);
    multipoint_session_options options = {0};
    options.struct_size = sizeof options;
    options.threads = 1;
    require(multipoint_session_create(model, &options, &session), "session");
    for (size_t i = 0; i < expected_images; i++) {
        float *image = expected->images + i * expected->input_count, *result = expected->results + i * expected->output_count;
        require(run(expected, session, 1, image, result), "run");
        /* Results that are alike could not be told apart. */
        if (i > 0 && memcmp(result, expected->results, expected->output_count * sizeof(float)) == 0) {
            fprintf(stderr, "two images have the same result\n");
            exit(2);
        }
    }
    multipoint_session_destroy(session);
    multipoint_model_destroy(model);
}

int run_as_expected(const expected_network *expected, multipoint_session *session, int64_t batch, size_t first) {
    size_t image_size = expected->input_count * sizeof(float), result_size = expected->output_count * sizeof(float);
    float *images = allocate((size_t)batch * image_size), *results = allocate((size_t)batch * result_size);
    int as_expected = 1;
    for (size_t i = 0; i < (size_t)batch; i++) {
        size_t image = (first + i) % expected_images;
        memcpy(images + i * expected->input_count, expected->images + image * expected->input_count, image_size);
    }
    memset(results, 0xFF, (size_t)batch * result_size);
    as_expected &= run(expected, session, batch, images, results) == MULTIPOINT_OK;
    for (size_t i = 0; i < (size_t)batch; i++) {
        const float *alone = expected->results + (first + i) % expected_images * expected->output_count;
        as_expected &= memcmp(results + i * expected->output_count, alone, result_size) == 0;
    }
    free(images);
    free(results);
    return as_expected;
}

int described_as_expected(const expected_network *expected, const multipoint_model *model) {
    multipoint_value_info input = {0}, output = {0};
    input.struct_size = output.struct_size = sizeof input;
    int as_expected = multipoint_model_name(model) != NULL && multipoint_model_has_graph(model) == 1 &&
                      multipoint_model_input(model, 0, &input) == MULTIPOINT_OK &&
                      multipoint_model_output(model, 0, &output) == MULTIPOINT_OK &&
                      multipoint_model_layer_count(model) == expected->layer_count;
    as_expected = as_expected && memcmp(input.dimensions, expected->input.dimensions, sizeof input.dimensions) == 0 &&
                  memcmp(output.dimensions, expected->output.dimensions, sizeof output.dimensions) == 0;
    for (size_t i = 0; as_expected && i < expected->layer_count; i++) {
        multipoint_layer_info info = {0};
        info.struct_size = sizeof info;
        as_expected = multipoint_model_layer(model, i, &info) == MULTIPOINT_OK && info.name[0] != '\0' && info.execution[0] != '\0';
    }
    return as_expected;
}

void expected_network_free(expected_network *expected) {
    byte_string_free(expected->file);
    free(expected->images);
    free(expected->results);
}

/* ---- Layers ---- */

static size_t element_count(const int64_t *shape, int32_t rank) {
    size_t count = 1;
    for (int axis = 0; axis < rank; axis++) count *= (size_t)shape[axis];
    return count;
}

static multipoint_status execute(const expected_layer *expected, const multipoint_plan *plan, unsigned char *result,
                                 void *workspace) {
    multipoint_tensor source = {
        expected->source, expected->source_bytes, MULTIPOINT_U8, expected->rank, expected->source_shape, NULL};
    multipoint_tensor destination = {
        result, expected->destination_bytes, expected->options.destination_dtype, expected->rank, expected->destination_shape, NULL};
    return multipoint_plan_execute(plan, &source, NULL, &destination, workspace);
}

static void size_layer(expected_layer *expected, const multipoint_plan *plan) {
    multipoint_plan_info info = {0};
    info.struct_size = sizeof info;
    require(multipoint_plan_describe(plan, &info), "describe a plan");
    expected->rank = info.rank;
    memcpy(expected->source_shape, info.source_dimensions, sizeof expected->source_shape);
    memcpy(expected->destination_shape, info.destination_dimensions, sizeof expected->destination_shape);
    size_t element = expected->options.destination_dtype == MULTIPOINT_U8 ? 1 : 4;
    expected->source_bytes = element_count(info.source_dimensions, info.rank);
    expected->destination_bytes = element_count(info.destination_dimensions, info.rank) * element;
    expected->source = allocate(expected->source_bytes);
    expected->destination = allocate(expected->destination_bytes);
    uint64_t state = 2;
    for (size_t i = 0; i < expected->source_bytes; i++) expected->source[i] = (unsigned char)random_below(&state, 256);
}

static multipoint_plan_options plan_options(const multipoint_layer_info *info, multipoint_dtype destination, multipoint_layout layout) {
    multipoint_plan_options options = {0};
    options.struct_size = sizeof options;
    options.batch = 2;
    if (info->op == MULTIPOINT_CONV) {
        options.height = info->shape[2] + 5;
        options.width = info->shape[3] + 3;
    }
    options.source_dtype = MULTIPOINT_U8;
    options.destination_dtype = destination;
    options.source_layout = options.destination_layout = layout;
    options.source_scale = 0.02f;
    if (destination == MULTIPOINT_U8) options.destination_scale = 0.05f;
    if (destination != MULTIPOINT_S32) options.activation = MULTIPOINT_RELU;
    options.threads = 1;
    return options;
}

int expect_layer(expected_layer *expected, const expected_network *network, size_t index, multipoint_dtype destination,
                 multipoint_layout layout) {
    multipoint_model *model = NULL;
    multipoint_layer *layer = NULL;
    multipoint_plan *plan = NULL;
    multipoint_layer_info info = {0};
    memset(expected, 0, sizeof *expected);
    info.struct_size = sizeof info;
    require(multipoint_model_open_memory(network->file.bytes, network->file.count, NULL, &model), "open");
    require(multipoint_model_layer(model, index, &info), "layer");
    expected->network = network;
    snprintf(expected->name, sizeof expected->name, "%s", info.name);
    expected->options = plan_options(&info, destination, layout);
    int exists = info.is_float == 0;
    if (exists) {
        require(multipoint_layer_from_model(model, expected->name, &layer), expected->name);
        require(multipoint_plan_create(layer, &expected->options, &plan), expected->name);
        size_layer(expected, plan);
        require(execute(expected, plan, expected->destination, NULL), expected->name);
    }
    multipoint_plan_destroy(plan);
    multipoint_layer_destroy(layer);
    multipoint_model_destroy(model);
    return exists;
}

int executed_as_expected(const expected_layer *expected, const multipoint_plan *plan, int uses_workspace) {
    unsigned char *result = allocate(expected->destination_bytes);
    void *workspace = NULL;
    size_t size = (multipoint_plan_workspace_size(plan) + 64) / 64 * 64;
    if (uses_workspace && posix_memalign(&workspace, 64, size) != 0) exit(2);
    memset(result, 0xFF, expected->destination_bytes);
    int as_expected = execute(expected, plan, result, workspace) == MULTIPOINT_OK &&
                      memcmp(result, expected->destination, expected->destination_bytes) == 0;
    free(workspace);
    free(result);
    return as_expected;
}

void expected_layer_free(expected_layer *expected) {
    free(expected->source);
    free(expected->destination);
}

/* ---- Packings ---- */

static void require_packing(expected_packing *expected) {
    require(multipoint_packing_create(expected->matrix, expected->channels, expected->row_length, &expected->options,
                                      &expected->packing),
            "pack");
}

void expect_packing(expected_packing *expected, uint32_t seed) {
    uint64_t state = seed;
    memset(expected, 0, sizeof *expected);
    expected->channels = 1 + random_below(&state, 6);
    expected->row_length = 1 + random_below(&state, 40);
    size_t count = expected->channels * expected->row_length;
    expected->matrix = allocate(count * sizeof(float));
    for (size_t i = 0; i < count; i++) expected->matrix[i] = random_float(&state, -1, 1);
    expected->options.struct_size = sizeof expected->options;
    expected->options.bits = 2 + (int32_t)random_below(&state, 3);
    expected->options.codebook = (multipoint_codebook)random_below(&state, 4);
    expected->options.maximum_points = 1 + (int32_t)random_below(&state, 3);
    expected->options.relative_epsilon = 0.01;
    require_packing(expected);
}

static int same_levels(const multipoint_weights *a, const multipoint_weights *b) {
    if (a->level_count != b->level_count) return 0;
    for (size_t i = 0; i < a->level_count; i++) {
        const multipoint_level *left = &a->levels[i], *right = &b->levels[i];
        if (left->codebook_size != right->codebook_size || left->codes_byte_count != right->codes_byte_count ||
            memcmp(left->codebook, right->codebook, left->codebook_size) != 0 ||
            memcmp(left->codes, right->codes, left->codes_byte_count) != 0) {
            return 0;
        }
    }
    return 1;
}

int packed_as_expected(const expected_packing *expected, const multipoint_packing *packing) {
    multipoint_weights a = {0}, b = {0};
    double errors[2][8];
    size_t count = expected->channels;
    a.struct_size = b.struct_size = sizeof a;
    return multipoint_packing_weights(expected->packing, &a) == MULTIPOINT_OK && multipoint_packing_weights(packing, &b) == MULTIPOINT_OK &&
           multipoint_packing_errors(expected->packing, errors[0], count) == MULTIPOINT_OK &&
           multipoint_packing_errors(packing, errors[1], count) == MULTIPOINT_OK && a.scale_count == b.scale_count &&
           memcmp(a.points, b.points, count) == 0 && memcmp(a.scales, b.scales, a.scale_count * sizeof(float)) == 0 &&
           memcmp(errors[0], errors[1], count * sizeof(double)) == 0 && same_levels(&a, &b);
}

void expected_packing_free(expected_packing *expected) {
    multipoint_packing_destroy(expected->packing);
    free(expected->matrix);
}
