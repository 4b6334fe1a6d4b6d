/* Loops over whole axes of tensors in their order in memory: [outer, count, inner]. */
#ifndef MULTIPOINT_AXES_H
#define MULTIPOINT_AXES_H

#include "elementwise.h"

#include <stddef.h>
#include <stdint.h>

typedef enum {
    MULTIPOINT_REDUCE_MEAN,
    MULTIPOINT_REDUCE_SUM,
    MULTIPOINT_REDUCE_MAXIMUM,
    MULTIPOINT_REDUCE_MINIMUM,
    MULTIPOINT_REDUCE_PRODUCT,
    MULTIPOINT_REDUCE_L1,
    MULTIPOINT_REDUCE_L2,
    MULTIPOINT_REDUCE_SUM_OF_SQUARES,
} multipoint_reduction;

/* The pieces of work of a reduction: neighbouring inner elements of one outer index. */
size_t elementwise_reduction_pieces(size_t outer, size_t inner);

/* [outer, count, inner] to [outer, inner], for pieces first <= p < last. Sums and products are double. */
void elementwise_reduce(multipoint_reduction reduction, const float *source, float *destination, size_t count, size_t inner,
                        size_t first, size_t last);

/* The same for the maximum or minimum of bytes. */
void elementwise_reduce_bytes(int is_maximum, const uint8_t *source, uint8_t *destination, size_t count, size_t inner, size_t first,
                              size_t last);

/* Positions along the axis, as floats: of equal elements the first, or the last if `selects_last`. */
void elementwise_argument(int is_maximum, int selects_last, const float *source, float *destination, size_t count, size_t inner,
                          size_t first, size_t last);

/* (x - mean) / sqrt(variance + epsilon) of each of the rows first <= r < last of `count` elements. */
void elementwise_normalize(const float *source, float *destination, size_t count, float epsilon, size_t first, size_t last);

/* ONNX LRN of channels-last pixels first <= p < last:
 *     y[c] = x[c] / (bias + alpha / size * sum of x[i]^2, c - (size - 1) / 2 <= i <= c + size / 2)^beta */
void elementwise_normalize_response(const float *source, float *destination, size_t channels, size_t size, float alpha, float beta,
                                    float bias, size_t first, size_t last);

/* Weighted means along an axis: destination[o, j, i] = sum over k of weights[j * taps + k] * source[o, indices[j * taps + k], i]. */
typedef struct {
    /* Sizes of the axis, of what lies inside of it, and terms of each sum. */
    size_t source_count;
    size_t destination_count;
    size_t inner;
    size_t taps;
    const int32_t *indices;
    const float *weights;
    /* Floats, or bytes that stand for scale * (byte - zero_point). */
    const void *source;
    int source_is_bytes;
    float scale;
    float zero_point;
    void *destination;
    int destination_is_bytes;
    multipoint_quantizer quantizer;
} multipoint_resampling;

/* For first <= o * destination_count + j < last. */
void elementwise_resample(const multipoint_resampling *resampling, size_t first, size_t last);

/* One axis of the result of a rearrangement. */
typedef struct {
    size_t size;
    /* Elements of the source from one index to the next, where there is no table of all offsets. */
    ptrdiff_t stride;
    const int64_t *table;
} multipoint_copy_axis;

enum { MULTIPOINT_COPY_RANK = 16 };

/* destination, dense over the axes, gets the element of the source that lies at the sum of the offsets. */
typedef struct {
    size_t rank;
    const multipoint_copy_axis *axes;
    /* Of an element: 1 or 4. */
    size_t byte_count;
} multipoint_rearrangement;

/* For the rows first <= r < last: all axes but the last as one. `rank` is from 1 to MULTIPOINT_COPY_RANK. */
void elementwise_rearrange(const multipoint_rearrangement *rearrangement, const void *source, void *destination, size_t first, size_t last);

#endif
