#include "tensors.h"

#include <string.h>

static size_t size_of(multipoint_dtype dtype) { return dtype == MULTIPOINT_U8 || dtype == MULTIPOINT_S8 ? 1 : 4; }

static int64_t *make_strides(calls *c, int rank, const int64_t *dimensions) {
    int64_t *strides = take(c, sizeof *strides * (MULTIPOINT_MAX_RANK + 2));
    if (strides == NULL) return NULL;
    int64_t dense = 1;
    for (int axis = rank - 1; axis >= 0; axis--) {
        strides[axis] = dense;
        if (dimensions[axis] > 0 && dimensions[axis] < 1 << 20) dense *= dimensions[axis];
    }
    const unsigned kind = read_byte(c) % 8;
    if (rank == 4 && kind < 4) {
        strides[0] = dimensions[1] * dimensions[2] * dimensions[3];
        strides[1] = 1;
        strides[2] = dimensions[1] * dimensions[3];
        strides[3] = dimensions[1];
    }
    if (kind == 7) strides[read_byte(c) % (MULTIPOINT_MAX_RANK + 1)] = read_integer(c);
    return strides;
}

bool make_tensor(calls *c, multipoint_tensor *tensor, guarded *guard, multipoint_dtype dtype, int rank, const int64_t *dimensions) {
    if (rank < 0 || rank > MULTIPOINT_MAX_RANK) return false;
    int64_t *own = take(c, sizeof *own * (MULTIPOINT_MAX_RANK + 2));
    if (own == NULL) return false;
    size_t bytes = size_of(dtype);
    for (int axis = 0; axis < rank; axis++) {
        own[axis] = dimensions[axis];
        if (dimensions[axis] < 0 || dimensions[axis] > 1 << 18) return false;
        bytes *= (size_t)dimensions[axis];
        if (bytes > 1 << 18) return false;
    }
    *guard = (guarded){.offset = 64 + (one_in(c, 4) ? read_byte(c) % 64 : 0), .size = bytes, .total = bytes + 192};
    guard->memory = take(c, guard->total);
    if (guard->memory == NULL) return false;
    unsigned char *data = guard->memory + guard->offset;
    memset(guard->memory, 0xA5, guard->total);
    if (dtype == MULTIPOINT_F32 && guard->offset % 4 == 0) fill_floats(c, (float *)data, bytes / 4);
    *tensor = (multipoint_tensor){data, bytes, dtype, rank, own, NULL};
    if (one_in(c, 3)) tensor->strides = make_strides(c, rank, own);
    switch (read_byte(c)) {
    case 255: tensor->data = NULL; break;
    case 254: tensor->byte_count = bytes > 0 ? bytes - 1 : 0; break;
    case 253: tensor->dtype = (multipoint_dtype)read_integer(c); break;
    case 252: tensor->rank = (int32_t)read_integer(c); break;
    case 251: tensor->dimensions = NULL; break;
    case 250: own[read_byte(c) % (MULTIPOINT_MAX_RANK + 1)] = read_integer(c); break;
    case 249: tensor->byte_count = 0; break;
    // A size that goes beyond the end of the address space.
    case 248:
        if (bytes > 1) tensor->data = (void *)(UINTPTR_MAX - read_byte(c) % (bytes - 1));
        break;
    default: break;
    }
    return true;
}

unsigned char *snapshot(calls *c, const guarded *guard) {
    unsigned char *copy = take(c, guard->total);
    if (copy != NULL) memcpy(copy, guard->memory, guard->total);
    return copy;
}

void check_untouched(const guarded *guard, const unsigned char *before, bool failed) {
    if (before == NULL) return;
    const size_t end = guard->offset + guard->size;
    REQUIRE(memcmp(guard->memory, before, failed ? guard->total : guard->offset) == 0);
    REQUIRE(memcmp(guard->memory + end, before + end, guard->total - end) == 0);
}
