/* What the loops share. */
#ifndef MULTIPOINT_INTERNAL_H
#define MULTIPOINT_INTERNAL_H

#include "elementwise.h"

#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if __has_feature(thread_sanitizer)
/* The loader chooses among clones before ThreadSanitizer, which is called by the choice too, has been linked. */
#define CLONES
#else
#define CLONES __attribute__((target_clones("default", "avx2", "arch=x86-64-v4")))
#endif
#define INLINE static inline __attribute__((always_inline))

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

/* Elements that pass through the stack at a time. */
enum { BLOCK = 256 };

#endif
