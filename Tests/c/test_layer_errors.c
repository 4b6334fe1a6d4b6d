/* Wrong layers, plans and tensors: each is refused with words that name what is wrong. */
#include "check.h"
#include "sample_layers.h"

#include <limits.h>
#include <stdlib.h>

static char untouched_object;
#define UNTOUCHED(type) ((type *)(void *)&untouched_object)

/* `change` makes a good layer wrong. */
#define LAYER_REFUSED(sample, change, status, words)                                        \
    do {                                                                                    \
        layer_parts parts;                                                                  \
        multipoint_layer *layer = UNTOUCHED(multipoint_layer);                              \
        sample(&parts);                                                                     \
        change;                                                                             \
        CHECK_FAILS(multipoint_layer_create(&parts.descriptor, &layer), status, words);     \
        CHECK(layer == UNTOUCHED(multipoint_layer));                                        \
    } while (0)
#define INVALID_LAYER(sample, change, words) LAYER_REFUSED(sample, change, MULTIPOINT_INVALID_ARGUMENT, words)

static void test_descriptors(void) {
    INVALID_LAYER(conv_1x1, parts.descriptor.op = (multipoint_operator)0, "op");
    INVALID_LAYER(conv_1x1, parts.descriptor.op = (multipoint_operator)99, "op");
    INVALID_LAYER(conv_1x1, parts.descriptor.name = "\xff", "name");
    INVALID_LAYER(conv_1x1, parts.descriptor.shape[0] = 0, "shape");
    INVALID_LAYER(conv_1x1, parts.descriptor.shape[1] = -2, "shape");
    INVALID_LAYER(conv_1x1, parts.descriptor.shape[2] = INT64_MAX, "shape");
    INVALID_LAYER(gemm, parts.descriptor.shape[0] = parts.descriptor.shape[1] = INT64_C(1) << 32, "shape");
    INVALID_LAYER(conv_1x1, parts.descriptor.strides[0] = -1, "strides");
    INVALID_LAYER(conv_1x1, parts.descriptor.strides[1] = INT64_MAX, "strides");
    INVALID_LAYER(conv_1x1, parts.descriptor.pads[3] = -1, "pads");
    INVALID_LAYER(conv_1x1, parts.descriptor.pads[0] = INT64_MIN, "pads");
    INVALID_LAYER(conv_1x1, parts.descriptor.dilations[0] = -3, "dilations");
    INVALID_LAYER(conv_1x1, parts.descriptor.group = -1, "group");
    INVALID_LAYER(conv_1x1, parts.descriptor.group = 3, "group");
    INVALID_LAYER(conv_1x1, parts.descriptor.group = INT64_MAX, "group");
    INVALID_LAYER(conv_1x1, parts.descriptor.weights = NULL, "weights");
    INVALID_LAYER(conv_1x1, parts.descriptor.float_weights = parts.scales, "float_weights");
    INVALID_LAYER(conv_1x1, parts.bias[1] = NAN, "bias 1");
    INVALID_LAYER(conv_1x1, parts.bias[0] = -INFINITY, "bias 0");
    INVALID_LAYER(conv_1x1, parts.descriptor.input_scale = -1, "input_scale");
    INVALID_LAYER(conv_1x1, parts.descriptor.input_scale = NAN, "input_scale");
    INVALID_LAYER(conv_1x1, parts.descriptor.input_scale = INFINITY, "input_scale");
    INVALID_LAYER(conv_1x1, parts.descriptor.output_scale = -1, "output_scale");
    INVALID_LAYER(conv_1x1, parts.descriptor.input_zero_point = 256, "input_zero_point");
    INVALID_LAYER(conv_1x1, parts.descriptor.output_zero_point = -1, "output_zero_point");
}

static void test_packed_weights(void) {
    INVALID_LAYER(conv_1x1, parts.weights.channels = 0, "channels");
    INVALID_LAYER(conv_1x1, parts.weights.channels = 3, "channels");
    INVALID_LAYER(conv_1x1, parts.weights.channels = (size_t)-1, "channels");
    INVALID_LAYER(conv_1x1, parts.weights.row_length = 3, "weights");
    INVALID_LAYER(conv_1x1, parts.weights.row_length = (size_t)-1, "weights");
    INVALID_LAYER(conv_1x1, parts.weights.points = NULL, "points");
    INVALID_LAYER(conv_1x1, parts.points[0] = 3, "3 points");
    INVALID_LAYER(conv_1x1, parts.weights.levels = NULL, "levels");
    INVALID_LAYER(conv_1x1, parts.weights.level_count = 256, "levels");
    INVALID_LAYER(conv_1x1, parts.weights.level_count = (size_t)-1, "levels");
    INVALID_LAYER(conv_1x1, parts.weights.level_count = 1, "levels");
    INVALID_LAYER(conv_1x1, parts.levels[0].codebook = NULL, "codebook");
    INVALID_LAYER(conv_1x1, parts.levels[1].codebook_size = 3, "codebook_size");
    INVALID_LAYER(conv_1x1, parts.levels[1].codebook_size = 1, "codebook_size");
    INVALID_LAYER(conv_1x1, parts.levels[1].codebook_size = 512, "codebook_size");
    INVALID_LAYER(conv_1x1, parts.levels[0].codes = NULL, "codes");
    INVALID_LAYER(conv_1x1, parts.levels[0].codes_byte_count = 1, "codes_byte_count");
    INVALID_LAYER(conv_1x1, parts.levels[0].codes_byte_count = (size_t)-1, "codes_byte_count");
    INVALID_LAYER(conv_1x1, parts.weights.scales = NULL, "scales");
    INVALID_LAYER(conv_1x1, parts.weights.scale_count = 2, "scales");
    INVALID_LAYER(conv_1x1, parts.weights.scale_count = (size_t)-1, "scale_count");
    INVALID_LAYER(conv_1x1, parts.scales[0] = NAN, "scale 0");
    INVALID_LAYER(conv_1x1, parts.scales[1] = 0, "scale 1");
    INVALID_LAYER(conv_1x1, parts.scales[2] = -2, "scale 2");
    INVALID_LAYER(conv_1x1, parts.scales[2] = INFINITY, "scale 2");
    INVALID_LAYER(gemm, parts.ladder[0] = 0, "ladder");
    INVALID_LAYER(gemm, parts.ladder[0] = -2, "ladder");
    INVALID_LAYER(gemm, parts.ladder[0] = INT_MAX, "ladder");
    INVALID_LAYER(gemm, parts.ladder[0] = 128, "ladder"); /* 128 * 1 + 1 does not fit */
    INVALID_LAYER(gemm, parts.weights.scale_count = 3, "scales");
}

static void test_float_weights(void) {
    const float not_finite[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        float weights[] = {1, 2, not_finite[i], 4};
        INVALID_LAYER(gemm, (parts.descriptor.weights = NULL, parts.descriptor.float_weights = weights), "weight 2");
    }
}

/* One weight more than exact 32-bit sums allow. */
static void test_longest_row(void) {
    enum { longest = 131586 };
    static uint8_t codes[(longest + 1 + 7) / 8];
    for (int extra = 0; extra < 2; extra++) {
        layer_parts parts;
        gemm(&parts);
        parts.weights.channels = 1;
        parts.weights.ladder = NULL;
        parts.weights.row_length = (size_t)(longest + extra);
        parts.weights.level_count = 1;
        parts.weights.scale_count = 1;
        parts.points[0] = 1;
        parts.levels[0].codes = codes;
        parts.levels[0].codes_byte_count = (size_t)(longest + extra + 7) / 8;
        parts.descriptor.shape[0] = 1;
        parts.descriptor.shape[1] = longest + extra;
        multipoint_layer *layer = NULL;
        if (extra == 0) CHECK_OK(multipoint_layer_create(&parts.descriptor, &layer));
        else CHECK_FAILS(multipoint_layer_create(&parts.descriptor, &layer), MULTIPOINT_UNSUPPORTED, "131586");
        multipoint_layer_destroy(layer);
    }
}

#define INVALID_PLAN(layer, change, words)                                                              \
    do {                                                                                                \
        multipoint_plan_options options;                                                                \
        multipoint_plan *plan = UNTOUCHED(multipoint_plan);                                             \
        memset(&options, 0, sizeof options);                                                            \
        options.struct_size = sizeof options;                                                           \
        options.height = options.width = 2;                                                             \
        change;                                                                                         \
        CHECK_FAILS(multipoint_plan_create((layer), &options, &plan), MULTIPOINT_INVALID_ARGUMENT, words); \
        CHECK(plan == UNTOUCHED(multipoint_plan));                                                      \
    } while (0)

static void test_plan_options(const multipoint_layer *layer) {
    INVALID_PLAN(layer, options.batch = -1, "batch");
    INVALID_PLAN(layer, options.batch = INT64_MAX, "batch");
    INVALID_PLAN(layer, options.height = 0, "height");
    INVALID_PLAN(layer, options.width = -5, "width");
    INVALID_PLAN(layer, options.width = INT64_MAX, "width");
    INVALID_PLAN(layer, options.source_dtype = MULTIPOINT_S8, "source_dtype");
    INVALID_PLAN(layer, options.source_dtype = MULTIPOINT_S32, "source_dtype");
    INVALID_PLAN(layer, options.source_dtype = (multipoint_dtype)99, "source_dtype");
    INVALID_PLAN(layer, options.destination_dtype = MULTIPOINT_S8, "destination_dtype");
    INVALID_PLAN(layer, options.destination_dtype = (multipoint_dtype)99, "destination_dtype");
    INVALID_PLAN(layer, options.destination_dtype = MULTIPOINT_U8, "destination_scale");
    INVALID_PLAN(layer, options.residual_dtype = MULTIPOINT_S32, "residual_dtype");
    INVALID_PLAN(layer, options.residual_dtype = MULTIPOINT_U8, "residual_scale");
    INVALID_PLAN(layer, options.source_layout = (multipoint_layout)2, "source_layout");
    INVALID_PLAN(layer, options.destination_layout = (multipoint_layout)-1, "destination_layout");
    INVALID_PLAN(layer, options.source_scale = NAN, "source_scale");
    INVALID_PLAN(layer, options.source_scale = -1, "source_scale");
    INVALID_PLAN(layer, options.source_zero_point = 256, "source_zero_point");
    INVALID_PLAN(layer, options.destination_zero_point = -1, "destination_zero_point");
    INVALID_PLAN(layer, (options.residual_dtype = MULTIPOINT_U8, options.residual_scale = 1, options.residual_zero_point = 300),
                 "residual_zero_point");
    INVALID_PLAN(layer, options.activation = (multipoint_activation)5, "activation");
    INVALID_PLAN(layer, (options.activation = MULTIPOINT_LEAKY_RELU, options.activation_alpha = NAN), "activation_alpha");
    INVALID_PLAN(layer, (options.activation = MULTIPOINT_CLIP, options.activation_alpha = 1), "activation");
    INVALID_PLAN(layer, options.threads = -1, "threads");
    INVALID_PLAN(layer, (options.destination_dtype = MULTIPOINT_S32, options.activation = MULTIPOINT_RELU), "activation");
    INVALID_PLAN(layer, (options.destination_dtype = MULTIPOINT_S32, options.residual_dtype = MULTIPOINT_F32), "residual");
}

static void test_unknown_scale(void) {
    layer_parts parts;
    multipoint_layer *layer = NULL;
    conv_1x1(&parts);
    parts.descriptor.input_scale = 0;
    if (!CHECK_OK(multipoint_layer_create(&parts.descriptor, &layer))) return;
    INVALID_PLAN(layer, (void)options, "source_scale");
    multipoint_layer_destroy(layer);
}

static void test_small_image(void) {
    layer_parts parts;
    multipoint_layer *layer = NULL;
    conv_3x3(&parts);
    parts.descriptor.pads[0] = parts.descriptor.pads[2] = 0;
    if (!CHECK_OK(multipoint_layer_create(&parts.descriptor, &layer))) return;
    INVALID_PLAN(layer, options.height = 2, NULL); /* a kernel of 3 rows on an image of 2 */
    multipoint_layer_destroy(layer);
}

/* Sizes that are legal one by one, and too large together. */
static void test_huge_plans(const multipoint_layer *layer) {
    multipoint_plan_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.batch = options.height = options.width = INT64_C(1) << 30;
    multipoint_plan *plan = NULL;
    CHECK(multipoint_plan_create(layer, &options, &plan) != MULTIPOINT_OK);
    CHECK(plan == NULL && multipoint_last_error()[0] != '\0');
    options.batch = 1;
    CHECK(multipoint_plan_create(layer, &options, &plan) != MULTIPOINT_OK);
    CHECK(plan == NULL && multipoint_last_error()[0] != '\0');
}

static const float untouched_data[] = {77, 77, 77, 77, 77, 77, 77, 77};

typedef struct tensors {
    float source_data[8], destination_data[8], residual_data[8];
    int64_t source_shape[8], destination_shape[8], residual_shape[8], strides[8];
    multipoint_tensor source, destination, residual;
} tensors;

static void good_tensors(tensors *all) {
    const int64_t shape[8] = {1, 2, 2, 2, 1, 1, 1, 1};
    memset(all, 0, sizeof *all);
    memcpy(all->source_shape, shape, sizeof shape);
    memcpy(all->destination_shape, shape, sizeof shape);
    memcpy(all->residual_shape, shape, sizeof shape);
    memcpy(all->destination_data, untouched_data, sizeof untouched_data);
    all->source = (multipoint_tensor){all->source_data, 32, MULTIPOINT_F32, 4, all->source_shape, NULL};
    all->destination = (multipoint_tensor){all->destination_data, 32, MULTIPOINT_F32, 4, all->destination_shape, NULL};
    all->residual = (multipoint_tensor){all->residual_data, 32, MULTIPOINT_F32, 4, all->residual_shape, NULL};
}

#define INVALID_TENSORS(plan, residual, change, words)                                                          \
    do {                                                                                                        \
        tensors all;                                                                                            \
        good_tensors(&all);                                                                                     \
        change;                                                                                                 \
        CHECK_FAILS(multipoint_plan_execute((plan), &all.source, (residual), &all.destination, NULL),           \
                    MULTIPOINT_INVALID_ARGUMENT, words);                                                        \
        CHECK_FLOATS(all.destination_data, untouched_data, 8);                                                  \
    } while (0)

static void test_tensors(const multipoint_plan *plan) {
    INVALID_TENSORS(plan, NULL, all.source.data = NULL, "source: data");
    INVALID_TENSORS(plan, NULL, all.source.byte_count = 31, "byte_count");
    INVALID_TENSORS(plan, NULL, all.source.byte_count = 0, "byte_count");
    INVALID_TENSORS(plan, NULL, all.source.dtype = MULTIPOINT_U8, "source: dtype");
    INVALID_TENSORS(plan, NULL, all.source.dtype = MULTIPOINT_DTYPE_NONE, "source: dtype");
    INVALID_TENSORS(plan, NULL, all.source.dtype = (multipoint_dtype)99, "source: dtype");
    INVALID_TENSORS(plan, NULL, all.source.rank = 3, "source: shape");
    INVALID_TENSORS(plan, NULL, all.source.rank = 5, "source: shape");
    INVALID_TENSORS(plan, NULL, all.source.rank = -1, "source: shape");
    INVALID_TENSORS(plan, NULL, all.source.rank = INT32_MAX, "source: shape");
    INVALID_TENSORS(plan, NULL, all.source.dimensions = NULL, "source: shape");
    INVALID_TENSORS(plan, NULL, all.source_shape[1] = 3, "[1, 3, 2, 2]");
    INVALID_TENSORS(plan, NULL, all.source_shape[0] = 0, "source: shape");
    INVALID_TENSORS(plan, NULL, all.source_shape[0] = 2, "source: shape");
    INVALID_TENSORS(plan, NULL, all.source_shape[3] = -2, "source: shape");
    INVALID_TENSORS(plan, NULL, all.source_shape[3] = INT64_MAX, "source: shape");
    INVALID_TENSORS(plan, NULL, all.source_shape[3] = INT64_MIN, "source: shape");
    INVALID_TENSORS(plan, NULL, all.destination.data = NULL, "destination: data");
    INVALID_TENSORS(plan, NULL, all.destination.byte_count = 31, "destination");
    INVALID_TENSORS(plan, NULL, all.destination.dtype = MULTIPOINT_S32, "destination: dtype");
    INVALID_TENSORS(plan, NULL, all.destination_shape[2] = 3, "destination: shape");
    INVALID_TENSORS(plan, &all.residual, (void)all, "residual");
    /* The end of the address space. */
    INVALID_TENSORS(plan, NULL, all.source.data = (void *)(UINTPTR_MAX - 15), "source");
}

static void test_strides(const multipoint_plan *plan) {
    const int64_t wrong[][4] = {
        {16, 8, 4, 2}, {8, 4, 2, -1}, {8, 4, 2, 0}, {0, 0, 0, 0}, {8, 4, 1, 2},
        {8, 1, 4, 2}, /* NHWC: the plan was made for NCHW */
        {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX}, {INT64_MIN, 4, 2, INT64_MIN},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        INVALID_TENSORS(plan, NULL, (memcpy(all.strides, wrong[i], sizeof wrong[i]), all.source.strides = all.strides), "source");
        INVALID_TENSORS(plan, NULL, (memcpy(all.strides, wrong[i], sizeof wrong[i]), all.destination.strides = all.strides), "destination");
        CHECK(strstr(multipoint_last_error(), "strides") != NULL);
    }
    /* A dimension of size 1 may have any stride. */
    tensors all;
    good_tensors(&all);
    const int64_t strides[] = {-123456789, 4, 2, 1};
    memcpy(all.strides, strides, sizeof strides);
    all.source.strides = all.strides;
    CHECK_OK(multipoint_plan_execute(plan, &all.source, NULL, &all.destination, NULL));
}

static void test_overlaps(const multipoint_plan *plan, const multipoint_plan *adding) {
    INVALID_TENSORS(plan, NULL, all.source.data = all.destination_data, "overlap");
    INVALID_TENSORS(plan, NULL, all.source.data = (char *)all.destination_data + 31, "overlap");
    INVALID_TENSORS(plan, NULL, all.source.data = (char *)all.destination_data - 31, "overlap");
    INVALID_TENSORS(adding, &all.residual, all.residual.data = all.destination_data, "overlap");
    INVALID_TENSORS(adding, NULL, (void)all, "residual");
    INVALID_TENSORS(adding, &all.residual, all.residual.dtype = MULTIPOINT_U8, "residual: dtype");
    INVALID_TENSORS(adding, &all.residual, all.residual_shape[3] = 1, "residual: shape");
}

static void test_workspace(const multipoint_plan *plan) {
    tensors all;
    good_tensors(&all);
    size_t size = multipoint_plan_workspace_size(plan);
    char *block = malloc(size + 128);
    if (block == NULL) exit(2);
    char *aligned = block + (64 - (uintptr_t)block % 64) % 64;
    CHECK_FAILS(multipoint_plan_execute(plan, &all.source, NULL, &all.destination, aligned + 4), MULTIPOINT_INVALID_ARGUMENT, "workspace");
    CHECK(all.destination_data[0] == 77);
    CHECK_OK(multipoint_plan_execute(plan, &all.source, NULL, &all.destination, aligned));
    free(block);
}

int main(void) {
    test_descriptors();
    test_packed_weights();
    test_float_weights();
    test_longest_row();
    test_unknown_scale();
    test_small_image();
    layer_parts parts;
    multipoint_layer *layer = NULL;
    multipoint_plan *plan = NULL, *adding = NULL;
    multipoint_plan_options options;
    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.height = options.width = 2;
    conv_1x1(&parts);
    if (CHECK_OK(multipoint_layer_create(&parts.descriptor, &layer))) {
        test_plan_options(layer);
        test_huge_plans(layer);
        if (CHECK_OK(multipoint_plan_create(layer, &options, &plan))) {
            test_tensors(plan);
            test_strides(plan);
            test_workspace(plan);
        }
        options.residual_dtype = MULTIPOINT_F32;
        if (CHECK_OK(multipoint_plan_create(layer, &options, &adding)) && plan != NULL) test_overlaps(plan, adding);
    }
    multipoint_plan_destroy(adding);
    multipoint_plan_destroy(plan);
    multipoint_layer_destroy(layer);
    return check_summary("layer errors");
}
