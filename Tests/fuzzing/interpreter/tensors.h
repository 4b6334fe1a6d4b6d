// Tensors that mostly fit what is asked for.
#ifndef FUZZ_TENSORS_H
#define FUZZ_TENSORS_H

#include "internal.h"

// Memory around a tensor's that nothing may write to.
typedef struct guarded {
    unsigned char *memory;
    size_t offset, size, total;
} guarded;

// Fills `tensor` for `dimensions`, with faults now and then. False if there is no memory.
bool make_tensor(calls *c, multipoint_tensor *tensor, guarded *guard, multipoint_dtype dtype, int rank, const int64_t *dimensions);
// Remembers an output's bytes; afterwards the bytes around it have to be as before, and its own too if the call failed.
unsigned char *snapshot(calls *c, const guarded *guard);
void check_untouched(const guarded *guard, const unsigned char *before, bool failed);

#endif
