// What the families of calls share: the program's bytes, live handles, memory that is as large as it says.
#ifndef FUZZ_INTERNAL_H
#define FUZZ_INTERNAL_H

#include <multipoint.h>
#include <stdbool.h>

enum { SLOTS = 4, MAXIMUM_ALLOCATIONS = 256 };

typedef struct calls {
    const unsigned char *next, *end;
    const unsigned char *files[2];
    size_t file_sizes[2];
    // Live handles or NULL. A new one takes the place of an old one, which is destroyed.
    multipoint_model *models[SLOTS];
    multipoint_session *sessions[SLOTS];
    multipoint_layer *layers[SLOTS];
    multipoint_plan *plans[SLOTS];
    multipoint_packing *packings[SLOTS];
    // Memory of one call.
    void *allocations[MAXIMUM_ALLOCATIONS];
    int allocation_count;
    size_t allocated;
} calls;

// Ends the process, as a trap does, when a promise of the header is broken.
#define REQUIRE(condition) \
    do { \
        if (!(condition)) fuzz_broken(__FILE__, __LINE__, #condition); \
    } while (0)
void fuzz_broken(const char *file, int line, const char *condition);

// Numbers of the program; 0 when it is at its end.
unsigned read_byte(calls *c);
bool one_in(calls *c, unsigned count);
int64_t read_integer(calls *c); // small ones, ones that break arithmetic, any
int64_t read_small(calls *c, int64_t lowest, int64_t highest); // now and then as read_integer
float read_float(calls *c);
float read_scale(calls *c);

// Memory for one call, zeroed, at most 1 MB in all; NULL beyond.
void *take(calls *c, size_t bytes);
void give_back(calls *c);
// Of a count that the library has to refuse before it reads, a little memory; NULL for one that it may believe and we cannot have.
void *array_of(calls *c, int64_t count, size_t element_size, int64_t largest_believed);
void fill_floats(calls *c, float *values, size_t count);
size_t read_struct_size(calls *c, size_t size);

// Whether the call succeeded; its status and message have to agree.
bool succeeded(multipoint_status status);

#define DESTROYED_AND_REPLACED(table, slot, handle, destroy) \
    do { \
        const unsigned replaced = (slot); \
        destroy(table[replaced]); \
        table[replaced] = handle; \
    } while (0)

void call_models(calls *c);
void call_sessions(calls *c);
void call_layers(calls *c);
void call_plans(calls *c);
void call_packings(calls *c);
void call_versions(calls *c);

#endif
