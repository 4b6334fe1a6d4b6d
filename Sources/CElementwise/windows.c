#include "windows.h"
#include "internal.h"

#include <string.h>

#pragma STDC FP_CONTRACT OFF

INLINE void take_largest_bytes(uint8_t *restrict to, const uint8_t *from, size_t count) {
    for (size_t i = 0; i < count; i++) to[i] = from[i] > to[i] ? from[i] : to[i];
}

INLINE void take_largest(float *restrict to, const float *from, size_t count) {
    for (size_t i = 0; i < count; i++) to[i] = from[i] > to[i] || from[i] != from[i] ? from[i] : to[i];
}

INLINE void take_sum(float *restrict to, const float *from, size_t count) {
    for (size_t i = 0; i < count; i++) to[i] += from[i];
}

/* The element under one place of the window that slides from `start`; the axis's size if that is outside. */
INLINE size_t covered(size_t start, size_t place, size_t dilation, size_t pad, size_t size) {
    const size_t at = start + place * dilation;
    return at < pad || at - pad >= size ? size : at - pad;
}

CLONES void elementwise_pool(const multipoint_pool *pool, const void *source, void *destination, size_t first, size_t last) {
    const size_t channels = pool->channels, element = pool->is_bytes ? 1 : sizeof(float), pixel = channels * element;
    const size_t image_positions = pool->result_height * pool->result_width;
    for (size_t p = first; p < last; p++) {
        const char *image = (const char *)source + p / image_positions * pool->height * pool->width * pixel;
        const size_t top = p % image_positions / pool->result_width * pool->strides[0];
        const size_t left = p % pool->result_width * pool->strides[1];
        char *to = (char *)destination + p * pixel;
        size_t count = 0;
        for (size_t ky = 0; ky < pool->kernel[0]; ky++) {
            const size_t y = covered(top, ky, pool->dilations[0], pool->pads[0], pool->height);
            if (y == pool->height) continue;
            for (size_t kx = 0; kx < pool->kernel[1]; kx++) {
                const size_t x = covered(left, kx, pool->dilations[1], pool->pads[1], pool->width);
                if (x == pool->width) continue;
                const char *from = image + (y * pool->width + x) * pixel;
                if (count++ == 0) {
                    memcpy(to, from, pixel);
                } else if (pool->is_bytes) {
                    take_largest_bytes((uint8_t *)to, (const uint8_t *)from, channels);
                } else if (pool->kind == MULTIPOINT_POOL_MAXIMUM) {
                    take_largest((float *)to, (const float *)from, channels);
                } else {
                    take_sum((float *)to, (const float *)from, channels);
                }
            }
        }
        if (count == 0) memset(to, 0, pixel);
        if (pool->kind == MULTIPOINT_POOL_MAXIMUM || count == 0) continue;
        const size_t divisor = pool->kind == MULTIPOINT_POOL_MEAN_OF_WINDOW ? pool->kernel[0] * pool->kernel[1] : count;
        for (size_t c = 0; c < channels; c++) ((float *)to)[c] /= (float)divisor;
    }
}
