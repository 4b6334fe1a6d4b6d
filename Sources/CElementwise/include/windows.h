/* Windows that slide over channels-last images. */
#ifndef MULTIPOINT_WINDOWS_H
#define MULTIPOINT_WINDOWS_H

#include <stddef.h>

typedef enum { MULTIPOINT_POOL_MAXIMUM, MULTIPOINT_POOL_MEAN_OF_COVERED, MULTIPOINT_POOL_MEAN_OF_WINDOW } multipoint_pool_kind;

typedef struct {
    multipoint_pool_kind kind;
    size_t channels, height, width, result_height, result_width;
    size_t kernel[2], strides[2], dilations[2];
    /* Before the first row and column. */
    size_t pads[2];
    /* Bytes, which have a maximum only, else floats. */
    int is_bytes;
} multipoint_pool;

/* For output positions first <= p < last of all images. A window that covers nothing gives 0. */
void elementwise_pool(const multipoint_pool *pool, const void *source, void *destination, size_t first, size_t last);

#endif
