/* Small networks with random weights, packed: convolutions of every kind, points that fold and that do not, values in 8 bits. */
#ifndef RANDOM_NETWORK_H
#define RANDOM_NETWORK_H

#include "packed_file.h"

#include <stdint.h>

/* The same numbers on every machine. */
static inline uint32_t random_bits(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* From 0 to count - 1. */
static inline uint32_t random_below(uint64_t *state, uint32_t count) { return random_bits(state) % count; }

static inline float random_float(uint64_t *state, float low, float high) {
    return low + (high - low) * (float)random_bits(state) / 2147483648.0f;
}

/* x [N, 1 to 5, 5 to 9, 5 to 9] - Conv - Relu - Conv (grouped, depthwise or neither) - Relu - GlobalAveragePool - Flatten - Gemm -
 * y [N, 3 to 7]; the same file for the same seed. */
byte_string random_network(uint32_t seed);

#endif
