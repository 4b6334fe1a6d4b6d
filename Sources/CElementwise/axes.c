#include "axes.h"
#include "internal.h"

#include <math.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

/* Inner elements that are reduced together. */
enum { LANES = 64 };

INLINE size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

size_t elementwise_reduction_pieces(size_t outer, size_t inner) { return outer * ((inner + LANES - 1) / LANES); }

/* Where a piece begins in the source and in the result, and how many inner elements it has. */
typedef struct {
    size_t from, to, lanes;
} piece;

INLINE piece piece_at(size_t number, size_t count, size_t inner) {
    const size_t chunks = (inner + LANES - 1) / LANES, outer = number / chunks, start = number % chunks * LANES;
    const piece result = {outer * count * inner + start, outer * inner + start, smaller(inner - start, LANES)};
    return result;
}

#define FOLD(start, expression)                                           \
    for (size_t i = 0; i < lanes; i++) sums[i] = (start);                 \
    for (size_t k = 0; k < count; k++) {                                  \
        const float *from = source + k * inner;                           \
        for (size_t i = 0; i < lanes; i++) {                              \
            const double x = from[i], sum = sums[i];                      \
            sums[i] = (expression);                                       \
        }                                                                 \
    }                                                                     \
    break

/* `lanes` columns of `count` rows that are `inner` elements apart. */
INLINE void fold(multipoint_reduction reduction, const float *source, double *restrict sums, size_t lanes, size_t count, size_t inner) {
    switch (reduction) {
    case MULTIPOINT_REDUCE_MEAN:
    case MULTIPOINT_REDUCE_SUM: FOLD(0, sum + x);
    case MULTIPOINT_REDUCE_MAXIMUM: FOLD(-INFINITY, x > sum || x != x ? x : sum);
    case MULTIPOINT_REDUCE_MINIMUM: FOLD(INFINITY, x < sum || x != x ? x : sum);
    case MULTIPOINT_REDUCE_PRODUCT: FOLD(1, sum * x);
    case MULTIPOINT_REDUCE_L1: FOLD(0, sum + fabs(x));
    case MULTIPOINT_REDUCE_L2:
    case MULTIPOINT_REDUCE_SUM_OF_SQUARES: FOLD(0, sum + x * x);
    }
}

INLINE double joined(multipoint_reduction reduction, double a, double b) {
    switch (reduction) {
    case MULTIPOINT_REDUCE_MAXIMUM: return b > a || b != b ? b : a;
    case MULTIPOINT_REDUCE_MINIMUM: return b < a || b != b ? b : a;
    case MULTIPOINT_REDUCE_PRODUCT: return a * b;
    default: return a + b;
    }
}

INLINE float finished(multipoint_reduction reduction, double sum, size_t count) {
    switch (reduction) {
    case MULTIPOINT_REDUCE_MEAN: return (float)(sum / (double)count);
    case MULTIPOINT_REDUCE_L2: return (float)sqrt(sum);
    default: return (float)sum;
    }
}

/* Neighbours are reduced side by side too: 16 columns of a row that is cut up. */
INLINE double fold_row(multipoint_reduction reduction, const float *source, size_t count) {
    enum { COLUMNS = 16 };
    double sums[COLUMNS], rest[1];
    const size_t rows = count / COLUMNS;
    fold(reduction, source, sums, COLUMNS, rows, COLUMNS);
    fold(reduction, source + rows * COLUMNS, rest, 1, count - rows * COLUMNS, 1);
    for (size_t i = 0; i < COLUMNS; i++) rest[0] = joined(reduction, rest[0], sums[i]);
    return rest[0];
}

CLONES void elementwise_reduce(multipoint_reduction reduction, const float *source, float *destination, size_t count, size_t inner,
                               size_t first, size_t last) {
    double sums[LANES];
    for (size_t number = first; number < last; number++) {
        if (inner == 1) {
            destination[number] = finished(reduction, fold_row(reduction, source + number * count, count), count);
            continue;
        }
        const piece here = piece_at(number, count, inner);
        fold(reduction, source + here.from, sums, here.lanes, count, inner);
        for (size_t i = 0; i < here.lanes; i++) destination[here.to + i] = finished(reduction, sums[i], count);
    }
}

INLINE void fold_bytes(int is_maximum, const uint8_t *source, uint8_t *restrict found, size_t lanes, size_t count, size_t inner) {
    memcpy(found, source, lanes);
    for (size_t k = 1; k < count; k++) {
        const uint8_t *from = source + k * inner;
        if (is_maximum) {
            for (size_t i = 0; i < lanes; i++) found[i] = from[i] > found[i] ? from[i] : found[i];
        } else {
            for (size_t i = 0; i < lanes; i++) found[i] = from[i] < found[i] ? from[i] : found[i];
        }
    }
}

CLONES void elementwise_reduce_bytes(int is_maximum, const uint8_t *source, uint8_t *destination, size_t count, size_t inner,
                                     size_t first, size_t last) {
    for (size_t number = first; number < last; number++) {
        const piece here = piece_at(number, count, inner);
        fold_bytes(is_maximum, source + here.from, destination + here.to, here.lanes, count, inner);
    }
}

CLONES void elementwise_argument(int is_maximum, int selects_last, const float *source, float *destination, size_t count, size_t inner,
                                 size_t first, size_t last) {
    float best[LANES], places[LANES];
    for (size_t number = first; number < last; number++) {
        const piece here = piece_at(number, count, inner);
        for (size_t i = 0; i < here.lanes; i++) {
            best[i] = source[here.from + i];
            places[i] = 0;
        }
        for (size_t k = 1; k < count; k++) {
            const float *from = source + here.from + k * inner;
            for (size_t i = 0; i < here.lanes; i++) {
                const float x = from[i];
                const int is_better = is_maximum ? x > best[i] : x < best[i];
                const int takes = is_better || (selects_last && x == best[i]);
                best[i] = takes ? x : best[i];
                places[i] = takes ? (float)k : places[i];
            }
        }
        memcpy(destination + here.to, places, here.lanes * sizeof(float));
    }
}

CLONES void elementwise_normalize(const float *source, float *destination, size_t count, float epsilon, size_t first, size_t last) {
    enum { COLUMNS = 16 };
    for (size_t row = first; row < last; row++) {
        const float *from = source + row * count;
        float *to = destination + row * count;
        const double mean = fold_row(MULTIPOINT_REDUCE_SUM, from, count) / (double)count;
        double sums[COLUMNS] = {0}, variance = 0;
        size_t i = 0;
        for (; i + COLUMNS <= count; i += COLUMNS) {
            for (size_t c = 0; c < COLUMNS; c++) sums[c] += (from[i + c] - mean) * (from[i + c] - mean);
        }
        for (; i < count; i++) variance += (from[i] - mean) * (from[i] - mean);
        for (size_t c = 0; c < COLUMNS; c++) variance += sums[c];
        const double factor = 1 / sqrt(variance / (double)count + (double)epsilon);
        for (i = 0; i < count; i++) to[i] = (float)((from[i] - mean) * factor);
    }
}

CLONES void elementwise_normalize_response(const float *source, float *destination, size_t channels, size_t size, float alpha,
                                           float beta, float bias, size_t first, size_t last) {
    const ptrdiff_t before = (ptrdiff_t)(size - 1) / 2, after = (ptrdiff_t)size / 2, end = (ptrdiff_t)channels;
    const float factor = alpha / (float)size;
    float sums[BLOCK];
    for (size_t p = first; p < last; p++) {
        const float *from = source + p * channels;
        float *to = destination + p * channels;
        for (ptrdiff_t start = 0; start < end; start += BLOCK) {
            const ptrdiff_t stop = end - start < BLOCK ? end : start + BLOCK;
            for (ptrdiff_t c = start; c < stop; c++) sums[c - start] = 0;
            const ptrdiff_t lowest = -before < -stop ? -stop : -before, highest = after > end ? end : after;
            for (ptrdiff_t offset = lowest; offset <= highest; offset++) {
                const ptrdiff_t low = start + offset < 0 ? -offset : start, high = stop + offset > end ? end - offset : stop;
                for (ptrdiff_t c = low; c < high; c++) sums[c - start] += from[c + offset] * from[c + offset];
            }
            if (beta == 0.75f) {
                /* AlexNet's and everybody's. */
                for (ptrdiff_t c = start; c < stop; c++) {
                    const float root = sqrtf(bias + factor * sums[c - start]);
                    to[c] = from[c] / (root * sqrtf(root));
                }
            } else {
                for (ptrdiff_t c = start; c < stop; c++) to[c] = from[c] * powf(bias + factor * sums[c - start], -beta);
            }
        }
    }
}

CLONES void elementwise_resample(const multipoint_resampling *resampling, size_t first, size_t last) {
    const size_t inner = resampling->inner, taps = resampling->taps;
    const float scale = resampling->scale, zero_point = resampling->zero_point;
    const float inverse_scale = resampling->quantizer.inverse_scale, result_zero_point = resampling->quantizer.zero_point;
    float sums[BLOCK];
    for (size_t number = first; number < last; number++) {
        const size_t outer = number / resampling->destination_count, place = number % resampling->destination_count;
        const int32_t *indices = resampling->indices + place * taps;
        const float *weights = resampling->weights + place * taps;
        for (size_t start = 0; start < inner; start += BLOCK) {
            const size_t count = smaller(inner - start, BLOCK);
            for (size_t i = 0; i < count; i++) sums[i] = 0;
            for (size_t k = 0; k < taps; k++) {
                const float weight = weights[k];
                if (weight == 0) continue;
                const size_t at = (outer * resampling->source_count + (size_t)indices[k]) * inner + start;
                if (resampling->source_is_bytes) {
                    const uint8_t *from = (const uint8_t *)resampling->source + at;
                    for (size_t i = 0; i < count; i++) sums[i] += weight * ((float)from[i] - zero_point);
                } else {
                    const float *from = (const float *)resampling->source + at;
                    for (size_t i = 0; i < count; i++) sums[i] += weight * from[i];
                }
            }
            const size_t to = number * inner + start;
            if (resampling->source_is_bytes) {
                for (size_t i = 0; i < count; i++) sums[i] *= scale;
            }
            if (resampling->destination_is_bytes) {
                uint8_t *bytes = (uint8_t *)resampling->destination + to;
                for (size_t i = 0; i < count; i++) bytes[i] = quantized(sums[i], inverse_scale, result_zero_point);
            } else {
                memcpy((float *)resampling->destination + to, sums, count * sizeof(float));
            }
        }
    }
}

INLINE int64_t offset_at(const multipoint_copy_axis *axis, size_t index) {
    return axis->table ? axis->table[index] : (int64_t)index * axis->stride;
}

#define COPY_RUN(type)                                                                               \
    do {                                                                                             \
        const type *in = (const type *)source + offset;                                              \
        type *out = (type *)destination + row * run->size;                                           \
        if (run->table) {                                                                            \
            for (size_t i = 0; i < run->size; i++) out[i] = in[run->table[i]];                       \
        } else if (run->stride == 1) {                                                               \
            memcpy(out, in, run->size * sizeof(type));                                               \
        } else if (run->stride == 0) {                                                               \
            for (size_t i = 0; i < run->size; i++) out[i] = *in;                                     \
        } else {                                                                                     \
            for (size_t i = 0; i < run->size; i++) out[i] = in[(ptrdiff_t)i * run->stride];          \
        }                                                                                            \
    } while (0)

void elementwise_rearrange(const multipoint_rearrangement *rearrangement, const void *source, void *destination, size_t first,
                           size_t last) {
    const size_t outer = rearrangement->rank - 1;
    const multipoint_copy_axis *axes = rearrangement->axes, *run = &axes[outer];
    size_t index[MULTIPOINT_COPY_RANK] = {0};
    size_t rest = first;
    for (size_t axis = outer; axis-- > 0;) {
        index[axis] = rest % axes[axis].size;
        rest /= axes[axis].size;
    }
    for (size_t row = first; row < last; row++) {
        int64_t offset = 0;
        for (size_t axis = 0; axis < outer; axis++) offset += offset_at(&axes[axis], index[axis]);
        if (rearrangement->byte_count == 1) {
            COPY_RUN(uint8_t);
        } else {
            COPY_RUN(uint32_t);
        }
        for (size_t axis = outer; axis-- > 0;) {
            if (++index[axis] < axes[axis].size) break;
            index[axis] = 0;
        }
    }
}
