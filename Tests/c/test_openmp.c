/* A host with parallel regions of its own, by the same OpenMP as the library's: calls inside of them find what calls outside do. */
#include "check.h"
#include "expected_results.h"
#include "random_network.h"

#include <omp.h>
#include <stdlib.h>

enum { team_size = 4, network_count = 6 };

static int run_all(const expected_network *expected, const multipoint_model *model, int32_t threads) {
    multipoint_session_options options = {.struct_size = sizeof options, .maximum_batch = expected_images, .threads = threads};
    multipoint_session *session = NULL;
    int right = multipoint_session_create(model, &options, &session) == MULTIPOINT_OK &&
                run_as_expected(expected, session, expected_images, 0) && run_as_expected(expected, session, 1, 2);
    multipoint_session_destroy(session);
    return right;
}

static int open_and_run(const expected_network *expected) {
    multipoint_model *model = NULL;
    int right = multipoint_model_open_memory(expected->file.bytes, expected->file.count, NULL, &model) == MULTIPOINT_OK &&
                run_all(expected, model, 1);
    multipoint_model_destroy(model);
    return right;
}

static int execute(const expected_layer *expected, const multipoint_model *model) {
    multipoint_layer *layer = NULL;
    multipoint_plan *plan = NULL;
    int right = multipoint_layer_from_model(model, expected->name, &layer) == MULTIPOINT_OK &&
                multipoint_plan_create(layer, &expected->options, &plan) == MULTIPOINT_OK && executed_as_expected(expected, plan, 0);
    multipoint_plan_destroy(plan);
    multipoint_layer_destroy(layer);
    return right;
}

/* In a region there is one thread for each call: two are refused, and as many as there are is one. */
static void test_thread_counts(const expected_network *expected) {
    int wrong = 0;
    multipoint_model *model = NULL;
    multipoint_session *outside = NULL;
    multipoint_session_options options = {.struct_size = sizeof options, .maximum_batch = expected_images, .threads = 2};
    if (!CHECK_OK(multipoint_model_open_memory(expected->file.bytes, expected->file.count, NULL, &model))) return;
    CHECK_OK(multipoint_session_create(model, &options, &outside));
#pragma omp parallel num_threads(team_size) reduction(+ : wrong)
    {
        multipoint_session *session = NULL;
        wrong += multipoint_session_create(model, &options, &session) != MULTIPOINT_INVALID_ARGUMENT;
        wrong += strstr(multipoint_last_error(), "parallel region") == NULL;
#pragma omp single
        wrong += run_as_expected(expected, outside, 1, 0) || strstr(multipoint_last_error(), "parallel region") == NULL;
        multipoint_session_info info = {.struct_size = sizeof info};
        wrong += multipoint_session_create(model, NULL, &session) != MULTIPOINT_OK ||
                 multipoint_session_describe(session, &info) != MULTIPOINT_OK || info.threads != 1 ||
                 !run_as_expected(expected, session, 1, 0);
        multipoint_session_destroy(session);
    }
    CHECK(wrong == 0);
    CHECK(run_as_expected(expected, outside, expected_images, 0));
    multipoint_session_destroy(outside);
    multipoint_model_destroy(model);
}

/* Everything inside the region, on every thread of it; then outside, with a model that was first used inside. */
static void test_network(const expected_network *expected) {
    int wrong = 0;
    multipoint_model *shared = NULL;
    if (!CHECK_OK(multipoint_model_open_memory(expected->file.bytes, expected->file.count, NULL, &shared))) return;
#pragma omp parallel num_threads(team_size) reduction(+ : wrong)
    {
        wrong += omp_get_num_threads() != team_size;
        wrong += !open_and_run(expected);
        wrong += !run_all(expected, shared, 1);
    }
    CHECK(wrong == 0);
    CHECK(run_all(expected, shared, 1));
    multipoint_model_destroy(shared);
}

static void test_layers(const expected_network *network) {
    for (size_t index = 0; index < network->layer_count; index++) {
        expected_layer expected;
        if (!expect_layer(&expected, network, index, MULTIPOINT_F32, MULTIPOINT_NHWC)) continue;
        multipoint_model *model = NULL;
        int wrong = 0;
        if (CHECK_OK(multipoint_model_open_memory(network->file.bytes, network->file.count, NULL, &model))) {
#pragma omp parallel num_threads(team_size) reduction(+ : wrong)
            wrong += !execute(&expected, model);
        }
        CHECK(wrong == 0);
        multipoint_model_destroy(model);
        expected_layer_free(&expected);
    }
}

/* Where OpenMP may give fewer threads than are asked for, as it does on a busy machine. */
static void test_dynamic_threads(const expected_network *expected) {
    multipoint_model *model = NULL;
    omp_set_dynamic(1);
    if (CHECK_OK(multipoint_model_open_memory(expected->file.bytes, expected->file.count, NULL, &model))) {
        for (int32_t threads = 1; threads <= 8; threads *= 2) CHECK(run_all(expected, model, threads));
    }
    CHECK(omp_get_dynamic());
    omp_set_dynamic(0);
    multipoint_model_destroy(model);
}

int main(void) {
    for (uint32_t seed = 0; seed < network_count; seed++) {
        expected_network expected;
        expect_network(&expected, random_network(seed), NULL);
        test_network(&expected);
        test_layers(&expected);
        test_thread_counts(&expected);
        test_dynamic_threads(&expected);
        expected_network_free(&expected);
    }
    return check_summary("openmp");
}
