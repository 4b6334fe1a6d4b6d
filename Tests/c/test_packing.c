/* Float matrices into points. */
#include "check.h"

#include <limits.h>
#include <stdlib.h>

/* The i-th code of a vector, bit by bit from the least significant. */
static unsigned code_at(const uint8_t *vector, int bits, size_t i) {
    unsigned code = 0;
    for (int bit = 0; bit < bits; bit++) {
        size_t place = i * (size_t)bits + (size_t)bit;
        code |= (unsigned)(vector[place / 8] >> (place % 8) & 1) << bit;
    }
    return code;
}

/* Adds up the points of free scales, from the packed arrays alone. */
static void reconstruct(const multipoint_weights *weights, double *matrix) {
    size_t scale = 0, vectors[255] = {0};
    for (size_t c = 0; c < weights->channels; c++) {
        for (size_t k = 0; k < weights->row_length; k++) matrix[c * weights->row_length + k] = 0;
        for (size_t l = 0; l < weights->points[c]; l++, scale++) {
            const multipoint_level *level = &weights->levels[l];
            int bits = 0;
            while ((size_t)1 << bits < level->codebook_size) bits++;
            size_t byte_count = (weights->row_length * (size_t)bits + 7) / 8;
            const uint8_t *vector = level->codes + byte_count * vectors[l]++;
            for (size_t k = 0; k < weights->row_length; k++) {
                matrix[c * weights->row_length + k] += (double)weights->scales[scale] * level->codebook[code_at(vector, bits, k)];
            }
        }
    }
    for (size_t l = 0; l < weights->level_count; l++) {
        int bits = 0;
        while ((size_t)1 << bits < weights->levels[l].codebook_size) bits++;
        CHECK(weights->levels[l].codes_byte_count == vectors[l] * ((weights->row_length * (size_t)bits + 7) / 8));
    }
    CHECK(scale == weights->scale_count);
}

static double squared_distance(const float *a, const double *b, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

/* With one bit the best point is known: signs, and the mean magnitude. (3, -1, 1, -3) -> 2 (1,-1,1,-1), and what is left,
 * (1, 1, -1, -1), is one more point exactly. */
static void test_by_hand(void) {
    const float matrix[] = {3, -1, 1, -3};
    multipoint_packing_options options = {0};
    options.struct_size = sizeof options;
    options.bits = 1;
    options.maximum_points = 2;
    multipoint_packing *packing = NULL;
    if (!CHECK_OK(multipoint_packing_create(matrix, 1, 4, &options, &packing))) return;
    multipoint_weights weights = {0};
    weights.struct_size = sizeof weights;
    double rebuilt[4], error = -1;
    if (CHECK_OK(multipoint_packing_weights(packing, &weights)) && CHECK(weights.points[0] == 2 && weights.scale_count == 2)) {
        CHECK(weights.channels == 1 && weights.row_length == 4 && weights.ladder == NULL);
        CHECK(fabsf(weights.scales[0] - 2) < 1e-6f && fabsf(weights.scales[1] - 1) < 1e-6f);
        reconstruct(&weights, rebuilt);
        CHECK(squared_distance(matrix, rebuilt, 4) < 1e-10);
    }
    CHECK_OK(multipoint_packing_errors(packing, &error, 1));
    CHECK(error >= 0 && error < 1e-10);
    CHECK_FAILS(multipoint_packing_errors(packing, &error, 2), MULTIPOINT_INVALID_ARGUMENT, "count");
    multipoint_packing_destroy(packing);
}

/* Random matrices: the errors are those of the stored points, every rule is obeyed, and the layer runs. */
static void test_random(void) {
    enum { channels = 6, length = 37 };
    static float matrix[channels * length];
    uint32_t state = 12345;
    for (size_t i = 0; i < channels * length; i++) {
        state = state * 1664525u + 1013904223u;
        matrix[i] = (float)(state >> 8) / (float)(1 << 23) - 1;
    }
    memset(matrix + 2 * length, 0, length * sizeof(float)); /* a channel of zeros needs no point */
    for (int bits = 1; bits <= 8; bits++) {
        multipoint_packing_options options = {0};
        options.struct_size = sizeof options;
        options.bits = bits;
        options.maximum_points = 3;
        options.relative_epsilon = 0.01;
        multipoint_packing *packing = NULL;
        if (!CHECK_OK(multipoint_packing_create(matrix, channels, length, &options, &packing))) continue;
        multipoint_weights weights = {0};
        weights.struct_size = sizeof weights;
        double rebuilt[channels * length], errors[channels];
        CHECK_OK(multipoint_packing_weights(packing, &weights));
        CHECK_OK(multipoint_packing_errors(packing, errors, channels));
        reconstruct(&weights, rebuilt);
        for (size_t c = 0; c < channels; c++) {
            double zeros[length] = {0}, power = squared_distance(matrix + c * length, zeros, length);
            double error = squared_distance(matrix + c * length, rebuilt + c * length, length);
            CHECK(fabs(error - errors[c]) <= 1e-4 * (error + 1e-6));
            CHECK(weights.points[c] <= 3 && (weights.points[c] == 3 || errors[c] <= 0.01 * power + 1e-12));
            CHECK((weights.points[c] == 0) == (c == 2));
        }
        multipoint_packing_destroy(packing);
    }
}

/* The arrays of a packing are what a layer takes; the layer lives on after the packing. */
static void test_into_layer(void) {
    const float matrix[] = {3, -1, 1, -3};
    multipoint_packing_options options = {0};
    options.struct_size = sizeof options;
    options.bits = 1;
    options.maximum_points = 2;
    multipoint_packing *packing = NULL;
    multipoint_layer *layer = NULL;
    multipoint_weights weights = {0};
    weights.struct_size = sizeof weights;
    if (!CHECK_OK(multipoint_packing_create(matrix, 1, 4, &options, &packing))) return;
    CHECK_OK(multipoint_packing_weights(packing, &weights));
    multipoint_layer_descriptor descriptor = {0};
    descriptor.struct_size = sizeof descriptor;
    descriptor.op = MULTIPOINT_GEMM;
    descriptor.shape[0] = 1;
    descriptor.shape[1] = 4;
    descriptor.weights = &weights;
    descriptor.input_scale = 1;
    CHECK_OK(multipoint_layer_create(&descriptor, &layer));
    multipoint_packing_destroy(packing);
    multipoint_plan_options plan_options = {0};
    plan_options.struct_size = sizeof plan_options;
    plan_options.source_dtype = MULTIPOINT_U8;
    multipoint_plan *plan = NULL;
    if (CHECK_OK(multipoint_plan_create(layer, &plan_options, &plan))) {
        unsigned char values[] = {10, 20, 30, 250};
        const int64_t shape[] = {1, 4}, result_shape[] = {1, 1};
        float result = 0;
        multipoint_tensor source = {values, sizeof values, MULTIPOINT_U8, 2, shape, NULL};
        multipoint_tensor destination = {&result, sizeof result, MULTIPOINT_F32, 2, result_shape, NULL};
        CHECK_OK(multipoint_plan_execute(plan, &source, NULL, &destination, NULL));
        CHECK(fabsf(result - (30 - 20 + 30 - 750)) < 1e-3f);
    }
    multipoint_plan_destroy(plan);
    multipoint_layer_destroy(layer);
}

static void test_refused_matrices(void) {
    const float not_finite[] = {NAN, INFINITY, -INFINITY};
    multipoint_packing *packing = NULL;
    for (int i = 0; i < 3; i++) {
        float matrix[] = {1, 2, 3, 4, 5, not_finite[i]};
        CHECK_FAILS(multipoint_packing_create(matrix, 2, 3, NULL, &packing), MULTIPOINT_INVALID_ARGUMENT, "channel 1");
    }
    const float matrix[] = {1, 2, 3, 4, 5, 6};
    CHECK_FAILS(multipoint_packing_create(matrix, 0, 3, NULL, &packing), MULTIPOINT_INVALID_ARGUMENT, "channels");
    CHECK_FAILS(multipoint_packing_create(matrix, 2, 0, NULL, &packing), MULTIPOINT_INVALID_ARGUMENT, "row_length");
    CHECK_FAILS(multipoint_packing_create(matrix, (size_t)-1, 3, NULL, &packing), MULTIPOINT_INVALID_ARGUMENT, "channels");
    CHECK_FAILS(multipoint_packing_create(matrix, (size_t)1 << 40, (size_t)1 << 40, NULL, &packing), MULTIPOINT_INVALID_ARGUMENT, NULL);
    CHECK(packing == NULL);
}

static void test_refused_options(void) {
    const float matrix[] = {1, 2, 3, 4, 5, 6};
    const float second_moment[] = {1, 0, 0, 0, NAN, 0, 0, 0, 1};
    multipoint_packing *packing = NULL;
#define REFUSED(change, words)                                                                                          \
    do {                                                                                                                \
        multipoint_packing_options options = {0};                                                                       \
        options.struct_size = sizeof options;                                                                           \
        change;                                                                                                         \
        CHECK_FAILS(multipoint_packing_create(matrix, 2, 3, &options, &packing), MULTIPOINT_INVALID_ARGUMENT, words);   \
    } while (0)
    REFUSED(options.bits = -1, "bits");
    REFUSED(options.bits = 9, "bits");
    REFUSED((options.bits = 7, options.codebook = MULTIPOINT_CODEBOOK_ODD), "bits");
    REFUSED((options.bits = 1, options.codebook = MULTIPOINT_CODEBOOK_UNIFORM), "bits");
    REFUSED((options.bits = 5, options.codebook = MULTIPOINT_CODEBOOK_SUBSET), "bits");
    REFUSED(options.codebook = (multipoint_codebook)4, "codebook");
    REFUSED(options.maximum_points = -1, "maximum");
    REFUSED(options.maximum_points = 256, "maximum");
    REFUSED(options.maximum_points = INT_MIN, "maximum");
    REFUSED(options.epsilon = -1, "epsilon");
    REFUSED(options.epsilon = NAN, "epsilon");
    REFUSED(options.relative_epsilon = -0.5, "relative");
    REFUSED(options.relative_epsilon = NAN, "relative");
    REFUSED(options.second_moment = second_moment, "second");
#undef REFUSED
    CHECK(packing == NULL);
}

int main(void) {
    test_by_hand();
    test_random();
    test_into_layer();
    test_refused_matrices();
    test_refused_options();
    return check_summary("packing");
}
