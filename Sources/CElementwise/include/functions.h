/* Functions of one and of two elements. */
#ifndef MULTIPOINT_FUNCTIONS_H
#define MULTIPOINT_FUNCTIONS_H

#include "elementwise.h"

#include <stddef.h>
#include <stdint.h>

/* As in ONNX; alpha and beta are the operator's attributes in the order of its documentation. */
typedef enum {
    MULTIPOINT_ABS,
    MULTIPOINT_CEIL,
    MULTIPOINT_CLIP,
    MULTIPOINT_COS,
    MULTIPOINT_ELU,
    MULTIPOINT_ERF,
    MULTIPOINT_EXP,
    MULTIPOINT_FLOOR,
    MULTIPOINT_GELU,
    MULTIPOINT_GELU_TANH,
    MULTIPOINT_HARD_SIGMOID,
    MULTIPOINT_HARD_SWISH,
    MULTIPOINT_LEAKY_RELU,
    MULTIPOINT_LOG,
    MULTIPOINT_MISH,
    MULTIPOINT_NEG,
    MULTIPOINT_POW,
    MULTIPOINT_RECIPROCAL,
    MULTIPOINT_RELU,
    MULTIPOINT_ROUND,
    MULTIPOINT_SELU,
    MULTIPOINT_SIGMOID,
    MULTIPOINT_SIGN,
    MULTIPOINT_SIN,
    MULTIPOINT_SOFTPLUS,
    MULTIPOINT_SOFTSIGN,
    MULTIPOINT_SQRT,
    MULTIPOINT_SWISH,
    MULTIPOINT_TANH,
    MULTIPOINT_THRESHOLDED_RELU,
    MULTIPOINT_TRUNCATE,
} multipoint_unary_kind;

typedef struct multipoint_unary {
    multipoint_unary_kind kind;
    float alpha;
    float beta;
} multipoint_unary;

/* destination[i] = function(source[i]); in place is allowed. */
void elementwise_apply(multipoint_unary function, const float *source, float *destination, size_t count);

typedef enum {
    MULTIPOINT_ADD,
    MULTIPOINT_SUBTRACT,
    MULTIPOINT_MULTIPLY,
    MULTIPOINT_DIVIDE,
    MULTIPOINT_MINIMUM,
    MULTIPOINT_MAXIMUM,
    MULTIPOINT_POWER,
    /* a < 0 ? b * a : a */
    MULTIPOINT_PRELU,
} multipoint_binary_kind;

/* A matrix whose element (row, column) is at row * row_stride + column * column_stride; column_stride is 0 or 1. */
typedef struct {
    /* Floats, or bytes that stand for scale * (byte - zero_point). */
    const void *data;
    int is_bytes;
    float scale;
    float zero_point;
    size_t row_stride;
    size_t column_stride;
} multipoint_operand;

/* destination[row * columns + column] = kind(a, b) for first <= row < last: floats, or bytes if `is_bytes`. */
void elementwise_combine(multipoint_binary_kind kind, multipoint_operand a, multipoint_operand b, void *destination, int is_bytes,
                         multipoint_quantizer quantizer, size_t columns, size_t first, size_t last);

#endif
