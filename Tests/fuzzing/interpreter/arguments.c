// Arguments made of the program's bytes.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

unsigned read_byte(calls *c) { return c->next < c->end ? *c->next++ : 0; }

bool one_in(calls *c, unsigned count) { return read_byte(c) % count == count - 1; }

int64_t read_integer(calls *c) {
    static const int64_t wild[] = {
        0, 1, -1, 2, 255, 256, 65535, 65536, 65537, 131586, 131587, 1 << 20, (1 << 20) + 1, INT32_MAX, INT32_MIN, 1LL << 31, 1LL << 32,
        1LL << 47, 1LL << 48, 1LL << 61, 1LL << 62, INT64_MAX, INT64_MAX - 1, INT64_MIN, INT64_MIN + 1, 1LL << 33, -4, -(1LL << 32),
    };
    const unsigned kind = read_byte(c);
    if (kind < 64) return (int8_t)read_byte(c);
    if (kind < 240) return wild[kind % (sizeof wild / sizeof *wild)];
    uint64_t value = 0;
    for (int byte = 0; byte < 8; byte++) value = value << 8 | read_byte(c);
    return (int64_t)value;
}

int64_t read_small(calls *c, int64_t lowest, int64_t highest) {
    const unsigned byte = read_byte(c);
    if (byte == 255) return read_integer(c);
    return lowest + byte % (highest - lowest + 1);
}

float read_float(calls *c) {
    static const float wild[] = {
        0, 1, -1, 0.5f, 1e-3f, 1e-38f, 1e-45f, 2.5e-39f, 1e15f, 1e18f, -1e15f, 3e9f, -3e9f, 3.4e38f, -3.4e38f, INFINITY, -INFINITY, NAN,
        16777217.f, 2147483648.f, 255.5f,
    };
    const unsigned kind = read_byte(c);
    if (kind < 128) return (float)((int)kind - 64) / 16;
    if (kind < 240) return wild[kind % (sizeof wild / sizeof *wild)];
    uint32_t bits = 0;
    for (int byte = 0; byte < 4; byte++) bits = bits << 8 | read_byte(c);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float read_scale(calls *c) {
    const unsigned byte = read_byte(c);
    if (byte >= 224) return read_float(c);
    return (float)(byte % 32 + 1) / 64;
}

void *take(calls *c, size_t bytes) {
    if (c->allocation_count == MAXIMUM_ALLOCATIONS || bytes > (1 << 20) - c->allocated) return NULL;
    // Exactly as large as stated, so that a read beyond it is found.
    void *memory = calloc(1, bytes > 0 ? bytes : 1);
    if (memory == NULL) return NULL;
    c->allocations[c->allocation_count++] = memory;
    c->allocated += bytes;
    return memory;
}

void give_back(calls *c) {
    while (c->allocation_count > 0) free(c->allocations[--c->allocation_count]);
    c->allocated = 0;
}

void *array_of(calls *c, int64_t count, size_t element_size, int64_t largest_believed) {
    if (count < 0 || count > largest_believed) return take(c, 64);
    return count > (1 << 20) ? NULL : take(c, (size_t)count * element_size);
}

void fill_floats(calls *c, float *values, size_t count) {
    const unsigned kind = read_byte(c);
    for (size_t index = 0; index < count; index++) values[index] = (float)((int)((index * 2654435761u + kind) % 256) - 100) / 50;
    if (count > 0 && kind % 4 == 3) values[read_byte(c) % count] = read_float(c);
    if (kind % 16 == 1)
        for (size_t index = 0; index < count; index += 3) values[index] = read_float(c);
}

size_t read_struct_size(calls *c, size_t size) {
    if (!one_in(c, 32)) return size;
    // What is larger has to be there: structs are given with 4096 bytes.
    return (size_t)read_integer(c);
}
