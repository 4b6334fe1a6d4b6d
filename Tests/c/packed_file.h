/* Packed files built byte by byte, so that tests can build wrong ones. */
#ifndef PACKED_FILE_H
#define PACKED_FILE_H

#include <stddef.h>

typedef struct byte_string {
    unsigned char *bytes;
    size_t count;
} byte_string;

typedef struct packed_tensor {
    const char *name;
    const char *dtype; /* as safetensors spells it */
    const char *shape; /* JSON, such as "[2,1]" */
    const void *data;
    size_t byte_count;
} packed_tensor;

/* A safetensors file: 8 bytes header length, header, data. `layers` and `graph` (or NULL) are the JSON of those metadata keys;
 * `more` (or NULL) is text to follow them in the metadata. In all three ' stands for " and is escaped as it has to be. */
byte_string packed_file_make(const packed_tensor *tensors, size_t tensor_count, const char *layers, const char *graph,
                             const char *more);

/* A copy in which the first `old` of the header is `new`. In both, ` stands for a quotation mark of the header itself and ' for
 * one inside a metadata string. Ends the program if there is no `old`: a test that changes nothing tests nothing. */
byte_string packed_file_patched(byte_string file, const char *old, const char *replacement);

/* A copy in which the bytes of the tensor data from `offset` are others. */
byte_string packed_file_with_data(byte_string file, size_t offset, const void *bytes, size_t count);

/* The CRC-32 of the file's data section, computed bit by bit. */
unsigned packed_file_crc32(byte_string file);

/* What is in a file. Ends the program if it cannot be read. */
byte_string file_content(const char *path);

void byte_string_free(byte_string string);

/* Two layers with hand-worked numbers.
 *
 *   conv        Conv 1x1, 2 -> 2 channels, free scales, input scale 0.5, zero point 2
 *               channel 0: 0.5 (1,-1) + 0.375 (1,1) = (0.875, -0.125), bias 1;   channel 1: 2 (1,-1), bias 0
 *   classifier  Gemm 2 -> 2, ladder of ratio 2, input scale 0.125, zero point 0
 *               channel 0: 0.25 (2 (1,1) + (1,-1)) = (0.75, 0.25), bias 0;       channel 1: 0.5 (1,-1), bias 10
 *
 * and the network x [N,2,2,2] -> conv -> Relu -> GlobalAveragePool -> Flatten -> classifier -> y [N,2]. */
byte_string sample_network(void);
/* The same layers with another graph. */
byte_string sample_layers_with_graph(const char *other_graph);
/* The same layers without the graph. */
byte_string sample_weights(void);

/* One image for the network, and what comes out:
 *   conv     1.8125 2.6875 3.5 4.5 | 1 3 4 8, all positive; averages 3.125, 4 (25 and 32 in steps of 0.125)
 *   y        0.75 * 3.125 + 0.25 * 4 = 3.34375,  0.5 * (3.125 - 4) + 10 = 9.5625 */
extern const float sample_image[8];
extern const float sample_result[2];

#endif
