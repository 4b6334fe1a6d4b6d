// Activations in 8 bits whose range is found as they come, for layers whose file does not state one.
#pragma once

#include <cstddef>
#include <cstdint>

/// What 8 bits cover of some floats: `real = scale * (code - zero_point)`. The zero point is 0 where no value is negative, else 128:
/// with two of them to choose from, a layer needs no more than two plans for any input.
struct Range {
    float scale;
    uint8_t zero_point;
};

/// The range of `count` values: the largest becomes 255, or the one furthest from zero 0 or 255.
/// - Returns: false if one is not finite.
bool range_of(const float *values, size_t count, Range *range);

/// `codes[i] = clamp(round_half_even(values[i] / scale) + zero_point, 0, 255)`, the quotient by multiplication with the reciprocal.
void quantize(const float *values, size_t count, Range range, uint8_t *codes);
