/* Layers and plans against hand-worked numbers. */
#include "check.h"
#include "sample_layers.h"

#include <stdlib.h>

static multipoint_layer *made_layer(const layer_parts *parts) {
    multipoint_layer *layer = NULL;
    CHECK_OK(multipoint_layer_create(&parts->descriptor, &layer));
    return layer;
}

static multipoint_plan_options options_for(int64_t height, int64_t width) {
    multipoint_plan_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.height = height;
    options.width = width;
    return options;
}

/* Compiles, executes once and gives the plan back. */
static multipoint_status run(const multipoint_layer *layer, const multipoint_plan_options *options,
                             const multipoint_tensor *source, const multipoint_tensor *residual,
                             const multipoint_tensor *destination) {
    multipoint_plan *plan = NULL;
    multipoint_status status = multipoint_plan_create(layer, options, &plan);
    if (status == MULTIPOINT_OK) status = multipoint_plan_execute(plan, source, residual, destination, NULL);
    /* Destroying returns no status: the message stays. */
    multipoint_plan_destroy(plan);
    return status;
}

/* ---- Conv 1x1 with free scales: w = (0.875, -0.125), (2, -2), bias 1, 0; x = 0.5 (stored - 2) ----
 *
 * stored                   real            sums of (1,-1)   (1,-1)    (1,1)      y0 = 1 + .5(.5 s0 + .375 s2)   y1 = .5 * 2 s1
 * (4, 8)                   (1, 3)          -4               -4        8          1 + .5(-2 + 3)   = 1.5          -4
 * (0, 2)                   (-1, 0)         -2               -2        -2         1 + .5(-1 - .75) = 0.125        -2
 * (255, 0)                 (126.5, -1)     255              255       251        1 + .5(127.5 + 94.125) = 111.8125   255
 * (2, 2)                   (0, 0)          0                0         0          1                               0          */
static const unsigned char stored_nchw[] = {4, 0, 255, 2, 8, 2, 0, 2};
static const unsigned char stored_nhwc[] = {4, 8, 0, 2, 255, 0, 2, 2};
static const int32_t sums_nchw[] = {-4, -2, 255, 0, -4, -2, 255, 0, 8, -2, 251, 0};
static const int32_t sums_nhwc[] = {-4, -4, 8, -2, -2, -2, 255, 255, 251, 0, 0, 0};
static const float real_nchw[] = {1.5f, 0.125f, 111.8125f, 1, -4, -2, 255, 0};
static const float real_nhwc[] = {1.5f, -4, 0.125f, -2, 111.8125f, 255, 1, 0};
static const int64_t image_shape[] = {1, 2, 2, 2}, sums_shape[] = {1, 3, 2, 2};
static const int64_t nhwc_strides[] = {8, 1, 4, 2}, sums_nhwc_strides[] = {12, 1, 6, 3};

static multipoint_tensor stored_tensor(int is_nhwc) {
    multipoint_tensor tensor = {(void *)stored_nchw, sizeof stored_nchw, MULTIPOINT_U8, 4, image_shape, NULL};
    if (is_nhwc) {
        tensor.data = (void *)stored_nhwc;
        tensor.strides = nhwc_strides;
    }
    return tensor;
}

static void test_description(const multipoint_layer *layer) {
    multipoint_layer_info info = {0};
    info.struct_size = sizeof info;
    CHECK_OK(multipoint_layer_describe(layer, &info));
    CHECK(strcmp(info.name, "conv_1x1") == 0 && info.op == MULTIPOINT_CONV);
    CHECK(info.strides[0] == 1 && info.strides[1] == 1 && info.dilations[0] == 1 && info.group == 1);
    CHECK(info.points == 3 && info.rows == 3 && info.channels == 2 && info.row_length == 2);

    multipoint_rows rows = {0};
    rows.struct_size = sizeof rows;
    if (!CHECK_OK(multipoint_layer_rows(layer, &rows))) return;
    const int8_t values[] = {1, -1, 1, -1, 1, 1};
    const float scales[] = {0.5f, 2, 0.375f};
    const int32_t channels[] = {0, 1, 0};
    if (!CHECK(rows.row_count == 3 && rows.row_length == 2)) return;
    CHECK(memcmp(rows.values, values, sizeof values) == 0);
    CHECK(memcmp(rows.scales, scales, sizeof scales) == 0);
    CHECK(memcmp(rows.channels, channels, sizeof channels) == 0);
}

static void test_row_sums(const multipoint_layer *layer) {
    multipoint_plan_options options = options_for(2, 2);
    options.source_dtype = MULTIPOINT_U8;
    options.destination_dtype = MULTIPOINT_S32;
    for (int layouts = 0; layouts < 4; layouts++) {
        int from_nhwc = layouts & 1, to_nhwc = layouts >> 1;
        options.source_layout = from_nhwc ? MULTIPOINT_NHWC : MULTIPOINT_NCHW;
        options.destination_layout = to_nhwc ? MULTIPOINT_NHWC : MULTIPOINT_NCHW;
        int32_t sums[12];
        memset(sums, 0x55, sizeof sums);
        multipoint_tensor source = stored_tensor(from_nhwc);
        multipoint_tensor destination = {sums, sizeof sums, MULTIPOINT_S32, 4, sums_shape, to_nhwc ? sums_nhwc_strides : NULL};
        CHECK_OK(run(layer, &options, &source, NULL, &destination));
        CHECK(memcmp(sums, to_nhwc ? sums_nhwc : sums_nchw, sizeof sums) == 0);
    }
}

static void test_float_results(const multipoint_layer *layer) {
    multipoint_plan_options options = options_for(2, 2);
    options.source_dtype = MULTIPOINT_U8;
    for (int layouts = 0; layouts < 4; layouts++) {
        int from_nhwc = layouts & 1, to_nhwc = layouts >> 1;
        options.source_layout = from_nhwc ? MULTIPOINT_NHWC : MULTIPOINT_NCHW;
        options.destination_layout = to_nhwc ? MULTIPOINT_NHWC : MULTIPOINT_NCHW;
        float results[8];
        multipoint_tensor source = stored_tensor(from_nhwc);
        /* Without strides, a tensor has the plan's layout. */
        source.strides = NULL;
        multipoint_tensor destination = {results, sizeof results, MULTIPOINT_F32, 4, image_shape, NULL};
        CHECK_OK(run(layer, &options, &source, NULL, &destination));
        CHECK_FLOATS(results, to_nhwc ? real_nhwc : real_nchw, 8);
    }
}

/* A float source is quantized: rounded half to even, clamped to 0...255. */
static void test_float_source(const multipoint_layer *layer) {
    multipoint_plan_options options = options_for(2, 2);
    /* Halves to even, plus 2: 2.5 -> 4, 0.5 -> 2, 5.5 -> 8, -0.5 -> 2, -2.4 -> 0; and far outside. The stored image again. */
    const float source_values[] = {1.25f, -900, 1e30f, 0.25f, 2.75f, -0.25f, -1.2f, 0.24f};
    float results[8];
    multipoint_tensor source = {(void *)source_values, sizeof source_values, MULTIPOINT_F32, 4, image_shape, NULL};
    multipoint_tensor destination = {results, sizeof results, MULTIPOINT_F32, 4, image_shape, NULL};
    CHECK_OK(run(layer, &options, &source, NULL, &destination));
    CHECK_FLOATS(results, real_nchw, 8);
}

static void test_activations(const multipoint_layer *layer) {
    const struct { multipoint_activation activation; float alpha, beta; float expected[8]; } cases[] = {
        {MULTIPOINT_RELU, 0, 0, {1.5f, 0.125f, 111.8125f, 1, 0, 0, 255, 0}},
        {MULTIPOINT_LEAKY_RELU, 0.25f, 0, {1.5f, 0.125f, 111.8125f, 1, -1, -0.5f, 255, 0}},
        {MULTIPOINT_CLIP, -3, 6, {1.5f, 0.125f, 6, 1, -3, -2, 6, 0}},
    };
    multipoint_plan_options options = options_for(2, 2);
    options.source_dtype = MULTIPOINT_U8;
    multipoint_tensor source = stored_tensor(0);
    float results[8];
    multipoint_tensor destination = {results, sizeof results, MULTIPOINT_F32, 4, image_shape, NULL};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        options.activation = cases[i].activation;
        options.activation_alpha = cases[i].alpha;
        options.activation_beta = cases[i].beta;
        CHECK_OK(run(layer, &options, &source, NULL, &destination));
        CHECK_FLOATS(results, cases[i].expected, 8);
    }
    options.activation = MULTIPOINT_SIGMOID;
    CHECK_OK(run(layer, &options, &source, NULL, &destination));
    for (int i = 0; i < 8; i++) CHECK(fabs(results[i] - 1 / (1 + exp(-(double)real_nchw[i]))) < 1e-5);
}

/* y = act(residual + ...), the residual float or stored, the activation after the sum. */
static void test_residuals(const multipoint_layer *layer) {
    multipoint_plan_options options = options_for(2, 2);
    options.source_dtype = MULTIPOINT_U8;
    options.activation = MULTIPOINT_RELU;
    const float addend[] = {-1, -1, 0.5f, 0, 5, 1, -300, 2};
    const float sums[] = {0.5f, 0, 112.3125f, 1, 1, 0, 0, 2};
    float results[8];
    multipoint_tensor source = stored_tensor(0);
    multipoint_tensor residual = {(void *)addend, sizeof addend, MULTIPOINT_F32, 4, image_shape, NULL};
    multipoint_tensor destination = {results, sizeof results, MULTIPOINT_F32, 4, image_shape, NULL};
    options.residual_dtype = MULTIPOINT_F32;
    CHECK_OK(run(layer, &options, &source, &residual, &destination));
    CHECK_FLOATS(results, sums, 8);

    /* 0.25 (stored - 3) = 0, 0.25, -0.75, 1, 5, 1.25, 63, 2 */
    const unsigned char stored_addend[] = {3, 4, 0, 7, 23, 8, 255, 11};
    const float stored_sums[] = {1.5f, 0.375f, 111.0625f, 2, 1, 0, 318, 2};
    options.residual_dtype = MULTIPOINT_U8;
    options.residual_scale = 0.25f;
    options.residual_zero_point = 3;
    residual.data = (void *)stored_addend;
    residual.byte_count = sizeof stored_addend;
    residual.dtype = MULTIPOINT_U8;
    CHECK_OK(run(layer, &options, &source, &residual, &destination));
    CHECK_FLOATS(results, stored_sums, 8);
}

/* u8 destinations: clamp(round_half_even(y / 0.5) + 3, 0, 255). 0.125 / 0.5 = 0.25 -> 0; 111.8125 / 0.5 = 223.6 -> 224. */
static void test_stored_results(const multipoint_layer *layer) {
    multipoint_plan_options options = options_for(2, 2);
    options.source_dtype = MULTIPOINT_U8;
    options.destination_dtype = MULTIPOINT_U8;
    options.destination_scale = 0.5f;
    options.destination_zero_point = 3;
    const unsigned char expected[] = {6, 3, 227, 5, 0, 0, 255, 3};
    unsigned char results[8];
    multipoint_tensor source = stored_tensor(0);
    multipoint_tensor destination = {results, sizeof results, MULTIPOINT_U8, 4, image_shape, NULL};
    CHECK_OK(run(layer, &options, &source, NULL, &destination));
    CHECK_BYTES(results, expected, 8);
}

/* Nothing beside the destination changes, whatever its alignment, and the caller's workspace is all that is used. */
static void test_memory(const multipoint_layer *layer) {
    multipoint_plan_options options = options_for(2, 2);
    options.source_dtype = MULTIPOINT_U8;
    multipoint_plan *plan = NULL;
    if (!CHECK_OK(multipoint_plan_create(layer, &options, &plan))) return;
    size_t workspace_size = multipoint_plan_workspace_size(plan);
    size_t rounded = (workspace_size + 63) / 64 * 64;
    unsigned char *block = malloc(rounded + 64 + 16);
    if (block == NULL) exit(2);
    memset(block, 0xA5, rounded + 64 + 16);
    unsigned char *workspace = block + (64 - (uintptr_t)block % 64) % 64;
    for (size_t offset = 0; offset < 8; offset++) {
        unsigned char sources[8 + 8], results[16 + 32 + 16];
        memcpy(sources + offset, stored_nchw, 8);
        memset(results, 0x5A, sizeof results);
        multipoint_tensor source = {sources + offset, 8, MULTIPOINT_U8, 4, image_shape, NULL};
        multipoint_tensor destination = {results + 8 + offset, 32, MULTIPOINT_F32, 4, image_shape, NULL};
        CHECK_OK(multipoint_plan_execute(plan, &source, NULL, &destination, workspace));
        float copied[8];
        memcpy(copied, results + 8 + offset, sizeof copied);
        CHECK_FLOATS(copied, real_nchw, 8);
        int is_clean = 1;
        for (size_t i = 0; i < sizeof results; i++) is_clean &= (i >= 8 + offset && i < 40 + offset) || results[i] == 0x5A;
        CHECK(is_clean);
    }
    int is_clean = 1;
    for (unsigned char *byte = workspace + rounded; byte < block + rounded + 64 + 16; byte++) is_clean &= *byte == 0xA5;
    CHECK(is_clean);
    free(block);
    multipoint_plan_destroy(plan);
}

static void test_lifetimes(void) {
    layer_parts parts;
    conv_1x1(&parts);
    multipoint_layer *layer = made_layer(&parts);
    memset(&parts, 0x77, sizeof parts); /* the arrays were copied */
    multipoint_plan_options options = options_for(2, 2);
    options.source_dtype = MULTIPOINT_U8;
    multipoint_plan *plan = NULL;
    CHECK_OK(multipoint_plan_create(layer, &options, &plan));
    multipoint_layer_destroy(layer); /* the plan keeps what it needs */
    float results[8];
    multipoint_tensor source = stored_tensor(0);
    multipoint_tensor destination = {results, sizeof results, MULTIPOINT_F32, 4, image_shape, NULL};
    if (plan != NULL) {
        CHECK_OK(multipoint_plan_execute(plan, &source, NULL, &destination, NULL));
        CHECK_FLOATS(results, real_nchw, 8);
    }
    multipoint_plan_destroy(plan);
}

/* ---- Gemm with a ladder: w = 0.25 (3, 1), 0.5 (1, -1), bias 0, 10; x = 0.125 stored ---- */
static void test_gemm(void) {
    layer_parts parts;
    gemm(&parts);
    multipoint_layer *layer = made_layer(&parts);
    if (layer == NULL) return;
    multipoint_rows rows = {0};
    rows.struct_size = sizeof rows;
    const int8_t values[] = {3, 1, 1, -1};
    const float scales[] = {0.25f, 0.5f};
    if (CHECK_OK(multipoint_layer_rows(layer, &rows)) && CHECK(rows.row_count == 2)) {
        CHECK(memcmp(rows.values, values, sizeof values) == 0 && memcmp(rows.scales, scales, sizeof scales) == 0);
    }
    multipoint_plan_options options = options_for(0, 0);
    options.batch = 3;
    options.source_dtype = MULTIPOINT_U8;
    const int64_t shape[] = {3, 2};
    const unsigned char stored[] = {25, 32, 0, 255, 255, 255};
    const float expected[] = {3.34375f, 9.5625f, 7.96875f, -5.9375f, 31.875f, 10};
    float results[6];
    multipoint_tensor source = {(void *)stored, sizeof stored, MULTIPOINT_U8, 2, shape, NULL};
    multipoint_tensor destination = {results, sizeof results, MULTIPOINT_F32, 2, shape, NULL};
    CHECK_OK(run(layer, &options, &source, NULL, &destination));
    CHECK_FLOATS(results, expected, 6);

    const int32_t expected_sums[] = {107, -7, 255, -255, 1020, 0};
    int32_t sums[6];
    options.destination_dtype = MULTIPOINT_S32;
    multipoint_tensor raw = {sums, sizeof sums, MULTIPOINT_S32, 2, shape, NULL};
    CHECK_OK(run(layer, &options, &source, NULL, &raw));
    CHECK(memcmp(sums, expected_sums, sizeof sums) == 0);
    multipoint_layer_destroy(layer);
}

/* ---- Conv 3x3 over 1...9 with zeros around: sums S of the neighbourhoods, y = S + 0.375 (S - 2 x) ---- */
static void test_conv_3x3(void) {
    layer_parts parts;
    conv_3x3(&parts);
    multipoint_layer *layer = made_layer(&parts);
    if (layer == NULL) return;
    multipoint_plan_options options = options_for(3, 3);
    options.source_dtype = MULTIPOINT_U8;
    const int64_t shape[] = {1, 1, 3, 3}, two_rows[] = {1, 2, 3, 3};
    unsigned char image[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    const float expected[] = {15.75f, 27.375f, 19.75f, 34.125f, 58.125f, 40.875f, 27.75f, 47.625f, 31.75f};
    float results[9];
    multipoint_tensor source = {image, sizeof image, MULTIPOINT_U8, 4, shape, NULL};
    multipoint_tensor destination = {results, sizeof results, MULTIPOINT_F32, 4, shape, NULL};
    CHECK_OK(run(layer, &options, &source, NULL, &destination));
    CHECK_FLOATS(results, expected, 9);

    /* Twice these, rounded half to even, plus 11: 31.5 -> 32 -> 43, 54.75 -> 55 -> 66, 39.5 -> 40 -> 51, ... */
    const unsigned char expected_stored[] = {43, 66, 51, 79, 127, 93, 67, 106, 75};
    unsigned char stored[9];
    options.destination_dtype = MULTIPOINT_U8;
    options.destination_scale = 0.5f;
    options.destination_zero_point = 11;
    multipoint_tensor stored_destination = {stored, sizeof stored, MULTIPOINT_U8, 4, shape, NULL};
    CHECK_OK(run(layer, &options, &source, NULL, &stored_destination));
    CHECK_BYTES(stored, expected_stored, 9);

    /* The same image stored with zero point 100: the padding is real zero, not stored zero. */
    const int32_t expected_sums[] = {12, 21, 16, 27, 45, 33, 24, 39, 28, 10, 17, 10, 19, 35, 21, 10, 23, 10};
    int32_t sums[18];
    for (int i = 0; i < 9; i++) image[i] = (unsigned char)(image[i] + 100);
    options.destination_dtype = MULTIPOINT_S32;
    options.source_scale = 1;
    options.source_zero_point = 100;
    multipoint_tensor raw = {sums, sizeof sums, MULTIPOINT_S32, 4, two_rows, NULL};
    CHECK_OK(run(layer, &options, &source, NULL, &raw));
    CHECK(memcmp(sums, expected_sums, sizeof sums) == 0);
    multipoint_layer_destroy(layer);
}

/* A layer kept in float: y = 2 x0 - x1 + 0.5. */
static void test_float_layer(void) {
    const float weights[] = {2, -1}, bias[] = {0.5f};
    multipoint_layer_descriptor descriptor = {0};
    descriptor.struct_size = sizeof descriptor;
    descriptor.op = MULTIPOINT_GEMM;
    descriptor.shape[0] = 1;
    descriptor.shape[1] = 2;
    descriptor.float_weights = weights;
    descriptor.bias = bias;
    multipoint_layer *layer = NULL;
    if (!CHECK_OK(multipoint_layer_create(&descriptor, &layer))) return;
    multipoint_rows rows = {0};
    rows.struct_size = sizeof rows;
    CHECK_FAILS(multipoint_layer_rows(layer, &rows), MULTIPOINT_UNSUPPORTED, "float");
    multipoint_layer_info info = {0};
    info.struct_size = sizeof info;
    CHECK_OK(multipoint_layer_describe(layer, &info));
    CHECK(info.is_float == 1 && info.points == 0 && info.rows == 0 && info.bits_per_weight == 32);
    multipoint_plan_options options = options_for(0, 0);
    const int64_t source_shape[] = {1, 2}, result_shape[] = {1, 1};
    const float values[] = {3, 10.25f}, expected[] = {-3.75f};
    float result[1];
    multipoint_tensor source = {(void *)values, sizeof values, MULTIPOINT_F32, 2, source_shape, NULL};
    multipoint_tensor destination = {result, sizeof result, MULTIPOINT_F32, 2, result_shape, NULL};
    CHECK_OK(run(layer, &options, &source, NULL, &destination));
    CHECK_FLOATS(result, expected, 1);
    int32_t sum[1];
    multipoint_tensor raw = {sum, sizeof sum, MULTIPOINT_S32, 2, result_shape, NULL};
    options.destination_dtype = MULTIPOINT_S32;
    CHECK_FAILS(run(layer, &options, &source, NULL, &raw), MULTIPOINT_INVALID_ARGUMENT, "float");
    multipoint_layer_destroy(layer);
}

static void test_plan_description(const multipoint_layer *layer) {
    multipoint_plan_options options = options_for(2, 2);
    options.batch = 5;
    options.threads = 2;
    options.source_dtype = MULTIPOINT_U8;
    multipoint_plan *plan = NULL;
    if (!CHECK_OK(multipoint_plan_create(layer, &options, &plan))) return;
    multipoint_plan_info info = {0};
    info.struct_size = sizeof info;
    CHECK_OK(multipoint_plan_describe(plan, &info));
    const int64_t shape[] = {5, 2, 2, 2};
    CHECK(info.rank == 4 && memcmp(info.source_dimensions, shape, sizeof shape) == 0);
    CHECK(memcmp(info.destination_dimensions, shape, sizeof shape) == 0);
    CHECK(info.threads == 2 && info.workspace_bytes == multipoint_plan_workspace_size(plan));
    CHECK(info.implementations[0] != '\0' && strstr(info.implementations, "ref") == NULL);
    multipoint_plan_destroy(plan);
}

int main(void) {
    layer_parts parts;
    conv_1x1(&parts);
    multipoint_layer *layer = made_layer(&parts);
    if (layer != NULL) {
        test_description(layer);
        test_row_sums(layer);
        test_float_results(layer);
        test_float_source(layer);
        test_activations(layer);
        test_residuals(layer);
        test_stored_results(layer);
        test_memory(layer);
        test_plan_description(layer);
    }
    multipoint_layer_destroy(layer);
    test_lifetimes();
    test_gemm();
    test_conv_3x3();
    test_float_layer();
    return check_summary("layers");
}
