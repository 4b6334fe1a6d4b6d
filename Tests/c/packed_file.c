#include "packed_file.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *allocate(size_t count) {
    void *memory = malloc(count > 0 ? count : 1);
    if (memory == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(2);
    }
    return memory;
}

/* Text that grows. */
typedef struct text {
    char *characters;
    size_t count;
} text;

static void append_bytes(text *to, const char *characters, size_t count) {
    char *grown = realloc(to->characters, to->count + count + 1);
    if (grown == NULL) exit(2);
    memcpy(grown + to->count, characters, count);
    to->characters = grown;
    to->count += count;
    grown[to->count] = '\0';
}

static void append(text *to, const char *characters) { append_bytes(to, characters, strlen(characters)); }

/* ' becomes \", ` becomes ". */
static void append_quoted(text *to, const char *characters) {
    for (; *characters != '\0'; characters++) {
        if (*characters == '\'') append(to, "\\\"");
        else if (*characters == '`') append(to, "\"");
        else append_bytes(to, characters, 1);
    }
}

static byte_string assemble(const text *header, const unsigned char *data, size_t data_count) {
    byte_string file;
    file.count = 8 + header->count + data_count;
    file.bytes = allocate(file.count);
    for (int i = 0; i < 8; i++) file.bytes[i] = (unsigned char)((uint64_t)header->count >> (8 * i));
    memcpy(file.bytes + 8, header->characters, header->count);
    if (data_count > 0) memcpy(file.bytes + 8 + header->count, data, data_count);
    return file;
}

static size_t header_count(byte_string file) {
    uint64_t count = 0;
    for (int i = 0; i < 8; i++) count |= (uint64_t)file.bytes[i] << (8 * i);
    return (size_t)count;
}

byte_string packed_file_make(const packed_tensor *tensors, size_t tensor_count, const char *layers, const char *graph,
                             const char *more) {
    text header = {NULL, 0}, data = {NULL, 0};
    append(&header, "{\"__metadata__\":{\"format\":\"multipoint\",\"version\":\"1.0\",\"name\":\"sample\",\"layers\":\"");
    append_quoted(&header, layers);
    append(&header, "\"");
    if (graph != NULL) {
        append(&header, ",\"graph\":\"");
        append_quoted(&header, graph);
        append(&header, "\"");
    }
    if (more != NULL) append_quoted(&header, more);
    append(&header, "}");
    for (size_t i = 0; i < tensor_count; i++) {
        char offsets[64];
        snprintf(offsets, sizeof offsets, "\"data_offsets\":[%zu,%zu]}", data.count, data.count + tensors[i].byte_count);
        append(&header, ",\"");
        append(&header, tensors[i].name);
        append(&header, "\":{\"dtype\":\"");
        append(&header, tensors[i].dtype);
        append(&header, "\",\"shape\":");
        append(&header, tensors[i].shape);
        append(&header, ",");
        append(&header, offsets);
        append_bytes(&data, tensors[i].data, tensors[i].byte_count);
    }
    append(&header, "}");
    byte_string file = assemble(&header, (const unsigned char *)data.characters, data.count);
    free(header.characters);
    free(data.characters);
    return file;
}

byte_string packed_file_patched(byte_string file, const char *old, const char *replacement) {
    text header = {NULL, 0}, wanted = {NULL, 0}, changed = {NULL, 0};
    append_bytes(&header, (const char *)file.bytes + 8, header_count(file));
    append_quoted(&wanted, old);
    const char *place = strstr(header.characters, wanted.characters);
    if (place == NULL) {
        fprintf(stderr, "no \"%s\" in the header %s\n", wanted.characters, header.characters);
        exit(2);
    }
    append_bytes(&changed, header.characters, (size_t)(place - header.characters));
    append_quoted(&changed, replacement);
    append(&changed, place + wanted.count);
    byte_string result = assemble(&changed, file.bytes + 8 + header.count, file.count - 8 - header.count);
    free(header.characters);
    free(wanted.characters);
    free(changed.characters);
    return result;
}

byte_string packed_file_with_data(byte_string file, size_t offset, const void *bytes, size_t count) {
    size_t start = 8 + header_count(file) + offset;
    if (start + count > file.count) exit(2);
    byte_string result = {allocate(file.count), file.count};
    memcpy(result.bytes, file.bytes, file.count);
    memcpy(result.bytes + start, bytes, count);
    return result;
}

unsigned packed_file_crc32(byte_string file) {
    uint32_t remainder = 0xFFFFFFFFu;
    for (size_t i = 8 + header_count(file); i < file.count; i++) {
        remainder ^= file.bytes[i];
        for (int bit = 0; bit < 8; bit++) remainder = (remainder >> 1) ^ ((remainder & 1) != 0 ? 0xEDB88320u : 0);
    }
    return ~remainder;
}

byte_string file_content(const char *path) {
    byte_string content = {NULL, 0};
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        perror(path);
        exit(2);
    }
    content.count = (size_t)ftell(file);
    content.bytes = malloc(content.count);
    rewind(file);
    if (content.bytes == NULL || fread(content.bytes, 1, content.count, file) != content.count) exit(2);
    fclose(file);
    return content;
}

void byte_string_free(byte_string string) { free(string.bytes); }

/* In the file's order; the offsets of some are used by tests. */
static const unsigned char points[] = {2, 1};
static const signed char signs[] = {-1, 1};
static const unsigned char conv_codes_0[] = {0x1, 0x1}, conv_codes_1[] = {0x3};
static const unsigned char classifier_codes_0[] = {0x3, 0x1}, classifier_codes_1[] = {0x1};
static const float conv_scales[] = {0.5f, 0.375f, 2.0f}, conv_bias[] = {1.0f, 0.0f};
static const float classifier_scales[] = {0.25f, 0.5f}, classifier_bias[] = {0.0f, 10.0f};

static const packed_tensor tensors[] = {
    {"conv.scales", "F32", "[3]", conv_scales, sizeof conv_scales},                   /* from byte 0 */
    {"conv.bias", "F32", "[2]", conv_bias, sizeof conv_bias},                         /* from byte 12 */
    {"conv.points", "U8", "[2]", points, sizeof points},                              /* from byte 20 */
    {"conv.codes.0", "U8", "[2,1]", conv_codes_0, sizeof conv_codes_0},               /* from byte 22 */
    {"conv.codes.1", "U8", "[1,1]", conv_codes_1, sizeof conv_codes_1},               /* from byte 24 */
    {"conv.codebook.0", "I8", "[2]", signs, sizeof signs},                            /* from byte 25 */
    {"conv.codebook.1", "I8", "[2]", signs, sizeof signs},                            /* from byte 27 */
    {"classifier.points", "U8", "[2]", points, sizeof points},                        /* from byte 29 */
    {"classifier.codes.0", "U8", "[2,1]", classifier_codes_0, sizeof classifier_codes_0},
    {"classifier.codes.1", "U8", "[1,1]", classifier_codes_1, sizeof classifier_codes_1},
    {"classifier.codebook.0", "I8", "[2]", signs, sizeof signs},
    {"classifier.codebook.1", "I8", "[2]", signs, sizeof signs},
    {"classifier.scales", "F32", "[2]", classifier_scales, sizeof classifier_scales}, /* not aligned, as the format allows */
    {"classifier.bias", "F32", "[2]", classifier_bias, sizeof classifier_bias},
};

static const char layers[] =
    "[{'name':'conv','operator':'Conv','shape':[2,2,1,1],'strides':[1,1],'pads':[0,0,0,0],'dilations':[1,1],'group':1,"
    "'input':{'scale':0.5,'zero_point':2}},"
    "{'name':'classifier','operator':'Gemm','shape':[2,2],'ladder':[2],'input':{'scale':0.125,'zero_point':0}}]";

static const char graph[] =
    "{'operator_set':17,"
    "'inputs':[{'name':'x','dtype':'float32','shape':['N',2,2,2]}],"
    "'outputs':[{'name':'y','dtype':'float32','shape':['N',2]}],"
    "'nodes':["
    "{'name':'conv','operator':'Conv','inputs':['x'],'outputs':['c'],'layer':'conv'},"
    "{'name':'relu','operator':'Relu','inputs':['c'],'outputs':['r']},"
    "{'name':'pool','operator':'GlobalAveragePool','inputs':['r'],'outputs':['p']},"
    "{'name':'flatten','operator':'Flatten','inputs':['p'],'outputs':['features'],'attributes':{'axis':1}},"
    "{'name':'classifier','operator':'Gemm','inputs':['features'],'outputs':['y'],"
    "'layer':'classifier'}],"
    "'values':{'x':{'scale':0.5,'zero_point':2},'features':{'scale':0.125,'zero_point':0}}}";

byte_string sample_network(void) {
    return packed_file_make(tensors, sizeof tensors / sizeof tensors[0], layers, graph, NULL);
}

byte_string sample_layers_with_graph(const char *other_graph) {
    return packed_file_make(tensors, sizeof tensors / sizeof tensors[0], layers, other_graph, NULL);
}

byte_string sample_weights(void) {
    return packed_file_make(tensors, sizeof tensors / sizeof tensors[0], layers, NULL, NULL);
}

const float sample_image[8] = {1, 2, 3, 4, 0.5f, 0.5f, 1, 0};
const float sample_result[2] = {3.34375f, 9.5625f};
