#include <string.h>

#include "internal.h"

// The library's own bound of what it believes; below it, arrays have to be as large as stated.
enum { BELIEVED = INT32_MAX };

static bool make_levels(calls *c, multipoint_weights *weights, int64_t vectors_length) {
    const int64_t count = (int64_t)weights->level_count;
    multipoint_level *levels = array_of(c, count, sizeof *levels, 255);
    if (levels == NULL) return false;
    weights->levels = levels;
    if (count < 0 || count > 255) return true;
    for (int64_t index = 0; index < count; index++) {
        multipoint_level *level = &levels[index];
        const int bits = 1 + (int)(read_byte(c) % 8);
        level->codebook_size = one_in(c, 32) ? (size_t)read_integer(c) : (size_t)1 << bits;
        int8_t *book = array_of(c, (int64_t)level->codebook_size, 1, 256);
        if (book == NULL) return false;
        const int64_t readable = level->codebook_size <= 256 ? (int64_t)level->codebook_size : 64;
        const unsigned start = read_byte(c);
        for (int64_t entry = 0; entry < readable; entry++) book[entry] = (int8_t)(2 * entry - readable + 1 + (start > 200 ? start : 0));
        level->codebook = one_in(c, 64) ? NULL : book;
        int64_t vectors = 0;
        const int64_t channels = (int64_t)weights->channels;
        for (int64_t channel = 0; channel < (channels <= 4096 ? channels : 64); channel++)
            vectors += weights->points != NULL && weights->points[channel] > index;
        int64_t bytes = vectors * ((vectors_length * bits + 7) / 8);
        if (one_in(c, 32)) bytes = read_integer(c);
        uint8_t *codes = array_of(c, bytes, 1, 1LL << 40);
        if (codes == NULL) return false;
        const int64_t written = bytes <= 1 << 20 ? bytes : 64;
        for (int64_t byte = 0; byte < written; byte++) codes[byte] = (uint8_t)(byte * 61 + start);
        level->codes = codes;
        level->codes_byte_count = (size_t)bytes;
    }
    return true;
}

static bool make_weights(calls *c, multipoint_weights *weights, int64_t channels, int64_t row_length) {
    weights->struct_size = read_struct_size(c, sizeof *weights);
    if (one_in(c, 32)) channels = read_integer(c);
    if (one_in(c, 32)) row_length = read_integer(c);
    weights->channels = (size_t)channels;
    weights->row_length = (size_t)row_length;
    weights->level_count = (size_t)read_small(c, 1, 3);
    uint8_t *points = array_of(c, channels, 1, BELIEVED);
    if (points == NULL) return false;
    int64_t total = 0;
    const int64_t written = channels <= 4096 ? channels : 64;
    for (int64_t channel = 0; channel < written; channel++) {
        points[channel] = (uint8_t)(weights->level_count < 4 ? read_byte(c) % (weights->level_count + 1) : 1);
        if (one_in(c, 64)) points[channel] = (uint8_t)read_byte(c);
        total += points[channel];
    }
    // Fewer bytes than channels are there only if that many channels are refused.
    if (channels > 4096 && channels <= BELIEVED) return false;
    weights->points = points;
    if (row_length < 0 || row_length > 1 << 16) row_length = 1;
    if (!make_levels(c, weights, row_length)) return false;
    const int64_t level_count = (int64_t)weights->level_count;
    if (one_in(c, 2)) {
        int32_t *ladder = array_of(c, level_count, sizeof *ladder, 255);
        if (ladder == NULL) return false;
        for (int64_t index = 0; index < level_count && level_count <= 255; index++) ladder[index] = (int32_t)read_small(c, 2, 8);
        weights->ladder = ladder;
        total = channels;
    }
    weights->scale_count = one_in(c, 32) ? (size_t)read_integer(c) : (size_t)total;
    float *scales = array_of(c, (int64_t)weights->scale_count, sizeof *scales, 1LL << 40);
    if (scales == NULL) return false;
    for (size_t index = 0; index < weights->scale_count && weights->scale_count <= 4096; index++) scales[index] = read_scale(c);
    weights->scales = one_in(c, 64) ? NULL : scales;
    return true;
}

static void create_layer(calls *c) {
    multipoint_layer_descriptor *d = take(c, 4096);
    multipoint_weights *weights = take(c, 4096);
    d->struct_size = read_struct_size(c, sizeof *d);
    d->op = one_in(c, 64) ? (multipoint_operator)read_integer(c) : one_in(c, 3) ? MULTIPOINT_GEMM : MULTIPOINT_CONV;
    d->name = one_in(c, 16) ? "\xff\xfe" : one_in(c, 2) ? "layer" : NULL;
    d->shape[0] = read_small(c, 1, 8);
    d->shape[1] = read_small(c, 1, 6);
    d->shape[2] = read_small(c, 1, 5);
    d->shape[3] = read_small(c, 1, 5);
    if (one_in(c, 2)) {
        for (int axis = 0; axis < 2; axis++) d->strides[axis] = read_small(c, 0, 3);
        for (int side = 0; side < 4; side++) d->pads[side] = read_small(c, 0, 4);
        for (int axis = 0; axis < 2; axis++) d->dilations[axis] = read_small(c, 0, 3);
        d->group = read_small(c, 0, 8);
        if (d->group > 1 && d->group <= d->shape[0] && one_in(c, 2)) d->shape[1] = 1, d->shape[0] = d->group * (1 + read_byte(c) % 2);
    }
    // Arrays for all sizes that may be believed.
    const int rank = d->op == MULTIPOINT_GEMM ? 2 : 4;
    int64_t count = 1, row_length = 1;
    for (int axis = 0; axis < rank; axis++) {
        if (d->shape[axis] < 1 || __builtin_mul_overflow(count, d->shape[axis], &count)) count = INT64_MAX;
        if (count == INT64_MAX) break;
        if (axis > 0) row_length *= d->shape[axis];
    }
    const bool is_believed = count <= 1LL << 31;
    if (is_believed && count > 1 << 16) return;
    if (!is_believed) row_length = 4;
    const int64_t channels = is_believed ? d->shape[0] : 4;
    if (!one_in(c, 3)) {
        if (!make_weights(c, weights, channels, row_length)) return;
        d->weights = weights;
    }
    if (d->weights == NULL || one_in(c, 64)) {
        float *values = take(c, is_believed ? (size_t)count * 4 : 64);
        if (values == NULL) return;
        fill_floats(c, values, is_believed ? (size_t)count : 16);
        d->float_weights = one_in(c, 64) ? NULL : values;
    }
    if (one_in(c, 2)) {
        float *bias = take(c, (size_t)channels * 4);
        if (bias == NULL) return;
        fill_floats(c, bias, (size_t)channels);
        d->bias = bias;
    }
    d->input_scale = read_scale(c);
    d->input_zero_point = (int32_t)read_small(c, 0, 200);
    d->output_scale = read_scale(c);
    d->output_zero_point = (int32_t)read_small(c, 0, 200);
    multipoint_layer *const sentinel = (multipoint_layer *)c, *layer = sentinel;
    if (!succeeded(multipoint_layer_create(one_in(c, 64) ? NULL : d, one_in(c, 64) ? NULL : &layer))) {
        REQUIRE(layer == sentinel);
        return;
    }
    DESTROYED_AND_REPLACED(c->layers, read_byte(c) % SLOTS, layer, multipoint_layer_destroy);
}

static void find_layer(calls *c) {
    static const char *const names[] = {"conv", "depthwise", "float", "gemm", "square", "", "\xff", NULL};
    multipoint_layer *layer = NULL;
    multipoint_model *model = c->models[read_byte(c) % SLOTS];
    if (succeeded(multipoint_layer_from_model(model, names[read_byte(c) % 8], one_in(c, 32) ? NULL : &layer)))
        DESTROYED_AND_REPLACED(c->layers, read_byte(c) % SLOTS, layer, multipoint_layer_destroy);
    else
        REQUIRE(layer == NULL);
}

static void describe(calls *c, multipoint_layer *layer) {
    multipoint_layer_info *info = take(c, 4096);
    info->struct_size = read_struct_size(c, sizeof *info);
    if (succeeded(multipoint_layer_describe(layer, one_in(c, 32) ? NULL : info)))
        REQUIRE(info->name != NULL && info->execution != NULL && info->channels >= 1 && info->row_length >= 1);
    multipoint_rows *rows = take(c, 4096);
    rows->struct_size = read_struct_size(c, sizeof *rows);
    if (!succeeded(multipoint_layer_rows(layer, rows))) return;
    for (size_t row = 0; row < rows->row_count; row++) {
        REQUIRE(rows->scales[row] > 0 && rows->channels[row] >= 0);
        for (size_t entry = 0; entry < rows->row_length; entry++) {
            const int value = rows->values[row * rows->row_length + entry];
            REQUIRE(value >= -64 && value <= 64);
        }
    }
}

void call_layers(calls *c) {
    switch (read_byte(c) % 8) {
    case 0: case 1: case 2: case 3: create_layer(c); break;
    case 4: case 5: find_layer(c); break;
    case 6: describe(c, c->layers[read_byte(c) % SLOTS]); break;
    default: DESTROYED_AND_REPLACED(c->layers, read_byte(c) % SLOTS, NULL, multipoint_layer_destroy); break;
    }
}
