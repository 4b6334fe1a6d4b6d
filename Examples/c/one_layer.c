/*
 * One layer of a graph that the program owns: weights from the program's own arrays, compiled into a plan, executed, and compared
 * with a plain loop.
 *
 *     cmake -S Examples/c -B build/c-example -DCMAKE_PREFIX_PATH=/where/multipoint/is/installed
 *     cmake --build build/c-example && build/c-example/one_layer
 */
#include <multipoint.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A 3x3 convolution from 2 to 2 channels over a 5x6 image, padded by one: the output has the input's size. */
enum { INPUTS = 2, OUTPUTS = 2, KERNEL = 3, HEIGHT = 5, WIDTH = 6 };
enum { ROW_LENGTH = INPUTS * KERNEL * KERNEL, LEVELS = 2 };
enum { SOURCE_COUNT = INPUTS * HEIGHT * WIDTH, RESULT_COUNT = OUTPUTS * HEIGHT * WIDTH };

static const float INPUT_SCALE = 0.1f;
static const int INPUT_ZERO_POINT = 0;

static void check(multipoint_status status, const char *what) {
    if (status == MULTIPOINT_OK) return;
    fprintf(stderr, "%s: %s: %s\n", what, multipoint_status_string(status), multipoint_last_error());
    exit(EXIT_FAILURE);
}

/* The weights: channel 0 is the sum of two points, channel 1 has one. A point is a scale times a vector of signs (one bit). */
static const int8_t SIGNS[2] = {-1, 1};
static const uint8_t POINTS[OUTPUTS] = {2, 1};
static const float SCALES[3] = {0.6f, 0.25f, 0.9f}; /* channel 0's two, then channel 1's */
static const char *const VECTORS[LEVELS][OUTPUTS] = {
    {"+-++-++--+-++--+++", "--+-+-++++-+-+--++"}, /* level 0: the first point of both channels */
    {"++-+--+-+-+--+++-+", NULL}                  /* level 1: the second point of channel 0 */
};

/* Packs one vector of codes, one bit each, from the least significant bit of the first byte. */
static void pack(const char *vector, uint8_t *bytes) {
    for (int k = 0; k < ROW_LENGTH; k++) {
        if (vector[k] == '+') bytes[k / 8] |= (uint8_t)(1u << (k % 8));
    }
}

static multipoint_layer *make_layer(const float *bias) {
    enum { VECTOR_BYTES = (ROW_LENGTH + 7) / 8 };
    uint8_t codes[LEVELS][OUTPUTS * VECTOR_BYTES] = {{0}};
    pack(VECTORS[0][0], codes[0]);
    pack(VECTORS[0][1], codes[0] + VECTOR_BYTES);
    pack(VECTORS[1][0], codes[1]);

    const multipoint_level levels[LEVELS] = {{SIGNS, 2, codes[0], 2 * VECTOR_BYTES}, {SIGNS, 2, codes[1], VECTOR_BYTES}};
    multipoint_weights weights = {0};
    weights.struct_size = sizeof weights;
    weights.channels = OUTPUTS;
    weights.row_length = ROW_LENGTH;
    weights.points = POINTS;
    weights.level_count = LEVELS;
    weights.levels = levels;
    weights.scales = SCALES;
    weights.scale_count = 3;

    multipoint_layer_descriptor descriptor = {0};
    descriptor.struct_size = sizeof descriptor;
    descriptor.name = "example";
    descriptor.op = MULTIPOINT_CONV;
    descriptor.shape[0] = OUTPUTS;
    descriptor.shape[1] = INPUTS;
    descriptor.shape[2] = descriptor.shape[3] = KERNEL;
    for (int side = 0; side < 4; side++) descriptor.pads[side] = 1;
    descriptor.weights = &weights;
    descriptor.bias = bias;
    descriptor.input_scale = INPUT_SCALE;
    descriptor.input_zero_point = INPUT_ZERO_POINT;

    multipoint_layer *layer = NULL;
    check(multipoint_layer_create(&descriptor, &layer), "multipoint_layer_create");
    return layer; /* the arrays were copied */
}

static multipoint_plan *make_plan(const multipoint_layer *layer) {
    multipoint_plan_options options = {0};
    options.struct_size = sizeof options;
    options.height = HEIGHT;
    options.width = WIDTH;
    options.source_dtype = MULTIPOINT_U8;
    options.activation = MULTIPOINT_RELU;
    multipoint_plan *plan = NULL;
    check(multipoint_plan_create(layer, &options, &plan), "multipoint_plan_create");
    return plan;
}

/* The weight of output channel `c` at place `k` of its vector. */
static double weight(int c, int k) {
    double sum = 0;
    for (int level = 0; level < POINTS[c]; level++) {
        float scale = SCALES[(c == 0 ? 0 : POINTS[0]) + level];
        sum += VECTORS[level][c][k] == '+' ? scale : -scale;
    }
    return sum;
}

/* What the layer computes, in double precision. */
static double reference(const uint8_t *source, const float *bias, int c, int y, int x) {
    double sum = bias[c];
    for (int k = 0; k < ROW_LENGTH; k++) {
        int input = k / (KERNEL * KERNEL), row = y + k / KERNEL % KERNEL - 1, column = x + k % KERNEL - 1;
        if (row < 0 || row >= HEIGHT || column < 0 || column >= WIDTH) continue;
        int stored = source[(input * HEIGHT + row) * WIDTH + column];
        sum += weight(c, k) * (double)INPUT_SCALE * (stored - INPUT_ZERO_POINT);
    }
    return sum > 0 ? sum : 0;
}

int main(void) {
    const float bias[OUTPUTS] = {1.0f, -2.0f};
    multipoint_layer *layer = make_layer(bias);
    multipoint_plan *plan = make_plan(layer);

    uint8_t source[SOURCE_COUNT];
    float result[RESULT_COUNT];
    for (int i = 0; i < SOURCE_COUNT; i++) source[i] = (uint8_t)(i * 89 % 256);
    const int64_t source_shape[] = {1, INPUTS, HEIGHT, WIDTH}, result_shape[] = {1, OUTPUTS, HEIGHT, WIDTH};
    const multipoint_tensor in = {source, sizeof source, MULTIPOINT_U8, 4, source_shape, NULL};
    const multipoint_tensor out = {result, sizeof result, MULTIPOINT_F32, 4, result_shape, NULL};
    check(multipoint_plan_execute(plan, &in, NULL, &out, NULL), "multipoint_plan_execute");

    double worst = 0;
    int wrong = 0;
    for (int i = 0; i < RESULT_COUNT; i++) {
        double expected = reference(source, bias, i / (HEIGHT * WIDTH), i / WIDTH % HEIGHT, i % WIDTH);
        double error = fabs(result[i] - expected);
        if (error > worst) worst = error;
        if (!(error < 1e-4)) wrong++; /* NaN is wrong, too */
    }

    multipoint_layer_info info = {0};
    info.struct_size = sizeof info;
    check(multipoint_layer_describe(layer, &info), "multipoint_layer_describe");
    printf("%s\n", multipoint_build_info());
    printf("layer `%s`: %lld points in %lld channels, runs as %s\n", info.name, (long long)info.points,
           (long long)info.channels, info.execution);
    printf("largest difference from the plain loop: %.2g\n", worst);

    multipoint_plan_destroy(plan);
    multipoint_layer_destroy(layer);
    return wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
