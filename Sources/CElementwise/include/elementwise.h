/* Loops over elements, compiled for several instruction sets, of which the machine's widest is chosen. Every version
 * computes the same operations in the same order, so results do not depend on the machine, but for the sign of a float zero.
 * Nothing is allocated. */
#ifndef MULTIPOINT_ELEMENTWISE_H
#define MULTIPOINT_ELEMENTWISE_H

#include <stddef.h>
#include <stdint.h>

/* Real values to 8 bits: clamp(round_half_even(x * inverse_scale) + zero_point, 0, 255); NaN becomes 0's neighbour below, 0. */
typedef struct {
    float inverse_scale;
    float zero_point;
} multipoint_quantizer;

/* `count` floats, which need no alignment. */
void elementwise_quantize(const void *source, uint8_t *destination, size_t count, multipoint_quantizer quantizer);

/* Planes to interleaved channels: destination[p * channels + c] from source[c * plane + p], for positions first <= p < last. `plane` is in
 * elements; floats need no alignment. */
void elementwise_quantize_planes(const void *source, size_t plane, uint8_t *destination, size_t channels, size_t first, size_t last,
                                multipoint_quantizer quantizer);

/* destination[i] = table[source[i]]; in place is allowed. */
void elementwise_look_up(const uint8_t table[256], const uint8_t *source, uint8_t *destination, size_t count);

/* Extra rows of some of 16 neighbouring channels, in the order of these channels in neighbouring columns. */
typedef struct {
    /* Bit i: channel 16 * group + i has an extra row here. */
    uint16_t mask;
    /* The first column for the lower and the upper 8 channels. */
    int32_t columns[2];
    /* For each channel its row's place from its half's first column; -1 without one. */
    int32_t places[16];
} multipoint_extra_rows;

/* What stands beside a layer's rows, see elementwise_sum_rows. */
typedef enum { MULTIPOINT_ADDEND_NONE, MULTIPOINT_ADDEND_F32, MULTIPOINT_ADDEND_U8 } multipoint_addend;
typedef enum { MULTIPOINT_CLAMP, MULTIPOINT_LEAKY, MULTIPOINT_FUNCTION } multipoint_sum_activation;
struct multipoint_unary;

typedef struct {
    size_t channels;
    /* [positions, row_stride]: a channel's first row in its column, then further rows. Eight floats behind the last may be read. */
    const float *rows;
    size_t row_stride;
    /* The further rows of group g, 16 channels, are those from group_starts[g] to before group_starts[g + 1]. */
    const multipoint_extra_rows *extras;
    const uint32_t *group_starts;
    /* Further tensors [positions, term_strides[i]] whose first `channels` columns are added. */
    const float *const *terms;
    const size_t *term_strides;
    size_t term_count;
    const float *bias;
    multipoint_addend addend_type;
    /* [positions, channels] */
    const void *addend;
    float addend_scale;
    float addend_zero_point;
    multipoint_sum_activation activation;
    /* Clamp: the bounds. Leaky: what negative values are multiplied with, in `low`. */
    float low;
    float high;
    /* Any other function. */
    const struct multipoint_unary *function;
    /* [positions, channels]: u8, or float if `is_float`. */
    void *destination;
    int is_float;
    multipoint_quantizer quantizer;
} multipoint_row_sum;

/* Ways to do it, from the narrowest. */
typedef enum { MULTIPOINT_SCALARS, MULTIPOINT_AVX2, MULTIPOINT_AVX512 } multipoint_vectors;

/* The widest that this machine has. */
multipoint_vectors elementwise_widest_vectors(void);

/* For positions first <= p < last:
 *     y[p, c] = activation(rows[p, c] + extra rows of c + terms[p, c] + bias[c] + addend[p, c])
 * stored as float or quantized. `destination` may be `addend` if their types agree. */
void elementwise_sum_rows(const multipoint_row_sum *sum, size_t first, size_t last, multipoint_vectors vectors);

#endif
