#include "random_network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { layer_count = 3, tensors_per_layer = 7, text_size = 4096 };

/* A layer in the making. Its tensors point into it. */
typedef struct layer {
    int shape[4], rank, group, pad, stride;
    uint8_t points[64];
    uint8_t *codes[2];
    int8_t codebook[16];
    float scales[128], bias[64];
    char names[tensors_per_layer][48], shapes[tensors_per_layer][64];
} layer;

typedef struct network {
    uint64_t state;
    layer layers[layer_count];
    packed_tensor tensors[layer_count * tensors_per_layer];
    size_t tensor_count;
} network;

static const char *const layer_names[layer_count] = {"first", "second", "last"};

static void add_tensor(network *net, layer *of, int slot, const char *layer_name, const char *what, const char *dtype,
                       const char *shape, const void *data, size_t byte_count) {
    snprintf(of->names[slot], sizeof of->names[slot], "%s.%s", layer_name, what);
    snprintf(of->shapes[slot], sizeof of->shapes[slot], "%s", shape);
    net->tensors[net->tensor_count++] = (packed_tensor){of->names[slot], dtype, of->shapes[slot], data, byte_count};
}

static size_t row_length(const layer *of) {
    size_t length = 1;
    for (int axis = 1; axis < of->rank; axis++) length *= (size_t)of->shape[axis];
    return length;
}

/* Four bits to a code; where a vector ends within a byte, the rest of it is zero. */
static size_t fill_codes(network *net, layer *of, int level, size_t vectors) {
    size_t length = row_length(of), vector_bytes = (length + 1) / 2, count = vectors * vector_bytes;
    of->codes[level] = malloc(count > 0 ? count : 1);
    if (of->codes[level] == NULL) exit(2);
    for (size_t i = 0; i < count; i++) {
        int is_half = length % 2 == 1 && i % vector_bytes == vector_bytes - 1;
        of->codes[level][i] = (uint8_t)random_below(&net->state, is_half ? 16 : 256);
    }
    return count;
}

/* Points, codes and scales of a layer whose shape is known; results stay near 1. */
static void fill_layer(network *net, int index) {
    layer *of = &net->layers[index];
    const char *name = layer_names[index];
    size_t channels = (size_t)of->shape[0], vectors[2] = {channels, 0}, scale_count = 0;
    float scale = sqrtf(2 / (float)row_length(of)) / 9;
    for (size_t c = 0; c < channels; c++) {
        of->points[c] = (uint8_t)(1 + (random_below(&net->state, 3) == 0));
        vectors[1] += of->points[c] == 2;
        for (int point = 0; point < of->points[c]; point++) {
            of->scales[scale_count++] = scale * random_float(&net->state, 0.3f, 0.7f) / (float)(1 + 6 * point);
        }
        of->bias[c] = random_float(&net->state, -0.1f, 0.1f);
    }
    for (int i = 0; i < 16; i++) of->codebook[i] = (int8_t)(2 * i - 15);
    char text[64];
    snprintf(text, sizeof text, "[%zu]", scale_count);
    add_tensor(net, of, 0, name, "scales", "F32", text, of->scales, scale_count * sizeof(float));
    snprintf(text, sizeof text, "[%zu]", channels);
    add_tensor(net, of, 1, name, "bias", "F32", text, of->bias, channels * sizeof(float));
    add_tensor(net, of, 2, name, "points", "U8", text, of->points, channels);
    for (int level = 0; level < (vectors[1] > 0 ? 2 : 1); level++) {
        char what[24];
        size_t count = fill_codes(net, of, level, vectors[level]);
        snprintf(text, sizeof text, "[%zu,%zu]", vectors[level], (row_length(of) + 1) / 2);
        snprintf(what, sizeof what, "codes.%d", level);
        add_tensor(net, of, 3 + level, name, what, "U8", text, of->codes[level], count);
        snprintf(what, sizeof what, "codebook.%d", level);
        add_tensor(net, of, 5 + level, name, what, "I8", "[16]", of->codebook, sizeof of->codebook);
    }
}

static void append_layer(char *json, const layer *of, const char *name, const char *input) {
    size_t used = strlen(json);
    if (of->rank == 2) {
        snprintf(json + used, text_size - used, ",{'name':'%s','operator':'Gemm','shape':[%d,%d],%s}", name, of->shape[0],
                 of->shape[1], input);
        return;
    }
    snprintf(json + used, text_size - used,
             "%s{'name':'%s','operator':'Conv','shape':[%d,%d,%d,%d],'strides':[%d,%d],'pads':[%d,%d,%d,%d],"
             "'dilations':[1,1],'group':%d,%s}",
             used > 1 ? "," : "", name, of->shape[0], of->shape[1], of->shape[2], of->shape[3], of->stride, of->stride,
             of->pad, of->pad, of->pad, of->pad, of->group, input);
}

static void choose_shapes(network *net, int channels) {
    layer *first = &net->layers[0], *second = &net->layers[1], *last = &net->layers[2];
    int kernel = 1 + 2 * (int)random_below(&net->state, 2), width = 4 * (1 + (int)random_below(&net->state, 4));
    *first = (layer){.shape = {width, channels, kernel, kernel}, .rank = 4, .group = 1, .pad = kernel / 2, .stride = 1};
    const int groups[] = {1, 2, width};
    int group = groups[random_below(&net->state, 3)];
    int outputs = group == width ? width : group * (2 + (int)random_below(&net->state, 5));
    int stride = 1 + (int)random_below(&net->state, 2);
    *second = (layer){.shape = {outputs, width / group, 3, 3}, .rank = 4, .group = group, .pad = 1, .stride = stride};
    *last = (layer){.shape = {3 + (int)random_below(&net->state, 5), outputs}, .rank = 2, .group = 1};
}

byte_string random_network(uint32_t seed) {
    network *net = calloc(1, sizeof *net);
    if (net == NULL) exit(2);
    net->state = 0x9E3779B97F4A7C15u * (seed + 1u);
    int channels = 1 + (int)random_below(&net->state, 5);
    int height = 5 + (int)random_below(&net->state, 5), width = 5 + (int)random_below(&net->state, 5);
    choose_shapes(net, channels);
    /* An image from -2 to 2, values from 0 after Relu. */
    const char *inputs[layer_count] = {"'input':{'scale':0.015625,'zero_point':128}", "'input':{'scale':0.01,'zero_point':0}",
                                       "'input':{'scale':0.0078125,'zero_point':0}"};
    char layers[text_size] = "[", graph[text_size];
    for (int i = 0; i < layer_count; i++) {
        fill_layer(net, i);
        append_layer(layers, &net->layers[i], layer_names[i], inputs[i]);
    }
    strcat(layers, "]");
    snprintf(graph, sizeof graph,
             "{'operator_set':17,'inputs':[{'name':'x','dtype':'float32','shape':['N',%d,%d,%d]}],"
             "'outputs':[{'name':'y','dtype':'float32','shape':['N',%d]}],'nodes':["
             "{'name':'first','operator':'Conv','inputs':['x'],'outputs':['a'],'layer':'first'},"
             "{'name':'relu1','operator':'Relu','inputs':['a'],'outputs':['b']},"
             "{'name':'second','operator':'Conv','inputs':['b'],'outputs':['c'],'layer':'second'},"
             "{'name':'relu2','operator':'Relu','inputs':['c'],'outputs':['d']},"
             "{'name':'pool','operator':'GlobalAveragePool','inputs':['d'],'outputs':['e']},"
             "{'name':'flatten','operator':'Flatten','inputs':['e'],'outputs':['f'],'attributes':{'axis':1}},"
             "{'name':'last','operator':'Gemm','inputs':['f'],'outputs':['y'],'layer':'last'}],"
             "'values':{'x':{'scale':0.015625,'zero_point':128},'b':{'scale':0.01,'zero_point':0},"
             "'f':{'scale':0.0078125,'zero_point':0}}}",
             channels, height, width, net->layers[2].shape[0]);
    byte_string file = packed_file_make(net->tensors, net->tensor_count, layers, graph, NULL);
    for (int i = 0; i < layer_count; i++) {
        free(net->layers[i].codes[0]);
        free(net->layers[i].codes[1]);
    }
    free(net);
    return file;
}
