#include <string.h>

#include "tensors.h"

enum { VALUES = 6 };

static void create_session(calls *c, multipoint_model *model) {
    multipoint_session_options *options = take(c, 4096);
    options->struct_size = read_struct_size(c, sizeof *options);
    // Large batches are slow to compile, and nothing else.
    options->maximum_batch = one_in(c, 8) ? read_integer(c) : read_small(c, 0, 4);
    if (options->maximum_batch > 64 && options->maximum_batch <= 65536) options->maximum_batch = 64;
    options->threads = one_in(c, 8) ? (int32_t)read_integer(c) : 1;
    if (options->threads > 4 && options->threads <= 4096) options->threads = 2;
    if (one_in(c, 16)) options->maximum_run_bytes = (uint64_t)read_integer(c);
    if (one_in(c, 16)) options->maximum_work = (uint64_t)read_integer(c);
    multipoint_session *const sentinel = (multipoint_session *)c, *session = sentinel;
    if (!succeeded(multipoint_session_create(model, one_in(c, 8) ? NULL : options, one_in(c, 64) ? NULL : &session))) {
        REQUIRE(session == sentinel);
        return;
    }
    DESTROYED_AND_REPLACED(c->sessions, read_byte(c) % SLOTS, session, multipoint_session_destroy);
}

// Shapes of the network in the files.
static void run(calls *c, multipoint_session *session) {
    const int64_t batch = read_small(c, 1, 4);
    const int64_t shapes[3][4] = {{batch, 2, 2, 2}, {batch, 3, 0, 0}, {batch, 4, 2, 2}};
    const int ranks[3] = {4, 2, 4};
    multipoint_tensor *tensors = take(c, sizeof *tensors * VALUES);
    guarded guards[3];
    unsigned char *before[3];
    for (int index = 0; index < 3; index++)
        if (!make_tensor(c, &tensors[index], &guards[index], MULTIPOINT_F32, ranks[index], shapes[index])) return;
    for (int index = 0; index < 3; index++) before[index] = snapshot(c, &guards[index]);
    const bool overlaps = one_in(c, 32);
    if (overlaps) tensors[1 + read_byte(c) % 2].data = guards[0].memory + guards[0].offset + read_byte(c) % 16;
    // A number that is right is given with memory for it.
    size_t input_count = 1, output_count = 2;
    if (one_in(c, 32)) input_count = (size_t)read_integer(c);
    if (one_in(c, 32)) output_count = (size_t)read_integer(c);
    if (overlaps && guards[0].size < 16 + guards[2].size) tensors[1].byte_count = tensors[2].byte_count = 0;
    const bool done =
        succeeded(multipoint_session_run(session, one_in(c, 64) ? NULL : tensors, input_count, one_in(c, 64) ? NULL : tensors + 1,
                                         output_count));
    REQUIRE(!done || session != NULL);
    for (int index = 0; index < 3; index++) check_untouched(&guards[index], before[index], !done || index == 0);
}

static void describe(calls *c, multipoint_session *session) {
    multipoint_session_info *info = take(c, 4096);
    info->struct_size = read_struct_size(c, sizeof *info);
    if (!succeeded(multipoint_session_describe(session, info))) return;
    for (size_t index = 0; index <= info->step_count; index++) {
        multipoint_step_info step = {.struct_size = sizeof step};
        REQUIRE(succeeded(multipoint_session_step(session, index, &step)) == (index < info->step_count));
        if (index < info->step_count) REQUIRE(step.name != NULL && step.operation != NULL && step.implementation != NULL);
    }
}

static void profile(calls *c, multipoint_session *session) {
    multipoint_profile_info *info = take(c, 4096);
    info->struct_size = read_struct_size(c, sizeof *info);
    if (succeeded(multipoint_session_profile(session, one_in(c, 32) ? NULL : info))) REQUIRE(info->runs >= 0 && info->seconds >= 0);
    multipoint_step_profile *step = take(c, 4096);
    step->struct_size = read_struct_size(c, sizeof *step);
    if (succeeded(multipoint_session_profile_step(session, (size_t)read_small(c, 0, 9), step)))
        REQUIRE(step->name != NULL && step->kind >= MULTIPOINT_STEP_LAYER && step->kind <= MULTIPOINT_STEP_OPERATION);
}

void call_sessions(calls *c) {
    multipoint_session *session = c->sessions[read_byte(c) % SLOTS];
    switch (read_byte(c) % 8) {
    case 0: case 1: create_session(c, c->models[read_byte(c) % SLOTS]); break;
    case 2: case 3: run(c, session); break;
    case 4: describe(c, session); break;
    case 5: succeeded(one_in(c, 2) ? multipoint_session_start_profile(session) : multipoint_session_stop_profile(session)); break;
    case 6: profile(c, session); break;
    default: DESTROYED_AND_REPLACED(c->sessions, read_byte(c) % SLOTS, NULL, multipoint_session_destroy); break;
    }
}
