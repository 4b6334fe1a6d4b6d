#include "dynamic_quantization.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace {

/// As numbers, the bits of positive floats are in the floats' order, and those of infinity and NaN are above all others. Comparing
/// integers, unlike floats, is something that a compiler vectorizes.
constexpr int32_t infinity_bits = 0x7F800000;

int32_t bits_of(float value) {
    int32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

float float_of(int32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

}  // namespace

bool range_of(const float *values, size_t count, Range *range) {
    int32_t top = 0, bottom = 0;
    for (size_t index = 0; index < count; ++index) {
        const int32_t bits = bits_of(values[index]);
        top = std::max(top, bits);
        // Of the value with its sign reversed.
        bottom = std::max(bottom, bits ^ std::numeric_limits<int32_t>::min());
    }
    if (top >= infinity_bits || bottom >= infinity_bits) return false;
    const float highest = float_of(top), lowest = float_of(bottom);
    const bool is_signed = bottom > 0;
    const float scale = is_signed ? std::max(highest / 127, lowest / 128) : highest / 255;
    // The reciprocal has to be finite, also of nothing but zeros.
    *range = {std::max(scale, std::numeric_limits<float>::min()), static_cast<uint8_t>(is_signed ? 128 : 0)};
    return true;
}

void quantize(const float *values, size_t count, Range range, uint8_t *codes) {
    const float reciprocal = 1 / range.scale, zero_point = range.zero_point;
    // Adding and subtracting 1.5 * 2^23 rounds half to even whatever is far smaller.
    const float rounder = 12582912;
    for (size_t index = 0; index < count; ++index) {
        const float clamped = std::min(std::max(values[index] * reciprocal, -zero_point), 255 - zero_point);
        const float rounded = (clamped + rounder) - rounder;
        codes[index] = static_cast<uint8_t>(static_cast<int32_t>(rounded + zero_point));
    }
}
