#include "elementwise.h"

#include <math.h>
#include <string.h>

/* A fused multiplication and addition would round differently from the two that narrower instruction sets have. */
#pragma STDC FP_CONTRACT OFF

#define CLONES __attribute__((target_clones("default", "avx2", "arch=x86-64-v4")))
#define INLINE static inline __attribute__((always_inline))

/* Callers' floats. */
typedef float __attribute__((aligned(1))) unaligned_float;

/* Adding 1.5 * 2^23 to a number of at most 22 bits rounds it half to even into the low bits. */
static const float magic = 12582912.0f;

INLINE uint8_t quantized(float value, float inverse_scale, float zero_point) {
    /* Clamped before rounding, where the sum with the constant is exact. Comparisons with NaN are false. */
    float scaled = value * inverse_scale;
    scaled = scaled > -512.0f ? scaled : -512.0f;
    scaled = scaled < 512.0f ? scaled : 512.0f;
    float stored = (scaled + magic) - magic + zero_point;
    stored = stored > 0.0f ? stored : 0.0f;
    stored = stored < 255.0f ? stored : 255.0f;
    return (uint8_t)(int32_t)stored;
}

CLONES void multipoint_quantize(const void *source, uint8_t *restrict destination, size_t count, multipoint_quantizer quantizer) {
    const float inverse_scale = quantizer.inverse_scale, zero_point = quantizer.zero_point;
    const unaligned_float *from = source;
    for (size_t i = 0; i < count; i++) destination[i] = quantized(from[i], inverse_scale, zero_point);
}

enum { BLOCK = 256 };

/* A block of one plane after the other, then interleaved from the cache. */
CLONES void multipoint_quantize_planes(
    const void *source, size_t plane, uint8_t *restrict destination, size_t channels, size_t first, size_t last,
    multipoint_quantizer quantizer
) {
    const float inverse_scale = quantizer.inverse_scale, zero_point = quantizer.zero_point;
    if (channels == 1) return multipoint_quantize((const unaligned_float *)source + first, destination + first, last - first, quantizer);
    uint8_t block[3 * BLOCK];
    for (size_t start = first; start < last; start += BLOCK) {
        size_t count = last - start < BLOCK ? last - start : BLOCK;
        for (size_t channel = 0; channel < channels; channel += 3) {
            size_t together = channels - channel < 3 ? channels - channel : 3;
            for (size_t c = 0; c < together; c++) {
                const unaligned_float *from = (const unaligned_float *)source + (channel + c) * plane + start;
                for (size_t i = 0; i < count; i++) block[c * BLOCK + i] = quantized(from[i], inverse_scale, zero_point);
            }
            uint8_t *to = destination + start * channels + channel;
            if (channels == 3) {
                for (size_t i = 0; i < count; i++) {
                    to[3 * i] = block[i];
                    to[3 * i + 1] = block[BLOCK + i];
                    to[3 * i + 2] = block[2 * BLOCK + i];
                }
            } else {
                for (size_t c = 0; c < together; c++) {
                    for (size_t i = 0; i < count; i++) to[i * channels + c] = block[c * BLOCK + i];
                }
            }
        }
    }
}

void multipoint_look_up(const uint8_t table[256], const uint8_t *source, uint8_t *destination, size_t count) {
    for (size_t i = 0; i < count; i++) destination[i] = table[source[i]];
}

/* Everything about a sum that its inner loop should not ask. */
INLINE void finish_row(
    const multipoint_row_sum *sum, float *restrict row, size_t position, multipoint_addend addend, multipoint_sum_activation activation,
    int is_float
) {
    const size_t channels = sum->channels;
    const float *restrict bias = sum->bias;
    const float scale = sum->addend_scale, zero_point = sum->addend_zero_point, low = sum->low, high = sum->high;
    const float inverse_scale = sum->quantizer.inverse_scale, step_zero_point = sum->quantizer.zero_point;
    const uint8_t *bytes = (const uint8_t *)sum->addend + (addend == MULTIPOINT_ADDEND_U8 ? position * channels : 0);
    const unaligned_float *floats = (const unaligned_float *)sum->addend + (addend == MULTIPOINT_ADDEND_F32 ? position * channels : 0);
    uint8_t *stored = (uint8_t *)sum->destination + (is_float ? 0 : position * channels);
    unaligned_float *real = (unaligned_float *)sum->destination + (is_float ? position * channels : 0);
    /* Overlaps only where the destination is the addend, element by element. */
#pragma clang loop vectorize(assume_safety)
    for (size_t c = 0; c < channels; c++) {
        float value = row[c] + bias[c];
        if (addend == MULTIPOINT_ADDEND_U8) value += scale * ((float)bytes[c] - zero_point);
        if (addend == MULTIPOINT_ADDEND_F32) value += floats[c];
        if (activation == MULTIPOINT_CLAMP) {
            /* NaN stays. */
            value = value < low ? low : value;
            value = value > high ? high : value;
        } else if (activation == MULTIPOINT_LEAKY) {
            value = value < 0 ? low * value : value;
        } else {
            value = 1 / (1 + expf(-value));
        }
        if (is_float) {
            real[c] = value;
        } else {
            stored[c] = quantized(value, inverse_scale, step_zero_point);
        }
    }
}

INLINE void add_rows(const multipoint_row_sum *sum, float *row, size_t position) {
    const size_t channels = sum->channels;
    for (size_t term = 0; term < sum->term_count; term++) {
        const float *restrict other = sum->terms[term] + position * sum->term_strides[term];
        for (size_t c = 0; c < channels; c++) row[c] += other[c];
    }
    const float *extras = row + channels;
    const int32_t *channel = sum->extra_channels;
    for (size_t extra = 0; extra < sum->extra_count; extra++) row[channel[extra]] += extras[extra];
}

/* Extra rows are added some positions ahead of the vector loop, which else would wait for the single stores before it. */
INLINE void sum_rows(
    const multipoint_row_sum *sum, size_t first, size_t last, multipoint_addend addend, multipoint_sum_activation activation,
    int is_float
) {
    size_t ahead = 4096 / (sum->row_stride + 1) + 1;
    for (size_t start = first; start < last; start += ahead) {
        size_t end = last - start < ahead ? last : start + ahead;
        for (size_t p = start; p < end; p++) add_rows(sum, sum->rows + p * sum->row_stride, p);
        for (size_t p = start; p < end; p++) finish_row(sum, sum->rows + p * sum->row_stride, p, addend, activation, is_float);
    }
}

CLONES void multipoint_sum_rows(const multipoint_row_sum *sum, size_t first, size_t last) {
    const multipoint_addend addend = sum->addend_type;
    if (sum->activation == MULTIPOINT_CLAMP && !sum->is_float) {
        if (addend == MULTIPOINT_ADDEND_NONE) {
            sum_rows(sum, first, last, MULTIPOINT_ADDEND_NONE, MULTIPOINT_CLAMP, 0);
        } else if (addend == MULTIPOINT_ADDEND_U8) {
            sum_rows(sum, first, last, MULTIPOINT_ADDEND_U8, MULTIPOINT_CLAMP, 0);
        } else {
            sum_rows(sum, first, last, MULTIPOINT_ADDEND_F32, MULTIPOINT_CLAMP, 0);
        }
    } else if (sum->activation == MULTIPOINT_CLAMP && addend == MULTIPOINT_ADDEND_NONE) {
        sum_rows(sum, first, last, MULTIPOINT_ADDEND_NONE, MULTIPOINT_CLAMP, 1);
    } else {
        sum_rows(sum, first, last, addend, sum->activation, sum->is_float);
    }
}
