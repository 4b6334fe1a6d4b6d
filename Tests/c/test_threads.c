/* Several threads on one plan, one model, one layer: the same bits as one thread's. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "packed_file.h"

#include <pthread.h>
#include <stdlib.h>

enum { thread_count = 4, channels = 32, side = 12, image_count = channels * side * side };

static multipoint_plan *plan;
static multipoint_model *model;

typedef struct work {
    pthread_t thread;
    unsigned seed;
    int rounds, uses_workspace, failures;
    unsigned char image[image_count];
    float alone[image_count];
} work;

static void fill(unsigned char *bytes, size_t count, unsigned seed) {
    uint32_t state = seed;
    for (size_t i = 0; i < count; i++) bytes[i] = (unsigned char)((state = state * 1664525u + 1013904223u) >> 24);
}

static multipoint_status execute(const unsigned char *image, float *result, void *workspace) {
    const int64_t shape[] = {1, channels, side, side};
    multipoint_tensor source = {(void *)image, image_count, MULTIPOINT_U8, 4, shape, NULL};
    multipoint_tensor destination = {result, image_count * sizeof(float), MULTIPOINT_F32, 4, shape, NULL};
    return multipoint_plan_execute(plan, &source, NULL, &destination, workspace);
}

/* Conv 3x3, 32 to 32 channels, a second point in every third channel; two threads of its own. */
static int make_plan(void) {
    enum { row_length = channels * 9, vector_bytes = row_length / 2, extra = (channels + 2) / 3 };
    static uint8_t codes[2][channels * vector_bytes];
    static float scales[channels + extra];
    int8_t codebook[16];
    uint8_t points[channels];
    fill(codes[0], sizeof codes[0], 1);
    fill(codes[1], sizeof codes[1], 2);
    for (int i = 0; i < 16; i++) codebook[i] = (int8_t)(2 * i - 15);
    size_t scale_count = 0;
    for (int c = 0; c < channels; c++) {
        points[c] = c % 3 == 0 ? 2 : 1;
        scales[scale_count++] = 0.01f * (float)(c + 1);
        if (points[c] == 2) scales[scale_count++] = 0.0013f * (float)(c + 1);
    }
    const multipoint_level levels[] = {
        {codebook, 16, codes[0], channels * vector_bytes}, {codebook, 16, codes[1], extra * vector_bytes}};
    multipoint_weights weights = {sizeof weights, channels, row_length, points, 2, levels, scales, scale_count, NULL};
    multipoint_layer_descriptor descriptor = {0};
    descriptor.struct_size = sizeof descriptor;
    descriptor.op = MULTIPOINT_CONV;
    descriptor.shape[0] = descriptor.shape[1] = channels;
    descriptor.shape[2] = descriptor.shape[3] = 3;
    for (int i = 0; i < 4; i++) descriptor.pads[i] = 1;
    descriptor.weights = &weights;
    descriptor.input_scale = 0.02f;
    multipoint_plan_options options = {0};
    options.struct_size = sizeof options;
    options.height = options.width = side;
    options.source_dtype = MULTIPOINT_U8;
    options.activation = MULTIPOINT_RELU;
    options.threads = 2;
    multipoint_layer *layer = NULL;
    int made = CHECK_OK(multipoint_layer_create(&descriptor, &layer)) &&
               CHECK_OK(multipoint_plan_create(layer, &options, &plan));
    multipoint_layer_destroy(layer);
    return made;
}

static void *execute_again(void *argument) {
    work *own = argument;
    float *result = malloc(sizeof own->alone);
    void *workspace = NULL;
    size_t size = (multipoint_plan_workspace_size(plan) + 64) / 64 * 64;
    if (result == NULL || posix_memalign(&workspace, 64, size) != 0) exit(2);
    for (int i = 0; i < own->rounds; i++) {
        memset(result, 0xFF, sizeof own->alone);
        multipoint_status status = execute(own->image, result, own->uses_workspace ? workspace : NULL);
        own->failures += status != MULTIPOINT_OK || memcmp(result, own->alone, sizeof own->alone) != 0;
    }
    free(workspace);
    free(result);
    return NULL;
}

static void start(work *all, void *(*body)(void *)) {
    for (int i = 0; i < thread_count; i++) {
        if (pthread_create(&all[i].thread, NULL, body, &all[i]) != 0) exit(2);
    }
    for (int i = 0; i < thread_count; i++) pthread_join(all[i].thread, NULL);
}

static void test_shared_plan(int rounds) {
    static work all[thread_count];
    for (int i = 0; i < thread_count; i++) {
        all[i].rounds = rounds;
        all[i].uses_workspace = i % 2;
        fill(all[i].image, image_count, 100u + (unsigned)i);
        CHECK_OK(execute(all[i].image, all[i].alone, NULL));
    }
    CHECK(memcmp(all[0].alone, all[1].alone, sizeof all[0].alone) != 0);
    start(all, execute_again);
    for (int i = 0; i < thread_count; i++) CHECK(all[i].failures == 0);
}

/* Threads that make sessions of one model at the same time, run them and destroy them. */
static void *run_sessions(void *argument) {
    work *own = argument;
    const int64_t image_shape[] = {1, 2, 2, 2}, result_shape[] = {1, 2};
    for (int i = 0; i < own->rounds; i++) {
        multipoint_session *session = NULL;
        float result[2] = {0, 0};
        multipoint_tensor input = {(void *)sample_image, sizeof sample_image, MULTIPOINT_F32, 4, image_shape, NULL};
        multipoint_tensor output = {result, sizeof result, MULTIPOINT_F32, 2, result_shape, NULL};
        own->failures += multipoint_session_create(model, NULL, &session) != MULTIPOINT_OK;
        for (int k = 0; k < 5; k++) {
            own->failures += multipoint_session_run(session, &input, 1, &output, 1) != MULTIPOINT_OK;
            own->failures += memcmp(result, own->alone, sizeof result) != 0;
        }
        multipoint_session_destroy(session);
    }
    return NULL;
}

static void test_sessions(int rounds) {
    static work all[thread_count];
    const int64_t image_shape[] = {1, 2, 2, 2}, result_shape[] = {1, 2};
    for (int i = 0; i < thread_count; i++) {
        all[i].rounds = rounds;
        multipoint_session *session = NULL;
        multipoint_tensor input = {(void *)sample_image, sizeof sample_image, MULTIPOINT_F32, 4, image_shape, NULL};
        multipoint_tensor output = {all[i].alone, 8, MULTIPOINT_F32, 2, result_shape, NULL};
        CHECK_OK(multipoint_session_create(model, NULL, &session));
        CHECK_OK(multipoint_session_run(session, &input, 1, &output, 1));
        CHECK_FLOATS(all[i].alone, sample_result, 2);
        multipoint_session_destroy(session);
    }
    start(all, run_sessions);
    for (int i = 0; i < thread_count; i++) CHECK(all[i].failures == 0);
}

/* Each thread has its own last error. */
static void *fail_on_purpose(void *argument) {
    work *own = argument;
    char path[64];
    snprintf(path, sizeof path, "no-such-file-%u.multipoint", own->seed);
    own->failures += multipoint_last_error()[0] != '\0';
    for (int i = 0; i < own->rounds; i++) {
        multipoint_model *made = NULL;
        own->failures += multipoint_model_open(path, NULL, &made) != MULTIPOINT_IO_ERROR;
        own->failures += strstr(multipoint_last_error(), path) == NULL;
    }
    return NULL;
}

static void test_last_errors(int rounds) {
    static work all[thread_count];
    multipoint_model *made = NULL;
    CHECK_FAILS(multipoint_model_open("the main thread's file", NULL, &made), MULTIPOINT_IO_ERROR, "the main thread's file");
    for (int i = 0; i < thread_count; i++) {
        all[i].seed = (unsigned)i;
        all[i].rounds = rounds;
    }
    start(all, fail_on_purpose);
    for (int i = 0; i < thread_count; i++) CHECK(all[i].failures == 0);
    CHECK(strstr(multipoint_last_error(), "the main thread's file") != NULL);
}

int main(int argument_count, char **arguments) {
    int is_brief = argument_count > 1 && strcmp(arguments[1], "--brief") == 0;
    byte_string file = sample_network();
    if (make_plan() && CHECK_OK(multipoint_model_open_memory(file.bytes, file.count, NULL, &model))) {
        test_shared_plan(is_brief ? 3 : 200);
        test_sessions(is_brief ? 2 : 50);
        test_last_errors(is_brief ? 5 : 200);
    }
    byte_string_free(file);
    multipoint_plan_destroy(plan);
    multipoint_model_destroy(model);
    return check_summary("threads");
}
