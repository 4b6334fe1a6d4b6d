#include <stdlib.h>
#include <string.h>

#include "tensors.h"

// Whether running the plan takes no time: what is larger is left to the tests of limits.
static bool is_small(multipoint_layer *layer, const multipoint_plan_options *options) {
    multipoint_layer_info info = {.struct_size = sizeof info};
    if (layer == NULL || !succeeded(multipoint_layer_describe(layer, &info))) return true;
    const int64_t sizes[3] = {options->batch, options->height, options->width};
    const bool is_matrix = info.op == MULTIPOINT_GEMM;
    for (int axis = 0; axis < (is_matrix ? 1 : 3); axis++)
        if (sizes[axis] < 0 || sizes[axis] > 1LL << 31) return true; // refused
    const double batch = options->batch > 0 ? (double)options->batch : 1;
    double inputs = 1, outputs = 1;
    for (int axis = 0; axis < (is_matrix ? 0 : 2); axis++) {
        inputs *= (double)sizes[axis + 1];
        outputs *= (double)(sizes[axis + 1] + info.pads[axis] + info.pads[axis + 2]) / (double)info.strides[axis] + 1;
    }
    const double channels = (double)info.channels, rows = channels > (double)info.rows ? channels : (double)info.rows;
    return batch * inputs * (double)info.row_length * (double)info.group <= 1 << 18 && batch * outputs * rows <= 1 << 18
        && batch * outputs * rows * (double)info.row_length <= 1 << 24;
}

static void create_plan(calls *c, multipoint_layer *layer) {
    multipoint_plan_options *o = take(c, 4096);
    o->struct_size = read_struct_size(c, sizeof *o);
    o->batch = read_small(c, 0, 3);
    o->height = read_small(c, 1, 7);
    o->width = read_small(c, 1, 7);
    static const multipoint_dtype types[] = {MULTIPOINT_DTYPE_NONE, MULTIPOINT_F32, MULTIPOINT_U8, MULTIPOINT_S32, MULTIPOINT_S8};
    o->source_dtype = types[read_byte(c) % 3];
    o->destination_dtype = types[read_byte(c) % 4];
    o->residual_dtype = one_in(c, 4) ? types[read_byte(c) % 3] : MULTIPOINT_DTYPE_NONE;
    o->source_layout = (multipoint_layout)(read_byte(c) % 2);
    o->destination_layout = (multipoint_layout)(read_byte(c) % 2);
    o->source_scale = one_in(c, 2) ? 0 : read_scale(c);
    o->source_zero_point = (int32_t)read_small(c, 0, 200);
    o->destination_scale = one_in(c, 2) ? 0 : read_scale(c);
    o->destination_zero_point = (int32_t)read_small(c, 0, 200);
    o->residual_scale = read_scale(c);
    o->residual_zero_point = (int32_t)read_small(c, 0, 200);
    o->activation = (multipoint_activation)(read_byte(c) % 5);
    o->activation_alpha = one_in(c, 2) ? read_float(c) : 0.25f;
    o->activation_beta = one_in(c, 2) ? read_float(c) : 6;
    o->threads = 1;
    switch (read_byte(c)) {
    case 255: o->source_dtype = (multipoint_dtype)read_integer(c); break;
    case 254: o->destination_dtype = (multipoint_dtype)read_integer(c); break;
    case 253: o->source_layout = (multipoint_layout)read_integer(c); break;
    case 252: o->activation = (multipoint_activation)read_integer(c); break;
    case 251: o->threads = (int32_t)read_integer(c); break;
    case 250: o->residual_dtype = types[read_byte(c) % 5]; break;
    default: break;
    }
    if (o->threads > 4 && o->threads <= 4096) o->threads = 2;
    if (!is_small(layer, o)) return;
    multipoint_plan *const sentinel = (multipoint_plan *)c, *plan = sentinel;
    if (!succeeded(multipoint_plan_create(layer, one_in(c, 64) ? NULL : o, one_in(c, 64) ? NULL : &plan))) {
        REQUIRE(plan == sentinel);
        return;
    }
    DESTROYED_AND_REPLACED(c->plans, read_byte(c) % SLOTS, plan, multipoint_plan_destroy);
}

// The dtypes are not described: all are tried.
static void execute(calls *c, multipoint_plan *plan) {
    static const multipoint_dtype types[] = {MULTIPOINT_F32, MULTIPOINT_U8, MULTIPOINT_S32, MULTIPOINT_S8};
    multipoint_plan_info info = {.struct_size = sizeof info};
    if (!succeeded(multipoint_plan_describe(plan, &info))) return;
    multipoint_tensor *tensors = take(c, sizeof *tensors * 3);
    guarded guards[3];
    unsigned char *before[3];
    const multipoint_dtype source = types[read_byte(c) % 2], destination = types[read_byte(c) % 3];
    if (!make_tensor(c, &tensors[0], &guards[0], source, info.rank, info.source_dimensions)) return;
    if (!make_tensor(c, &tensors[1], &guards[1], destination, info.rank, info.destination_dimensions)) return;
    if (!make_tensor(c, &tensors[2], &guards[2], types[read_byte(c) % 2], info.rank, info.destination_dimensions)) return;
    unsigned char *workspace = NULL;
    if (one_in(c, 3)) {
        unsigned char *memory = take(c, info.workspace_bytes + 64);
        if (memory == NULL) return;
        workspace = memory + (64 - (uintptr_t)memory % 64) % 64;
        if (one_in(c, 8)) workspace = memory + 1 + (64 - (uintptr_t)memory % 64) % 64 - 1 + read_byte(c) % 64;
        // What is not aligned is refused, what is aligned by chance may be too short.
        if ((uintptr_t)workspace % 64 == 0 && workspace + info.workspace_bytes > memory + info.workspace_bytes + 64) return;
    }
    for (int index = 0; index < 3; index++) before[index] = snapshot(c, &guards[index]);
    if (one_in(c, 32)) {
        // Overlapping, within the memory that there is.
        const size_t shift = read_byte(c) % 16;
        if (guards[1].size + shift <= guards[0].size + 64) tensors[1].data = (unsigned char *)guards[0].memory + guards[0].offset + shift;
    }
    const bool has_residual = one_in(c, 4);
    const bool done = succeeded(multipoint_plan_execute(plan, one_in(c, 64) ? NULL : &tensors[0], has_residual ? &tensors[2] : NULL,
                                                        one_in(c, 64) ? NULL : &tensors[1], workspace));
    for (int index = 0; index < 3; index++) check_untouched(&guards[index], before[index], !done || index != 1);
}

static void describe(calls *c, multipoint_plan *plan) {
    multipoint_plan_info *info = take(c, 4096);
    info->struct_size = read_struct_size(c, sizeof *info);
    if (succeeded(multipoint_plan_describe(plan, one_in(c, 32) ? NULL : info)))
        REQUIRE(info->workspace_bytes == multipoint_plan_workspace_size(plan) && info->implementations != NULL);
}

void call_plans(calls *c) {
    const unsigned slot = read_byte(c) % SLOTS;
    switch (read_byte(c) % 8) {
    case 0: case 1: case 2: create_plan(c, c->layers[slot]); break;
    case 3: case 4: case 5: execute(c, c->plans[slot]); break;
    case 6: describe(c, c->plans[slot]); break;
    default: DESTROYED_AND_REPLACED(c->plans, slot, NULL, multipoint_plan_destroy); break;
    }
}
