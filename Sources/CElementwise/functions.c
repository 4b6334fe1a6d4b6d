#include "functions.h"
#include "internal.h"

#include <math.h>

#pragma STDC FP_CONTRACT OFF

#define EACH(expression)                     \
    for (size_t i = 0; i < count; i++) {     \
        const float x = from[i];             \
        to[i] = (expression);                \
    }                                        \
    return

static float softplus(float x) { return fmaxf(x, 0) + log1pf(expf(-fabsf(x))); }

/* Exponents that models have get vectors. */
CLONES static void power(const float *from, float *to, size_t count, float exponent) {
    if (exponent == 2) { EACH(x * x); }
    if (exponent == 3) { EACH(x * x * x); }
    if (exponent == 0.5f) { EACH(sqrtf(x)); }
    if (exponent == -1) { EACH(1 / x); }
    if (exponent == -0.5f) { EACH(1 / sqrtf(x)); }
    EACH(powf(x, exponent));
}

/* Those that need no library. */
CLONES static void simple(multipoint_unary function, const float *from, float *to, size_t count) {
    const float alpha = function.alpha, beta = function.beta;
    switch (function.kind) {
    case MULTIPOINT_ABS: EACH(fabsf(x));
    case MULTIPOINT_CEIL: EACH(ceilf(x));
    case MULTIPOINT_CLIP: EACH(x < alpha ? alpha : x > beta ? beta : x);
    case MULTIPOINT_FLOOR: EACH(floorf(x));
    case MULTIPOINT_HARD_SIGMOID: EACH(fmaxf(0, fminf(1, alpha * x + beta)));
    case MULTIPOINT_HARD_SWISH: EACH(x * fmaxf(0, fminf(1, x * (1 / 6.0f) + 0.5f)));
    case MULTIPOINT_LEAKY_RELU: EACH(x < 0 ? alpha * x : x);
    case MULTIPOINT_NEG: EACH(-x);
    case MULTIPOINT_RECIPROCAL: EACH(1 / x);
    case MULTIPOINT_RELU: EACH(x < 0 ? 0 : x);
    case MULTIPOINT_ROUND: EACH(rintf(x));
    case MULTIPOINT_SIGN: EACH(x > 0 ? 1 : x < 0 ? -1 : x);
    case MULTIPOINT_SOFTSIGN: EACH(x / (1 + fabsf(x)));
    case MULTIPOINT_SQRT: EACH(sqrtf(x));
    case MULTIPOINT_THRESHOLDED_RELU: EACH(x > alpha ? x : 0);
    case MULTIPOINT_TRUNCATE: EACH(truncf(x));
    default: return;
    }
}

void elementwise_apply(multipoint_unary function, const float *from, float *to, size_t count) {
    const float alpha = function.alpha, beta = function.beta;
    switch (function.kind) {
    case MULTIPOINT_COS: EACH(cosf(x));
    case MULTIPOINT_ELU: EACH(x < 0 ? alpha * expm1f(x) : x);
    case MULTIPOINT_ERF: EACH(erff(x));
    case MULTIPOINT_EXP: EACH(expf(x));
    case MULTIPOINT_GELU: EACH(0.5f * x * (1 + erff(x * 0.70710678118654752f)));
    case MULTIPOINT_GELU_TANH: EACH(0.5f * x * (1 + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x))));
    case MULTIPOINT_LOG: EACH(logf(x));
    case MULTIPOINT_MISH: EACH(x * tanhf(softplus(x)));
    case MULTIPOINT_POW: power(from, to, count, alpha); return;
    case MULTIPOINT_SELU: EACH(beta * (x < 0 ? alpha * expm1f(x) : x));
    case MULTIPOINT_SIGMOID: EACH(1 / (1 + expf(-x)));
    case MULTIPOINT_SIN: EACH(sinf(x));
    case MULTIPOINT_SOFTPLUS: EACH(softplus(x));
    case MULTIPOINT_SWISH: EACH(x / (1 + expf(-alpha * x)));
    case MULTIPOINT_TANH: EACH(tanhf(x));
    default: simple(function, from, to, count);
    }
}

/* Up to BLOCK floats of a row: where they lie, or in `block`. */
INLINE const float *floats(multipoint_operand operand, size_t row, size_t column, size_t count, float *restrict block) {
    const size_t at = row * operand.row_stride + column * operand.column_stride;
    if (!operand.is_bytes) {
        const float *from = (const float *)operand.data + at;
        if (operand.column_stride == 1) return from;
        const float value = *from;
        for (size_t i = 0; i < count; i++) block[i] = value;
        return block;
    }
    const uint8_t *from = (const uint8_t *)operand.data + at;
    const float scale = operand.scale, zero_point = operand.zero_point;
    if (operand.column_stride == 1) {
        for (size_t i = 0; i < count; i++) block[i] = scale * ((float)from[i] - zero_point);
    } else {
        const float value = scale * ((float)*from - zero_point);
        for (size_t i = 0; i < count; i++) block[i] = value;
    }
    return block;
}

#define COMBINE(expression)                  \
    for (size_t i = 0; i < count; i++) {     \
        const float a = left[i], b = right[i]; \
        to[i] = (expression);                \
    }                                        \
    return

INLINE void combined(multipoint_binary_kind kind, const float *left, const float *right, float *restrict to, size_t count) {
    switch (kind) {
    case MULTIPOINT_ADD: COMBINE(a + b);
    case MULTIPOINT_SUBTRACT: COMBINE(a - b);
    case MULTIPOINT_MULTIPLY: COMBINE(a * b);
    case MULTIPOINT_DIVIDE: COMBINE(a / b);
    /* NaN stays, whichever operand it is. */
    case MULTIPOINT_MINIMUM: COMBINE(a < b || a != a ? a : b);
    case MULTIPOINT_MAXIMUM: COMBINE(a > b || a != a ? a : b);
    case MULTIPOINT_POWER: COMBINE(powf(a, b));
    case MULTIPOINT_PRELU: COMBINE(a < 0 ? b * a : a);
    }
}

CLONES void elementwise_combine(multipoint_binary_kind kind, multipoint_operand a, multipoint_operand b, void *destination,
                                int is_bytes, multipoint_quantizer quantizer, size_t columns, size_t first, size_t last) {
    float left[BLOCK], right[BLOCK], result[BLOCK];
    const float inverse_scale = quantizer.inverse_scale, zero_point = quantizer.zero_point;
    for (size_t row = first; row < last; row++) {
        for (size_t column = 0; column < columns; column += BLOCK) {
            const size_t count = columns - column < BLOCK ? columns - column : BLOCK, at = row * columns + column;
            const float *x = floats(a, row, column, count, left), *y = floats(b, row, column, count, right);
            if (!is_bytes) {
                combined(kind, x, y, (float *)destination + at, count);
                continue;
            }
            combined(kind, x, y, result, count);
            uint8_t *to = (uint8_t *)destination + at;
            for (size_t i = 0; i < count; i++) to[i] = quantized(result[i], inverse_scale, zero_point);
        }
    }
}
