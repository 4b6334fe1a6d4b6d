// Calls of the C ABI, chosen by bytes.
#ifndef FUZZ_CALLS_H
#define FUZZ_CALLS_H

#include <stddef.h>

/// Makes the calls that `program` says, in its order and with its arguments, and destroys what is left. `network` and `weights` are
/// the contents of packed files with and without a graph. Aborts where the header's promises do not hold.
void fuzz_calls(const void *program, size_t program_size, const void *network, size_t network_size, const void *weights,
                size_t weights_size);

#endif
