#include <math.h>
#include <string.h>

#include "internal.h"

static void create_packing(calls *c) {
    int64_t channels = read_small(c, 1, 6), row_length = read_small(c, 1, 12), count;
    const bool is_refused = channels < 1 || row_length < 1 || __builtin_mul_overflow(channels, row_length, &count) || count > 1LL << 31;
    if (!is_refused && count > 4096) return;
    if (is_refused) count = 16;
    float *matrix = take(c, (size_t)count * 4);
    multipoint_packing_options *options = take(c, 4096);
    fill_floats(c, matrix, (size_t)count);
    options->struct_size = read_struct_size(c, sizeof *options);
    options->bits = (int32_t)read_small(c, 0, 9);
    options->codebook = (multipoint_codebook)read_small(c, 0, 4);
    options->maximum_points = (int32_t)read_small(c, 0, 4);
    if (one_in(c, 2)) options->epsilon = read_float(c);
    if (one_in(c, 2)) options->relative_epsilon = read_float(c);
    if (one_in(c, 4) && !is_refused) {
        float *moment = take(c, (size_t)(row_length * row_length) * 4);
        if (moment == NULL) return;
        const bool is_plain = one_in(c, 2);
        for (int64_t index = 0; index < row_length * row_length; index++)
            moment[index] = is_plain ? (index % (row_length + 1) == 0) : read_float(c);
        options->second_moment = moment;
    }
    multipoint_packing *const sentinel = (multipoint_packing *)c, *packing = sentinel;
    if (!succeeded(multipoint_packing_create(one_in(c, 64) ? NULL : matrix, (size_t)channels, (size_t)row_length,
                                             one_in(c, 4) ? NULL : options, one_in(c, 64) ? NULL : &packing))) {
        REQUIRE(packing == sentinel);
        return;
    }
    DESTROYED_AND_REPLACED(c->packings, read_byte(c) % SLOTS, packing, multipoint_packing_destroy);
}

// What was packed makes a layer.
static void use(calls *c, multipoint_packing *packing) {
    multipoint_weights *weights = take(c, 4096);
    weights->struct_size = read_struct_size(c, sizeof *weights);
    if (!succeeded(multipoint_packing_weights(packing, one_in(c, 32) ? NULL : weights))) return;
    const size_t count = one_in(c, 16) ? (size_t)read_integer(c) : weights->channels;
    double *errors = take(c, weights->channels * sizeof *errors);
    if (errors == NULL) return;
    const bool done = succeeded(multipoint_packing_errors(packing, one_in(c, 32) ? NULL : errors, count));
    for (size_t index = 0; index < weights->channels && done; index++) REQUIRE(!(errors[index] < 0));
    multipoint_layer_descriptor descriptor = {.struct_size = sizeof descriptor, .op = MULTIPOINT_GEMM, .input_scale = 0.125f};
    weights->struct_size = sizeof *weights;
    descriptor.shape[0] = (int64_t)weights->channels;
    descriptor.shape[1] = (int64_t)weights->row_length;
    descriptor.weights = weights;
    multipoint_layer *layer = NULL;
    REQUIRE(succeeded(multipoint_layer_create(&descriptor, &layer)));
    DESTROYED_AND_REPLACED(c->layers, read_byte(c) % SLOTS, layer, multipoint_layer_destroy);
}

void call_packings(calls *c) {
    const unsigned slot = read_byte(c) % SLOTS;
    switch (read_byte(c) % 4) {
    case 0: case 1: create_packing(c); break;
    case 2: use(c, c->packings[slot]); break;
    default: DESTROYED_AND_REPLACED(c->packings, slot, NULL, multipoint_packing_destroy); break;
    }
}
