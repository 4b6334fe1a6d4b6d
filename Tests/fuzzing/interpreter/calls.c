#include "include/fuzz_calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

void fuzz_broken(const char *file, int line, const char *condition) {
    fprintf(stderr, "broken promise: %s:%d: %s; last error: %s\n", file, line, condition, multipoint_last_error());
    abort();
}

bool succeeded(multipoint_status status) {
    const bool has_message = multipoint_last_error()[0] != 0;
    REQUIRE((int)status >= 0 && (int)status <= 11);
    REQUIRE(status != MULTIPOINT_INTERNAL_ERROR);
    REQUIRE(has_message == (status != MULTIPOINT_OK));
    return status == MULTIPOINT_OK;
}

void call_versions(calls *c) {
    REQUIRE(multipoint_version()[0] != 0);
    REQUIRE(multipoint_version_number() == MULTIPOINT_VERSION_NUMBER);
    REQUIRE(multipoint_build_info()[0] != 0);
    REQUIRE(multipoint_status_string((multipoint_status)read_integer(c)) != NULL);
    REQUIRE(multipoint_last_error() != NULL);
}

static void destroy_everything(calls *c) {
    for (int slot = 0; slot < SLOTS; slot++) {
        multipoint_model_destroy(c->models[slot]);
        multipoint_session_destroy(c->sessions[slot]);
        multipoint_layer_destroy(c->layers[slot]);
        multipoint_plan_destroy(c->plans[slot]);
        multipoint_packing_destroy(c->packings[slot]);
    }
}

void fuzz_calls(const void *program, size_t program_size, const void *network, size_t network_size, const void *weights,
                size_t weights_size) {
    calls c;
    memset(&c, 0, sizeof c);
    c.next = program;
    c.end = program_size > 0 ? c.next + program_size : c.next;
    c.files[0] = network;
    c.file_sizes[0] = network_size;
    c.files[1] = weights;
    c.file_sizes[1] = weights_size;
    for (int count = 0; c.next < c.end && count < 100; count++) {
        switch (read_byte(&c) % 16) {
        case 0: case 1: case 2: call_models(&c); break;
        case 3: case 4: case 5: case 6: call_sessions(&c); break;
        case 7: case 8: case 9: call_layers(&c); break;
        case 10: case 11: case 12: case 13: call_plans(&c); break;
        case 14: call_packings(&c); break;
        default: call_versions(&c); break;
        }
        give_back(&c);
    }
    destroy_everything(&c);
}
