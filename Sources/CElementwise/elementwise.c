#include "elementwise.h"
#include "functions.h"
#include "internal.h"

#include <immintrin.h>
#include <string.h>

/* A fused multiplication and addition would round differently from the two that narrower instruction sets have. */
#pragma STDC FP_CONTRACT OFF

/* Callers' floats. */
typedef float __attribute__((aligned(1))) unaligned_float;

CLONES void elementwise_quantize(const void *source, uint8_t *restrict destination, size_t count, multipoint_quantizer quantizer) {
    const float inverse_scale = quantizer.inverse_scale, zero_point = quantizer.zero_point;
    const unaligned_float *from = source;
    for (size_t i = 0; i < count; i++) destination[i] = quantized(from[i], inverse_scale, zero_point);
}

/* A block of one plane after the other, then interleaved from the cache. */
CLONES void elementwise_quantize_planes(
    const void *source, size_t plane, uint8_t *restrict destination, size_t channels, size_t first, size_t last,
    multipoint_quantizer quantizer
) {
    const float inverse_scale = quantizer.inverse_scale, zero_point = quantizer.zero_point;
    if (channels == 1) return elementwise_quantize((const unaligned_float *)source + first, destination + first, last - first, quantizer);
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

void elementwise_look_up(const uint8_t table[256], const uint8_t *source, uint8_t *destination, size_t count) {
    for (size_t i = 0; i < count; i++) destination[i] = table[source[i]];
}

/* Up to 16 channels, at a position: rows, extra rows, further terms, bias, residual, activation, in this order in every version. */

INLINE float one_sum(const multipoint_row_sum *sum, size_t p, size_t c) {
    const float *row = sum->rows + p * sum->row_stride;
    float value = row[c];
    for (uint32_t e = sum->group_starts[c / 16]; e < sum->group_starts[c / 16 + 1]; e++) {
        const multipoint_extra_rows *extra = &sum->extras[e];
        if (extra->mask >> c % 16 & 1) value += row[extra->columns[c % 16 / 8] + extra->places[c % 16]];
    }
    for (size_t t = 0; t < sum->term_count; t++) value += sum->terms[t][p * sum->term_strides[t] + c];
    value += sum->bias[c];
    if (sum->addend_type == MULTIPOINT_ADDEND_U8) {
        value += sum->addend_scale * ((float)((const uint8_t *)sum->addend)[p * sum->channels + c] - sum->addend_zero_point);
    } else if (sum->addend_type == MULTIPOINT_ADDEND_F32) {
        value += ((const unaligned_float *)sum->addend)[p * sum->channels + c];
    }
    switch (sum->activation) {
    case MULTIPOINT_CLAMP:
        /* NaN stays. */
        value = value < sum->low ? sum->low : value;
        return value > sum->high ? sum->high : value;
    case MULTIPOINT_LEAKY: return value < 0 ? sum->low * value : value;
    case MULTIPOINT_FUNCTION: break;
    }
    return value;
}

/* A block at a time through a function that has no vectors of its own here. */
static void sum_and_apply(const multipoint_row_sum *sum, size_t p) {
    float block[BLOCK];
    for (size_t start = 0; start < sum->channels; start += BLOCK) {
        const size_t count = sum->channels - start < BLOCK ? sum->channels - start : BLOCK, at = p * sum->channels + start;
        for (size_t i = 0; i < count; i++) block[i] = one_sum(sum, p, start + i);
        elementwise_apply(*sum->function, block, block, count);
        if (sum->is_float) {
            memcpy((float *)sum->destination + at, block, count * sizeof(float));
        } else {
            elementwise_quantize(block, (uint8_t *)sum->destination + at, count, sum->quantizer);
        }
    }
}

static void sum_channels(const multipoint_row_sum *sum, size_t p, size_t first, size_t last) {
    for (size_t c = first; c < last; c++) {
        float value = one_sum(sum, p, c);
        if (sum->is_float) {
            ((unaligned_float *)sum->destination)[p * sum->channels + c] = value;
        } else {
            ((uint8_t *)sum->destination)[p * sum->channels + c] =
                quantized(value, sum->quantizer.inverse_scale, sum->quantizer.zero_point);
        }
    }
}

/* Values out of range of bytes stay so when they become integers, which saturate on the way to bytes. */
static const float far_out = 16384.0f;

__attribute__((target("avx2"))) static void sum_avx2(const multipoint_row_sum *sum, size_t first, size_t last) {
    const size_t channels = sum->channels, whole = channels / 8 * 8;
    const __m256 low = _mm256_set1_ps(sum->low), high = _mm256_set1_ps(sum->high);
    const __m256 inverse = _mm256_set1_ps(sum->quantizer.inverse_scale), most = _mm256_set1_ps(far_out);
    const __m256i zero_point = _mm256_set1_epi32((int32_t)sum->quantizer.zero_point);
    const __m256 scale = _mm256_set1_ps(sum->addend_scale), addend_zero = _mm256_set1_ps(sum->addend_zero_point);
    for (size_t p = first; p < last; p++) {
        const float *row = sum->rows + p * sum->row_stride;
        for (size_t c = 0; c < whole; c += 8) {
            const size_t at = p * channels + c, half = c % 16 / 8;
            __m256 value = _mm256_loadu_ps(row + c);
            for (uint32_t e = sum->group_starts[c / 16]; e < sum->group_starts[c / 16 + 1]; e++) {
                const multipoint_extra_rows *extra = &sum->extras[e];
                const __m256i places = _mm256_loadu_si256((const __m256i *)(extra->places + 8 * half));
                const __m256 rows = _mm256_permutevar8x32_ps(_mm256_loadu_ps(row + extra->columns[half]), places);
                value = _mm256_add_ps(value, _mm256_andnot_ps(_mm256_castsi256_ps(_mm256_srai_epi32(places, 31)), rows));
            }
            for (size_t t = 0; t < sum->term_count; t++) {
                value = _mm256_add_ps(value, _mm256_loadu_ps(sum->terms[t] + p * sum->term_strides[t] + c));
            }
            value = _mm256_add_ps(value, _mm256_loadu_ps(sum->bias + c));
            if (sum->addend_type == MULTIPOINT_ADDEND_U8) {
                const __m128i bytes = _mm_loadl_epi64((const __m128i *)((const uint8_t *)sum->addend + at));
                const __m256 stored = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
                value = _mm256_add_ps(value, _mm256_mul_ps(scale, _mm256_sub_ps(stored, addend_zero)));
            } else if (sum->addend_type == MULTIPOINT_ADDEND_F32) {
                value = _mm256_add_ps(value, _mm256_loadu_ps((const float *)sum->addend + at));
            }
            /* Where one operand is NaN these give the second. */
            value = _mm256_min_ps(high, _mm256_max_ps(low, value));
            if (sum->is_float) {
                _mm256_storeu_ps((float *)sum->destination + at, value);
                continue;
            }
            const __m256i whole_steps = _mm256_cvtps_epi32(_mm256_min_ps(most, _mm256_mul_ps(value, inverse)));
            const __m256i stored = _mm256_max_epi32(_mm256_add_epi32(whole_steps, zero_point), _mm256_setzero_si256());
            const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(stored), _mm256_extracti128_si256(stored, 1));
            _mm_storel_epi64((__m128i *)((uint8_t *)sum->destination + at), _mm_packus_epi16(words, words));
        }
        sum_channels(sum, p, whole, channels);
    }
}

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))

AVX512 static void sum_avx512(const multipoint_row_sum *sum, size_t first, size_t last) {
    const size_t channels = sum->channels;
    const __m512 low = _mm512_set1_ps(sum->low), high = _mm512_set1_ps(sum->high);
    const __m512 inverse = _mm512_set1_ps(sum->quantizer.inverse_scale), most = _mm512_set1_ps(far_out);
    const __m512i zero_point = _mm512_set1_epi32((int32_t)sum->quantizer.zero_point);
    const __m512 scale = _mm512_set1_ps(sum->addend_scale), addend_zero = _mm512_set1_ps(sum->addend_zero_point);
    for (size_t p = first; p < last; p++) {
        const float *row = sum->rows + p * sum->row_stride;
        for (size_t c = 0; c < channels; c += 16) {
            const size_t at = p * channels + c;
            const __mmask16 lanes = channels - c >= 16 ? 0xFFFF : (__mmask16)((1u << (channels - c)) - 1);
            __m512 value = _mm512_maskz_loadu_ps(lanes, row + c);
            for (uint32_t e = sum->group_starts[c / 16]; e < sum->group_starts[c / 16 + 1]; e++) {
                const multipoint_extra_rows *extra = &sum->extras[e];
                value = _mm512_add_ps(value, _mm512_maskz_expandloadu_ps(extra->mask, row + extra->columns[0]));
            }
            for (size_t t = 0; t < sum->term_count; t++) {
                value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(lanes, sum->terms[t] + p * sum->term_strides[t] + c));
            }
            value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(lanes, sum->bias + c));
            if (sum->addend_type == MULTIPOINT_ADDEND_U8) {
                const __m128i bytes = _mm_maskz_loadu_epi8(lanes, (const uint8_t *)sum->addend + at);
                const __m512 stored = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
                value = _mm512_add_ps(value, _mm512_mul_ps(scale, _mm512_sub_ps(stored, addend_zero)));
            } else if (sum->addend_type == MULTIPOINT_ADDEND_F32) {
                value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(lanes, (const float *)sum->addend + at));
            }
            value = _mm512_min_ps(high, _mm512_max_ps(low, value));
            if (sum->is_float) {
                _mm512_mask_storeu_ps((float *)sum->destination + at, lanes, value);
                continue;
            }
            const __m512i whole_steps = _mm512_cvtps_epi32(_mm512_min_ps(most, _mm512_mul_ps(value, inverse)));
            const __m512i stored = _mm512_max_epi32(_mm512_add_epi32(whole_steps, zero_point), _mm512_setzero_si512());
            _mm_mask_storeu_epi8((uint8_t *)sum->destination + at, lanes, _mm512_cvtusepi32_epi8(stored));
        }
    }
}

multipoint_vectors elementwise_widest_vectors(void) {
    if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
        return MULTIPOINT_AVX512;
    }
    return __builtin_cpu_supports("avx2") ? MULTIPOINT_AVX2 : MULTIPOINT_SCALARS;
}

void elementwise_sum_rows(const multipoint_row_sum *sum, size_t first, size_t last, multipoint_vectors vectors) {
    if (sum->activation == MULTIPOINT_CLAMP && vectors == MULTIPOINT_AVX512) {
        sum_avx512(sum, first, last);
    } else if (sum->activation == MULTIPOINT_CLAMP && vectors == MULTIPOINT_AVX2) {
        sum_avx2(sum, first, last);
    } else if (sum->activation == MULTIPOINT_FUNCTION) {
        for (size_t p = first; p < last; p++) sum_and_apply(sum, p);
    } else {
        for (size_t p = first; p < last; p++) sum_channels(sum, p, 0, sum->channels);
    }
}
