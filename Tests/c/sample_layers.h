/* Layers from the caller's own arrays, with one bit per code so that they can be checked by hand. */
#ifndef SAMPLE_LAYERS_H
#define SAMPLE_LAYERS_H

#include <multipoint.h>

/* A descriptor and everything that it points to; changing a field makes a wrong one. */
typedef struct layer_parts {
    int8_t codebook[2];
    uint8_t points[2];
    uint8_t codes[2][4];
    float scales[3];
    float bias[2];
    int32_t ladder[1];
    multipoint_level levels[2];
    multipoint_weights weights;
    multipoint_layer_descriptor descriptor;
} layer_parts;

/* The `conv` of packed_file.h: (0.875, -0.125) + 1 and (2, -2), input scale 0.5, zero point 2. */
void conv_1x1(layer_parts *parts);
/* Its `classifier`: (0.75, 0.25) + 0 and (0.5, -0.5) + 10, a ladder, input scale 0.125, zero point 0. */
void gemm(layer_parts *parts);
/* Conv 3x3, one channel to one, padding 1, input scale 1, zero point 0, no bias: all ones, and 0.375 times all ones but -1 in
 * the middle. */
void conv_3x3(layer_parts *parts);

#endif
