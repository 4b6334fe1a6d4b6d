#include <string.h>

#include "internal.h"

static int progress(void *user_data, double fraction) {
    REQUIRE(fraction >= 0 && fraction <= 1);
    return (*(unsigned *)user_data)-- == 0;
}

static void logged(void *user_data, multipoint_log_level level, const char *message) {
    (void)user_data;
    REQUIRE(level == MULTIPOINT_LOG_INFO || level == MULTIPOINT_LOG_WARNING);
    REQUIRE(message[0] != 0);
}

static void open_model(calls *c) {
    const int which = one_in(c, 4);
    size_t size = c->file_sizes[which];
    unsigned char *bytes = take(c, size);
    multipoint_model_options *options = take(c, 4096);
    if (bytes == NULL || options == NULL) return;
    memcpy(bytes, c->files[which], size);
    unsigned patience = read_byte(c);
    for (unsigned count = patience > 200 ? patience - 200 : 0; count > 0; count--) {
        const unsigned place = read_byte(c) << 8 | read_byte(c);
        bytes[place % size] = (unsigned char)read_byte(c);
    }
    // Less of it, or a size that no memory has.
    if (one_in(c, 16)) size = read_byte(c) << 8 | read_byte(c);
    if (size > c->file_sizes[which]) size = SIZE_MAX - size;
    options->struct_size = read_struct_size(c, sizeof *options);
    if (one_in(c, 4)) options->progress = progress;
    if (one_in(c, 2)) options->log = logged;
    options->user_data = &patience;
    if (one_in(c, 16)) {
        uint64_t *const limits[] = {&options->maximum_file_bytes, &options->maximum_tensors, &options->maximum_nodes,
                                    &options->maximum_elements, &options->maximum_weight_bytes};
        *limits[read_byte(c) % 5] = (uint64_t)read_integer(c);
    }
    // Beyond what this version knows.
    if (one_in(c, 64)) ((unsigned char *)options)[sizeof *options + read_byte(c)] = 1;
    multipoint_model *const sentinel = (multipoint_model *)c, *model = sentinel;
    if (succeeded(multipoint_model_open_memory(one_in(c, 64) ? NULL : bytes, size, one_in(c, 2) ? NULL : options,
                                               one_in(c, 64) ? NULL : &model))) {
        REQUIRE(model != NULL && model != sentinel);
        DESTROYED_AND_REPLACED(c->models, read_byte(c) % SLOTS, model, multipoint_model_destroy);
    } else {
        REQUIRE(model == sentinel);
    }
}

static void open_path(calls *c) {
    static const char *const paths[] = {NULL, "", "/", "/nonexistent/file", "/dev/null", "/proc/self/mem", "\xff\xfe", "a\n"};
    multipoint_model *model = NULL;
    REQUIRE(!succeeded(multipoint_model_open(paths[read_byte(c) % 8], NULL, one_in(c, 8) ? NULL : &model)));
    REQUIRE(model == NULL);
}

static void describe_value(calls *c, multipoint_model *model) {
    multipoint_value_info *info = take(c, 4096);
    const size_t index = (size_t)read_small(c, 0, 3);
    const bool is_input = one_in(c, 2);
    info->struct_size = read_struct_size(c, sizeof *info);
    if (one_in(c, 64)) info = NULL;
    const bool found =
        succeeded(is_input ? multipoint_model_input(model, index, info) : multipoint_model_output(model, index, info));
    if (!found) return;
    REQUIRE(index < (is_input ? multipoint_model_input_count(model) : multipoint_model_output_count(model)));
    REQUIRE(info->name != NULL && info->dtype == MULTIPOINT_F32);
    REQUIRE(info->rank >= 0 && info->rank <= MULTIPOINT_MAX_RANK);
}

static void describe_layer(calls *c, multipoint_model *model) {
    multipoint_layer_info *info = take(c, 4096);
    const size_t index = (size_t)read_small(c, 0, 6);
    info->struct_size = read_struct_size(c, sizeof *info);
    if (!succeeded(multipoint_model_layer(model, index, one_in(c, 64) ? NULL : info))) return;
    REQUIRE(index < multipoint_model_layer_count(model));
    REQUIRE(info->name != NULL && info->execution != NULL && info->channels >= 1 && info->row_length >= 1);
}

void call_models(calls *c) {
    multipoint_model *model = c->models[read_byte(c) % SLOTS];
    switch (read_byte(c) % 8) {
    case 0: case 1: case 2: open_model(c); break;
    case 3: open_path(c); break;
    case 4: describe_value(c, model); break;
    case 5: describe_layer(c, model); break;
    case 6:
        REQUIRE((multipoint_model_name(model) == NULL) == (model == NULL));
        REQUIRE((multipoint_model_has_graph(model) & ~1) == 0);
        break;
    default: DESTROYED_AND_REPLACED(c->models, read_byte(c) % SLOTS, NULL, multipoint_model_destroy); break;
    }
}
