#include "sample_layers.h"

#include <string.h>

static void two_levels(layer_parts *parts, size_t channels, size_t row_length, size_t bytes_per_vector) {
    parts->codebook[0] = -1;
    parts->codebook[1] = 1;
    size_t vectors[2] = {channels, 1};
    for (int level = 0; level < 2; level++) {
        parts->levels[level].codebook = parts->codebook;
        parts->levels[level].codebook_size = 2;
        parts->levels[level].codes = parts->codes[level];
        parts->levels[level].codes_byte_count = vectors[level] * bytes_per_vector;
    }
    parts->weights.struct_size = sizeof parts->weights;
    parts->weights.channels = channels;
    parts->weights.row_length = row_length;
    parts->weights.points = parts->points;
    parts->weights.level_count = 2;
    parts->weights.levels = parts->levels;
    parts->weights.scales = parts->scales;
    parts->descriptor.struct_size = sizeof parts->descriptor;
    parts->descriptor.weights = &parts->weights;
}

void conv_1x1(layer_parts *parts) {
    memset(parts, 0, sizeof *parts);
    two_levels(parts, 2, 2, 1);
    parts->points[0] = 2;
    parts->points[1] = 1;
    parts->codes[0][0] = 0x1; /* (1, -1) */
    parts->codes[0][1] = 0x1; /* (1, -1) */
    parts->codes[1][0] = 0x3; /* (1, 1) */
    parts->scales[0] = 0.5f;
    parts->scales[1] = 0.375f;
    parts->scales[2] = 2.0f;
    parts->weights.scale_count = 3;
    parts->bias[0] = 1;
    parts->descriptor.name = "conv_1x1";
    parts->descriptor.op = MULTIPOINT_CONV;
    parts->descriptor.shape[0] = parts->descriptor.shape[1] = 2;
    parts->descriptor.shape[2] = parts->descriptor.shape[3] = 1;
    parts->descriptor.bias = parts->bias;
    parts->descriptor.input_scale = 0.5f;
    parts->descriptor.input_zero_point = 2;
}

void gemm(layer_parts *parts) {
    memset(parts, 0, sizeof *parts);
    two_levels(parts, 2, 2, 1);
    parts->points[0] = 2;
    parts->points[1] = 1;
    parts->codes[0][0] = 0x3; /* (1, 1) */
    parts->codes[0][1] = 0x1; /* (1, -1) */
    parts->codes[1][0] = 0x1; /* (1, -1) */
    parts->ladder[0] = 2;
    parts->weights.ladder = parts->ladder;
    parts->scales[0] = 0.25f;
    parts->scales[1] = 0.5f;
    parts->weights.scale_count = 2;
    parts->bias[1] = 10;
    parts->descriptor.name = "gemm";
    parts->descriptor.op = MULTIPOINT_GEMM;
    parts->descriptor.shape[0] = parts->descriptor.shape[1] = 2;
    parts->descriptor.bias = parts->bias;
    parts->descriptor.input_scale = 0.125f;
}

void conv_3x3(layer_parts *parts) {
    memset(parts, 0, sizeof *parts);
    two_levels(parts, 1, 9, 2);
    parts->points[0] = 2;
    parts->codes[0][0] = 0xFF; /* nine codes of 1 */
    parts->codes[0][1] = 0x01;
    parts->codes[1][0] = 0xEF; /* the fifth is 0 */
    parts->codes[1][1] = 0x01;
    parts->scales[0] = 1;
    parts->scales[1] = 0.375f;
    parts->weights.scale_count = 2;
    parts->descriptor.name = "conv_3x3";
    parts->descriptor.op = MULTIPOINT_CONV;
    parts->descriptor.shape[0] = parts->descriptor.shape[1] = 1;
    parts->descriptor.shape[2] = parts->descriptor.shape[3] = 3;
    for (int i = 0; i < 4; i++) parts->descriptor.pads[i] = 1;
    parts->descriptor.input_scale = 1;
}
