/* Packed files that are missing, damaged or wrong: each with its own status and a message that names the thing. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "packed_file.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A handle value that no call may change when it fails. */
static char untouched_object;
#define UNTOUCHED ((multipoint_model *)&untouched_object)

/* Opens a file from memory that has to be refused, and gives it back. */
#define CHECK_REFUSED(file, status, words)                                                                             \
    do {                                                                                                               \
        byte_string refused_file = (file);                                                                             \
        multipoint_model *refused_model = UNTOUCHED;                                                                   \
        CHECK_FAILS(multipoint_model_open_memory(refused_file.bytes, refused_file.count, NULL, &refused_model), status, words); \
        CHECK(refused_model == UNTOUCHED);                                                                             \
        byte_string_free(refused_file);                                                                                \
    } while (0)

static void write_file(const char *path, const void *bytes, size_t count) {
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, count, file) != count || fclose(file) != 0) {
        perror(path);
        exit(2);
    }
}

static void test_paths(byte_string good) {
    multipoint_model *model = UNTOUCHED;
    CHECK_FAILS(multipoint_model_open("no-such-file.multipoint", NULL, &model), MULTIPOINT_IO_ERROR, "no-such-file.multipoint");
    CHECK(strstr(multipoint_last_error(), "No such file") != NULL);
    CHECK_FAILS(multipoint_model_open("", NULL, &model), MULTIPOINT_IO_ERROR, NULL);
    CHECK_FAILS(multipoint_model_open(".", NULL, &model), MULTIPOINT_IO_ERROR, "not a regular file");
    CHECK_FAILS(multipoint_model_open("\xff\xfe", NULL, &model), MULTIPOINT_INVALID_ARGUMENT, "path");
    write_file("empty.multipoint", "", 0);
    CHECK_FAILS(multipoint_model_open("empty.multipoint", NULL, &model), MULTIPOINT_BAD_FORMAT, "empty.multipoint");
    write_file("truncated.multipoint", good.bytes, good.count - 1);
    CHECK_FAILS(multipoint_model_open("truncated.multipoint", NULL, &model), MULTIPOINT_BAD_FORMAT, "truncated.multipoint");
    CHECK(model == UNTOUCHED);
    unlink("truncated.multipoint");

    /* Made shorter after it was opened: the model does not care, the file was read. */
    write_file("good.multipoint", good.bytes, good.count);
    if (CHECK_OK(multipoint_model_open("good.multipoint", NULL, &model))) {
        write_file("good.multipoint", "", 0);
        CHECK(multipoint_model_layer_count(model) == 2);
        multipoint_model_destroy(model);
    }
    unlink("good.multipoint");
    unlink("empty.multipoint");
}

/* A device or a pipe never ends or has no size; a reader that trusts st_size reads nothing or for ever. */
static void test_special_files(void) {
    multipoint_model *model = UNTOUCHED;
    CHECK(multipoint_model_open("/dev/null", NULL, &model) != MULTIPOINT_OK);
    CHECK(multipoint_last_error()[0] != '\0');
    CHECK(multipoint_model_open("/dev/zero", NULL, &model) != MULTIPOINT_OK);
    CHECK(multipoint_last_error()[0] != '\0');
    CHECK(model == UNTOUCHED);
}

static void test_truncations(byte_string good) {
    for (size_t count = 0; count < good.count; count++) {
        /* A copy of exactly that size, so that memcheck sees a read beyond it. */
        unsigned char *part = malloc(count > 0 ? count : 1);
        if (part == NULL) exit(2);
        memcpy(part, good.bytes, count);
        multipoint_model *model = UNTOUCHED;
        CHECK_FAILS(multipoint_model_open_memory(part, count, NULL, &model), MULTIPOINT_BAD_FORMAT, NULL);
        CHECK(model == UNTOUCHED);
        free(part);
    }
}

/* One damaged byte: refused or not (a scale may be another), but never more than that. */
static void test_damaged_bytes(byte_string good, size_t step) {
    size_t refused = 0;
    for (size_t place = 0; place < good.count; place += step) {
        byte_string damaged = packed_file_with_data(good, 0, "", 0);
        damaged.bytes[place] ^= (unsigned char)(1u << (place % 8));
        multipoint_model *model = NULL;
        multipoint_status status = multipoint_model_open_memory(damaged.bytes, damaged.count, NULL, &model);
        if (status == MULTIPOINT_OK) {
            multipoint_session *session = NULL;
            if (multipoint_session_create(model, NULL, &session) == MULTIPOINT_OK) multipoint_session_destroy(session);
            multipoint_model_destroy(model);
        } else {
            refused++;
            CHECK(model == NULL && multipoint_last_error()[0] != '\0');
        }
        byte_string_free(damaged);
    }
    CHECK(refused > good.count / step / 2);
}

static void test_container(byte_string good) {
    unsigned char noise[256];
    uint32_t state = 1;
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (unsigned char)((state = state * 1664525u + 1013904223u) >> 24);
    multipoint_model *model = UNTOUCHED;
    CHECK_FAILS(multipoint_model_open_memory(noise, sizeof noise, NULL, &model), MULTIPOINT_BAD_FORMAT, NULL);
    CHECK_FAILS(multipoint_model_open_memory("PK\3\4 this is some other file", 28, NULL, &model), MULTIPOINT_BAD_FORMAT, NULL);
    CHECK_FAILS(multipoint_model_open_memory("\2\0\0\0\0\0\0\0{}", 10, NULL, &model), MULTIPOINT_BAD_FORMAT, "format");
    CHECK_FAILS(multipoint_model_open_memory("\2\0\0\0\0\0\0\0[]", 10, NULL, &model), MULTIPOINT_BAD_FORMAT, NULL);
    CHECK_FAILS(multipoint_model_open_memory("\377\377\377\377\377\377\377\177{}", 10, NULL, &model), MULTIPOINT_BAD_FORMAT, "header");
    CHECK_FAILS(multipoint_model_open_memory("\377\377\377\377\377\377\377\377{}", 10, NULL, &model), MULTIPOINT_BAD_FORMAT, "header");

    CHECK_REFUSED(packed_file_patched(good, "`format`:`multipoint`", "`format`:`pt`"), MULTIPOINT_BAD_FORMAT, "format");
    CHECK_REFUSED(packed_file_patched(good, "`format`:`multipoint`", "`other`:`multipoint`"), MULTIPOINT_BAD_FORMAT, "format");
    CHECK_REFUSED(packed_file_patched(good, "`version`:`1.0`", "`version`:`2.0`"), MULTIPOINT_UNSUPPORTED, "2.0");
    CHECK_REFUSED(packed_file_patched(good, "`version`:`1.0`", "`version`:`one`"), MULTIPOINT_BAD_FORMAT, "version");
    CHECK_REFUSED(packed_file_patched(good, "`version`:`1.0`", "`crc32`:`00000000`,`version`:`1.0`"), MULTIPOINT_BAD_FORMAT, "crc32");
    CHECK_REFUSED(packed_file_patched(good, "`name`", "name"), MULTIPOINT_BAD_FORMAT, NULL);
}

static void test_accepted_variations(byte_string good) {
    char crc[64];
    snprintf(crc, sizeof crc, "`crc32`:`%08x`,`version`:`1.0`", packed_file_crc32(good));
    const char *variations[][2] = {
        {"`version`:`1.0`", crc},
        {"`version`:`1.0`", "`version`:`1.7`"},                        /* a newer minor version */
        {"`version`:`1.0`", "`version`:`1.0`,`licence`:`MIT`"},        /* keys that this version does not know */
        {"'operator':'Conv','shape'", "'operator':'Conv','colour':'blue','shape'"},
        {"'strides':[1,1],", ""},                                      /* ONNX's defaults */
    };
    for (size_t i = 0; i < sizeof variations / sizeof variations[0]; i++) {
        byte_string file = packed_file_patched(good, variations[i][0], variations[i][1]);
        multipoint_model *model = NULL;
        if (CHECK_OK(multipoint_model_open_memory(file.bytes, file.count, NULL, &model))) {
            CHECK(multipoint_model_layer_count(model) == 2);
        }
        multipoint_model_destroy(model);
        byte_string_free(file);
    }
}

static void test_tensors(byte_string good) {
    CHECK_REFUSED(packed_file_patched(good, "`data_offsets`:[0,12]", "`data_offsets`:[0,12000]"), MULTIPOINT_BAD_FORMAT, "conv.scales");
    CHECK_REFUSED(packed_file_patched(good, "`data_offsets`:[0,12]", "`data_offsets`:[12,0]"), MULTIPOINT_BAD_FORMAT, "conv.scales");
    CHECK_REFUSED(packed_file_patched(good, "`data_offsets`:[0,12]", "`data_offsets`:[-12,0]"), MULTIPOINT_BAD_FORMAT, NULL);
    CHECK_REFUSED(packed_file_patched(good, "`data_offsets`:[0,12]", "`data_offsets`:[0,9223372036854775807]"), MULTIPOINT_BAD_FORMAT, NULL);
    CHECK_REFUSED(packed_file_patched(good, "`data_offsets`:[12,20]", "`data_offsets`:[8,16]"), MULTIPOINT_BAD_FORMAT, NULL); /* overlap and hole */
    CHECK_REFUSED(packed_file_patched(good, "`dtype`:`F32`,`shape`:[3]", "`dtype`:`I32`,`shape`:[3]"), MULTIPOINT_BAD_FORMAT, "conv.scales");
    CHECK_REFUSED(packed_file_patched(good, "`dtype`:`F32`,`shape`:[3]", "`dtype`:`F32`,`shape`:[4]"), MULTIPOINT_BAD_FORMAT, "conv.scales");
    CHECK_REFUSED(packed_file_patched(good, "`dtype`:`F32`,`shape`:[3]", "`dtype`:`X99`,`shape`:[3]"), MULTIPOINT_UNSUPPORTED, "conv.scales");
    CHECK_REFUSED(packed_file_patched(good, "`dtype`:`F32`,`shape`:[3]", "`dtype`:`F32`,`shape`:[4294967296,4294967296,3]"), MULTIPOINT_BAD_FORMAT, NULL);
    CHECK_REFUSED(packed_file_patched(good, "`dtype`:`F32`,`shape`:[2]", "`dtype`:`F32`,`shape`:[1,2]"), MULTIPOINT_BAD_FORMAT, "conv.bias");
    CHECK_REFUSED(packed_file_patched(good, "`conv.points`", "`conv.pointz`"), MULTIPOINT_BAD_FORMAT, "conv");
    CHECK_REFUSED(packed_file_patched(good, "`conv.scales`", "`conv.scalez`"), MULTIPOINT_BAD_FORMAT, "conv");
    CHECK_REFUSED(packed_file_patched(good, "`conv.codes.1`", "`conv.codes.2`"), MULTIPOINT_BAD_FORMAT, "conv");
    CHECK_REFUSED(packed_file_patched(good, "`conv.codebook.1`", "`conv.codebook.2`"), MULTIPOINT_BAD_FORMAT, "conv");
}

static void test_tensor_data(byte_string good) {
    const float wrong_scales[] = {NAN, INFINITY, 0.0f, -1.0f};
    for (size_t i = 0; i < sizeof wrong_scales / sizeof wrong_scales[0]; i++) {
        CHECK_REFUSED(packed_file_with_data(good, 4, &wrong_scales[i], 4), MULTIPOINT_BAD_FORMAT, "conv");
        CHECK(strstr(multipoint_last_error(), "scale") != NULL);
    }
    const float nan = NAN;
    CHECK_REFUSED(packed_file_with_data(good, 12, &nan, 4), MULTIPOINT_BAD_FORMAT, "bias");
    CHECK_REFUSED(packed_file_with_data(good, 20, "\3", 1), MULTIPOINT_BAD_FORMAT, "conv");    /* three points, two levels */
    CHECK_REFUSED(packed_file_with_data(good, 20, "\1", 1), MULTIPOINT_BAD_FORMAT, "conv");    /* fewer than the codes */
    CHECK_REFUSED(packed_file_with_data(good, 20, "\377", 1), MULTIPOINT_BAD_FORMAT, "conv");
}

static void test_layers(byte_string good) {
    const struct { const char *old, *replacement; multipoint_status status; const char *words; } cases[] = {
        {"'operator':'Conv','shape'", "'operator':'Deconv','shape'", MULTIPOINT_UNSUPPORTED, "Deconv"},
        {"'operator':'Gemm','shape':[2,2]", "'operator':'Gemm','shape':[2,2,1]", MULTIPOINT_BAD_FORMAT, "classifier"},
        {"'shape':[2,2,1,1]", "'shape':[2,3,1,1]", MULTIPOINT_BAD_FORMAT, "conv"},
        {"'shape':[2,2,1,1]", "'shape':[0,2,1,1]", MULTIPOINT_BAD_FORMAT, "conv"},
        {"'shape':[2,2,1,1]", "'shape':[-2,2,1,1]", MULTIPOINT_BAD_FORMAT, "conv"},
        {"'shape':[2,2,1,1]", "'shape':[4294967296,4294967296,4294967296,4]", MULTIPOINT_BAD_FORMAT, "conv"},
        {"'shape':[2,2,1,1]", "'shape':[1e300,2,1,1]", MULTIPOINT_BAD_FORMAT, NULL},
        {"'shape':[2,2,1,1]", "'shape':'2,2,1,1'", MULTIPOINT_BAD_FORMAT, NULL},
        {"'strides':[1,1]", "'strides':[0,1]", MULTIPOINT_BAD_FORMAT, "strides"},
        {"'strides':[1,1]", "'strides':[1]", MULTIPOINT_BAD_FORMAT, "strides"},
        {"'pads':[0,0,0,0]", "'pads':[0,0,-1,0]", MULTIPOINT_BAD_FORMAT, "pads"},
        {"'dilations':[1,1]", "'dilations':[1,9223372036854775807]", MULTIPOINT_BAD_FORMAT, "dilations"},
        {"'group':1", "'group':3", MULTIPOINT_BAD_FORMAT, "group"},
        {"'group':1", "'group':0", MULTIPOINT_BAD_FORMAT, "group"},
        {"'ladder':[2]", "'ladder':[200]", MULTIPOINT_BAD_FORMAT, "ladder"},
        {"'ladder':[2]", "'ladder':[0]", MULTIPOINT_BAD_FORMAT, "ladder"},
        {"'ladder':[2]", "'ladder':[2,2]", MULTIPOINT_BAD_FORMAT, "ladder"},
        {"'input':{'scale':0.5,'zero_point':2}", "'input':{'scale':-0.5,'zero_point':2}", MULTIPOINT_BAD_FORMAT, "scale"},
        {"'input':{'scale':0.5,'zero_point':2}", "'input':{'scale':0.5,'zero_point':256}", MULTIPOINT_BAD_FORMAT, "zero"},
        {"'input':{'scale':0.5,'zero_point':2}", "'input':{'scale':1e39,'zero_point':2}", MULTIPOINT_BAD_FORMAT, NULL},
        {"'name':'classifier','operator':'Gemm','shape'", "'name':'conv','operator':'Gemm','shape'", MULTIPOINT_BAD_FORMAT, "conv"},
        {"`layers`", "`layerz`", MULTIPOINT_BAD_FORMAT, "layers"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_REFUSED(packed_file_patched(good, cases[i].old, cases[i].replacement), cases[i].status, cases[i].words);
    }
}

static void test_graphs(byte_string good) {
    const struct { const char *old, *replacement; multipoint_status status; const char *words; } cases[] = {
        {"'operator':'Relu'", "'operator':'Rely'", MULTIPOINT_UNSUPPORTED, "Rely"},
        {"'inputs':['c']", "'inputs':['nowhere']", MULTIPOINT_BAD_FORMAT, "nowhere"},
        {"'inputs':['c']", "'inputs':['p']", MULTIPOINT_BAD_FORMAT, NULL},                      /* relu -> pool -> relu */
        {"'inputs':['c']", "'inputs':[]", MULTIPOINT_BAD_FORMAT, "relu"},
        {"'outputs':['p']", "'outputs':['c']", MULTIPOINT_BAD_FORMAT, NULL},                      /* made twice */
        {"'layer':'conv'", "'layer':'convolution'", MULTIPOINT_BAD_FORMAT, "convolution"},
        {"'outputs':[{'name':'y'", "'outputs':[{'name':'z'", MULTIPOINT_BAD_FORMAT, "`z`"},
        {"['N',2,2,2]", "['N',3,2,2]", MULTIPOINT_BAD_FORMAT, "conv"},
        {"['N',2,2,2]", "['N',2,0,2]", MULTIPOINT_BAD_FORMAT, NULL},
        {"['N',2,2,2]", "['N',2,2,-2]", MULTIPOINT_BAD_FORMAT, NULL},
        {"'dtype':'float32'", "'dtype':'float16'", MULTIPOINT_UNSUPPORTED, "float16"},
        {"'features':{'scale':0.125", "'features':{'scale':0", MULTIPOINT_BAD_FORMAT, "features"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_REFUSED(packed_file_patched(good, cases[i].old, cases[i].replacement), cases[i].status, cases[i].words);
    }
}

/* JSON deep enough to overflow the stack of a recursive reader. */
static void test_deep_json(byte_string good) {
    enum { depth = 100000 };
    char *deep = malloc(depth + 1);
    if (deep == NULL) exit(2);
    memset(deep, '[', depth);
    deep[depth] = '\0';
    CHECK_REFUSED(packed_file_patched(good, "[{'name':'conv'", deep), MULTIPOINT_BAD_FORMAT, NULL);
    CHECK_REFUSED(packed_file_patched(good, "`shape`:[3]", deep), MULTIPOINT_BAD_FORMAT, NULL);
    free(deep);
}

int main(int argument_count, char **arguments) {
    /* memcheck is fifty times slower: it sees every seventh damaged byte. */
    size_t step = argument_count > 1 && strcmp(arguments[1], "--brief") == 0 ? 7 : 1;
    byte_string good = sample_network();
    test_paths(good);
    test_special_files();
    test_truncations(good);
    test_damaged_bytes(good, step);
    test_container(good);
    test_accepted_variations(good);
    test_tensors(good);
    test_tensor_data(good);
    test_layers(good);
    test_graphs(good);
    test_deep_json(good);
    byte_string_free(good);
    return check_summary("files");
}
