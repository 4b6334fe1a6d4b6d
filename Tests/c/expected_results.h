/* Networks, layers and matrices with what one thread alone computes of them, bit for bit: what any thread has to find later. Made
 * before other threads begin, and read only afterwards. Every function that returns an int tells whether all was as expected. */
#ifndef EXPECTED_RESULTS_H
#define EXPECTED_RESULTS_H

#include "packed_file.h"

#include <multipoint.h>

enum { expected_images = 5 };

typedef struct expected_network {
    byte_string file;
    const char *path; /* NULL for a file that is only in memory */
    multipoint_value_info input, output;
    size_t input_count, output_count;
    float *images, *results; /* of each image */
    size_t layer_count;
} expected_network;

/* A plan of a layer of a network, from u8. */
typedef struct expected_layer {
    const expected_network *network;
    char name[64];
    multipoint_plan_options options; /* of one thread */
    int64_t source_shape[4], destination_shape[4];
    int32_t rank;
    size_t source_bytes, destination_bytes;
    unsigned char *source, *destination;
} expected_layer;

typedef struct expected_packing {
    multipoint_packing_options options;
    float *matrix;
    size_t channels, row_length;
    multipoint_packing *packing;
} expected_packing;

/* `path` may be NULL. The file's bytes are kept. Ends the program where that cannot be. */
void expect_network(expected_network *expected, byte_string file, const char *path);
/* A plan for layer number `index`: its raw row sums, floats, or bytes. 0 if the layer has no such plan. */
int expect_layer(expected_layer *expected, const expected_network *network, size_t index, multipoint_dtype destination,
                 multipoint_layout layout);
void expect_packing(expected_packing *expected, uint32_t seed);

/* Runs images first, first + 1, ... (around from the last) as one batch. */
int run_as_expected(const expected_network *expected, multipoint_session *session, int64_t batch, size_t first);
/* Name, inputs, outputs and layers. */
int described_as_expected(const expected_network *expected, const multipoint_model *model);
/* NULL if the plan has another shape. With `workspace`, in memory of the caller's. */
int executed_as_expected(const expected_layer *expected, const multipoint_plan *plan, int uses_workspace);
int packed_as_expected(const expected_packing *expected, const multipoint_packing *packing);

void expected_network_free(expected_network *expected);
void expected_layer_free(expected_layer *expected);
void expected_packing_free(expected_packing *expected);

#endif
