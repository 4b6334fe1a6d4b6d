/* Whole networks: results, batches, descriptions, and what a run refuses. */
#include "check.h"
#include "packed_file.h"

#include <stdlib.h>

static multipoint_model *model;

static multipoint_session *made_session(int64_t maximum_batch, int32_t threads) {
    multipoint_session_options options = {.struct_size = sizeof options, .maximum_batch = maximum_batch, .threads = threads};
    multipoint_session *session = NULL;
    CHECK_OK(multipoint_session_create(model, &options, &session));
    return session;
}

static void test_result(void) {
    multipoint_session *session = NULL;
    if (!CHECK_OK(multipoint_session_create(model, NULL, &session))) return;
    float result[2];
    const int64_t image_shape[] = {1, 2, 2, 2}, result_shape[] = {1, 2};
    multipoint_tensor input = {(void *)sample_image, sizeof sample_image, MULTIPOINT_F32, 4, image_shape, NULL};
    multipoint_tensor output = {result, sizeof result, MULTIPOINT_F32, 2, result_shape, NULL};
    for (int i = 0; i < 3; i++) {
        memset(result, 0xFF, sizeof result);
        CHECK_OK(multipoint_session_run(session, &input, 1, &output, 1));
        CHECK_FLOATS(result, sample_result, 2);
    }
    /* The same image, channels last. */
    const float channels_last[] = {1, 0.5f, 2, 0.5f, 3, 1, 4, 0};
    const int64_t strides[] = {8, 1, 4, 2};
    input.data = (void *)channels_last;
    input.strides = strides;
    memset(result, 0xFF, sizeof result);
    CHECK_OK(multipoint_session_run(session, &input, 1, &output, 1));
    CHECK_FLOATS(result, sample_result, 2);
    multipoint_session_destroy(session);
}

/* Image i of a batch is the sample or all zeros; zeros give bias 1, 0, averages 1, 0 and 0.75, 10.5. */
static void test_batches(void) {
    multipoint_session *session = made_session(4, 1);
    if (session == NULL) return;
    const float zeros_result[] = {0.75f, 10.5f};
    const int64_t batches[] = {4, 1, 3, 4};
    for (int i = 0; i < 4; i++) {
        int64_t batch = batches[i];
        float images[4][8], results[5][2];
        memset(images, 0, sizeof images);
        memset(results, 0x55, sizeof results);
        for (int64_t n = 0; n < batch; n += 2) memcpy(images[n], sample_image, sizeof sample_image);
        const int64_t image_shape[] = {batch, 2, 2, 2}, result_shape[] = {batch, 2};
        multipoint_tensor input = {images, (size_t)batch * 32, MULTIPOINT_F32, 4, image_shape, NULL};
        multipoint_tensor output = {results, (size_t)batch * 8, MULTIPOINT_F32, 2, result_shape, NULL};
        CHECK_OK(multipoint_session_run(session, &input, 1, &output, 1));
        for (int64_t n = 0; n < batch; n++) CHECK_FLOATS(results[n], n % 2 == 0 ? sample_result : zeros_result, 2);
        unsigned char after[8];
        memcpy(after, results[batch], sizeof after);
        for (int k = 0; k < 8; k++) CHECK(after[k] == 0x55);
    }
    multipoint_session_destroy(session);
}

static void test_description(void) {
    multipoint_session *session = made_session(3, 2);
    if (session == NULL) return;
    multipoint_session_info info = {0};
    info.struct_size = sizeof info;
    CHECK_OK(multipoint_session_describe(session, &info));
    CHECK(info.maximum_batch == 3 && info.threads == 2 && info.step_count >= 2 && info.weight_bytes > 0);
    multipoint_step_info step = {0};
    step.struct_size = sizeof step;
    int has_conv = 0;
    for (size_t i = 0; i < info.step_count; i++) {
        CHECK_OK(multipoint_session_step(session, i, &step));
        CHECK(step.name != NULL && step.operation != NULL && step.implementation != NULL);
        CHECK(strstr(step.implementation, "ref") == NULL);
        has_conv |= strcmp(step.name, "conv") == 0;
    }
    CHECK(has_conv);
    CHECK_FAILS(multipoint_session_step(session, info.step_count, &step), MULTIPOINT_NOT_FOUND, "step");
    multipoint_session_destroy(session);
}

static multipoint_profile_info profile_of(multipoint_session *session) {
    multipoint_profile_info info = {0};
    info.struct_size = sizeof info;
    CHECK_OK(multipoint_session_profile(session, &info));
    return info;
}

static void run_images(multipoint_session *session, int64_t batch, int count) {
    float images[16] = {0}, results[4];
    const int64_t image_shape[] = {batch, 2, 2, 2}, result_shape[] = {batch, 2};
    multipoint_tensor input = {images, sizeof images, MULTIPOINT_F32, 4, image_shape, NULL};
    multipoint_tensor output = {results, sizeof results, MULTIPOINT_F32, 2, result_shape, NULL};
    for (int i = 0; i < count; i++) CHECK_OK(multipoint_session_run(session, &input, 1, &output, 1));
}

static int same_text(const char *a, const char *b) { return a != NULL && b != NULL && strcmp(a, b) == 0; }

/* The steps of a profile are those of the session, their times add up, and the convolution's work is that of its shape. */
static void check_profiled_steps(multipoint_session *session, const multipoint_profile_info *info, uint64_t batch) {
    double seconds = 0;
    uint64_t operations = 0;
    int conversions = 0;
    for (size_t i = 0; i < info->step_count; i++) {
        multipoint_step_info expected = {0};
        multipoint_step_profile step = {0};
        expected.struct_size = sizeof expected;
        step.struct_size = sizeof step;
        CHECK_OK(multipoint_session_step(session, i, &expected));
        CHECK_OK(multipoint_session_profile_step(session, i, &step));
        CHECK(same_text(step.name, expected.name) && same_text(step.operation, expected.operation));
        CHECK(same_text(step.implementation, expected.implementation));
        CHECK(step.minimum_seconds >= 0 && step.minimum_seconds * (double)info->runs <= step.seconds * 1.0001);
        CHECK(step.bytes > 0 && step.kind >= MULTIPOINT_STEP_LAYER && step.kind <= MULTIPOINT_STEP_OPERATION);
        CHECK((step.operations > 0) == (step.kind == MULTIPOINT_STEP_LAYER));
        conversions += step.kind == MULTIPOINT_STEP_CONVERSION;
        seconds += step.seconds;
        operations += step.operations;
    }
    CHECK(info->seconds > seconds * 0.9999 && info->seconds < seconds * 1.0001);
    /* conv: 2 channels of 2 weights at 4 positions, the second point of channel 0 perhaps beside them; classifier: 2 x 2. */
    CHECK(operations >= batch * 2 * (16 + 4) && operations <= batch * 2 * (24 + 4) && conversions > 0);
}

static void test_profile(void) {
    multipoint_session *session = made_session(2, 1);
    if (session == NULL) return;
    multipoint_step_profile step = {0};
    step.struct_size = sizeof step;
    run_images(session, 2, 1);
    CHECK(profile_of(session).runs == 0 && profile_of(session).step_count == 0);
    CHECK_OK(multipoint_session_start_profile(session));
    CHECK(profile_of(session).runs == 0);
    CHECK_FAILS(multipoint_session_profile_step(session, 0, &step), MULTIPOINT_NOT_FOUND, "profiled step");
    run_images(session, 2, 5);
    multipoint_profile_info info = profile_of(session);
    CHECK(info.batch == 2 && info.runs == 5 && info.step_count >= 2);
    check_profiled_steps(session, &info, 2);
    CHECK_FAILS(multipoint_session_profile_step(session, info.step_count, &step), MULTIPOINT_NOT_FOUND, "profiled step");
    /* Another batch size has a profile of its own. */
    run_images(session, 1, 3);
    CHECK(profile_of(session).batch == 1 && profile_of(session).runs == 3);
    /* Stopped, it stays; started again, it is empty. */
    CHECK_OK(multipoint_session_stop_profile(session));
    run_images(session, 1, 2);
    CHECK(profile_of(session).batch == 1 && profile_of(session).runs == 3);
    CHECK_OK(multipoint_session_start_profile(session));
    CHECK(profile_of(session).runs == 0);
    run_images(session, 1, 1);
    CHECK(profile_of(session).runs == 1);
    multipoint_session_destroy(session);
}

static void test_refused_options(void) {
    const struct { int64_t maximum_batch; int32_t threads; const char *words; } cases[] = {
        {-1, 0, "batch"}, {INT64_MIN, 0, "batch"}, {1, -1, "threads"}, {1, INT32_MIN, "threads"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        multipoint_session_options options = {
            .struct_size = sizeof options, .maximum_batch = cases[i].maximum_batch, .threads = cases[i].threads};
        multipoint_session *session = NULL;
        CHECK_FAILS(multipoint_session_create(model, &options, &session), MULTIPOINT_INVALID_ARGUMENT, cases[i].words);
        CHECK(session == NULL);
    }
    /* More than any machine holds. */
    multipoint_session_options options = {.struct_size = sizeof options, .maximum_batch = INT64_MAX, .threads = 1};
    multipoint_session *session = NULL;
    CHECK(multipoint_session_create(model, &options, &session) != MULTIPOINT_OK);
    CHECK(session == NULL && multipoint_last_error()[0] != '\0');
}

static void test_refused_runs(void) {
    multipoint_session *session = made_session(2, 1);
    if (session == NULL) return;
    float result[6] = {77, 77, 77, 77, 77, 77}, images[24] = {0};
    int64_t image_shape[] = {1, 2, 2, 2}, result_shape[] = {1, 2};
    const multipoint_tensor input = {images, sizeof images, MULTIPOINT_F32, 4, image_shape, NULL};
    const multipoint_tensor output = {result, sizeof result, MULTIPOINT_F32, 2, result_shape, NULL};
    const multipoint_tensor inputs[] = {input, input}, outputs[] = {output, output};
#define REFUSED(in, in_count, out, out_count, words) \
    CHECK_FAILS(multipoint_session_run(session, in, in_count, out, out_count), MULTIPOINT_INVALID_ARGUMENT, words)
    REFUSED(inputs, 0, &output, 1, "input_count");
    REFUSED(inputs, 2, &output, 1, "input_count");
    REFUSED(inputs, (size_t)-1, &output, 1, "input_count");
    REFUSED(&input, 1, outputs, 2, "output_count");
    multipoint_tensor wrong = input;
    wrong.dtype = MULTIPOINT_U8;
    REFUSED(&wrong, 1, &output, 1, "`x`");
    wrong = input;
    wrong.rank = 2;
    REFUSED(&wrong, 1, &output, 1, "`x`");
    wrong = input;
    wrong.byte_count = 31;
    REFUSED(&wrong, 1, &output, 1, "byte_count");
    wrong = output;
    wrong.byte_count = 7;
    REFUSED(&input, 1, &wrong, 1, "`y`");
    wrong = output;
    wrong.data = images;
    REFUSED(&input, 1, &wrong, 1, "overlap");
    image_shape[1] = 3;
    REFUSED(&input, 1, &output, 1, "`x`");
    image_shape[1] = 2;
    image_shape[0] = 2;
    REFUSED(&input, 1, &output, 1, "`y`"); /* batch 2 in, batch 1 out */
    image_shape[0] = result_shape[0] = 3;
    REFUSED(&input, 1, &output, 1, "batch");
    image_shape[0] = result_shape[0] = 0;
    REFUSED(&input, 1, &output, 1, "`x`");
#undef REFUSED
    for (int i = 0; i < 6; i++) CHECK(result[i] == 77);
    image_shape[0] = result_shape[0] = 2;
    CHECK_OK(multipoint_session_run(session, &input, 1, &output, 1));
    multipoint_session_destroy(session);
}

int main(void) {
    byte_string file = sample_network();
    if (CHECK_OK(multipoint_model_open_memory(file.bytes, file.count, NULL, &model))) {
        test_result();
        test_batches();
        test_description();
        test_profile();
        test_refused_options();
        test_refused_runs();
        /* A session outlives its model. */
        multipoint_session *session = made_session(1, 1);
        multipoint_model_destroy(model);
        float result[2];
        const int64_t image_shape[] = {1, 2, 2, 2}, result_shape[] = {1, 2};
        multipoint_tensor input = {(void *)sample_image, sizeof sample_image, MULTIPOINT_F32, 4, image_shape, NULL};
        multipoint_tensor output = {result, sizeof result, MULTIPOINT_F32, 2, result_shape, NULL};
        CHECK_OK(multipoint_session_run(session, &input, 1, &output, 1));
        CHECK_FLOATS(result, sample_result, 2);
        multipoint_session_destroy(session);
    }
    byte_string_free(file);
    return check_summary("sessions");
}
