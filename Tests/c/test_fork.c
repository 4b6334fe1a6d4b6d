/* A child process after a run with several threads. GNU OpenMP's worker threads do not survive fork(): a run that needs them must
 * say so instead of waiting for ever, and what was made with one thread works. */
#define _DEFAULT_SOURCE
#include "check.h"
#include "packed_file.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static multipoint_model *model;

static multipoint_session *made_session(int32_t threads) {
    multipoint_session_options options = {.struct_size = sizeof options, .maximum_batch = 1, .threads = threads};
    multipoint_session *session = NULL;
    return multipoint_session_create(model, &options, &session) == MULTIPOINT_OK ? session : NULL;
}

static multipoint_status run(multipoint_session *session, float *result) {
    const int64_t image_shape[] = {1, 2, 2, 2}, result_shape[] = {1, 2};
    multipoint_tensor input = {(void *)sample_image, sizeof sample_image, MULTIPOINT_F32, 4, image_shape, NULL};
    multipoint_tensor output = {result, 8, MULTIPOINT_F32, 2, result_shape, NULL};
    return multipoint_session_run(session, &input, 1, &output, 1);
}

static int gives_sample_result(multipoint_session *session) {
    float result[2] = {0, 0};
    return run(session, result) == MULTIPOINT_OK && fabsf(result[0] - sample_result[0]) < 1e-5f &&
           fabsf(result[1] - sample_result[1]) < 1e-5f;
}

/* In the child: the number of the first thing that is wrong, or 0. */
static int child(multipoint_session *several, multipoint_session *single) {
    alarm(20); /* the end of a child that hangs */
    float result[2];
    multipoint_status status = run(several, result);
    if (status != MULTIPOINT_OK && status != MULTIPOINT_FORKED) return 1;
    if (status == MULTIPOINT_FORKED && multipoint_last_error()[0] == '\0') return 2;
    if (!gives_sample_result(single)) return 3;
    multipoint_session *own = made_session(1);
    if (own == NULL) return 4;
    if (!gives_sample_result(own)) return 5;
    multipoint_session_destroy(own);
    /* Made in the child for several threads: refused when made, or when run, or it works. */
    own = made_session(2);
    if (own != NULL) {
        status = run(own, result);
        if (status != MULTIPOINT_OK && status != MULTIPOINT_FORKED) return 6;
    }
    multipoint_session_destroy(own);
    multipoint_session_destroy(several);
    multipoint_session_destroy(single);
    multipoint_model_destroy(model);
    return 0;
}

static void test_child(void) {
    multipoint_session *several = made_session(2), *single = made_session(1);
    CHECK(several != NULL && single != NULL);
    CHECK(gives_sample_result(several));
    CHECK(gives_sample_result(single));
    fflush(stdout);
    pid_t process = fork();
    if (process == 0) _exit(child(several, single));
    int status = 0;
    CHECK(process > 0 && waitpid(process, &status, 0) == process);
    if (!CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        if (WIFSIGNALED(status)) printf("    the child ended by signal %d\n", WTERMSIG(status));
        else printf("    the child found number %d wrong\n", WEXITSTATUS(status));
    }
    /* The parent goes on as before. */
    CHECK(gives_sample_result(several));
    multipoint_session_destroy(several);
    multipoint_session_destroy(single);
}

/* A child forked before any run may use several threads. */
static void test_early_child(void) {
    fflush(stdout);
    pid_t process = fork();
    if (process == 0) {
        alarm(20);
        multipoint_session *session = made_session(2);
        int is_right = session != NULL && gives_sample_result(session);
        multipoint_session_destroy(session);
        multipoint_model_destroy(model); /* valgrind takes what is left for lost: Swift tags its pointers to strings */
        _exit(is_right ? 0 : 1);
    }
    int status = 0;
    CHECK(process > 0 && waitpid(process, &status, 0) == process);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static volatile int is_done;

/* Opens, compiles and inserts weights into the cache that a model's sessions share, again and again. */
static void *compile_for_ever(void *file) {
    const byte_string *bytes = file;
    while (!is_done) {
        multipoint_model *own = NULL;
        if (multipoint_model_open_memory(bytes->bytes, bytes->count, NULL, &own) != MULTIPOINT_OK) exit(2);
        multipoint_session_options options = {.struct_size = sizeof options, .maximum_batch = 1, .threads = 1};
        multipoint_session *session = NULL;
        if (multipoint_session_create(own, &options, &session) != MULTIPOINT_OK) exit(2);
        multipoint_session_destroy(session);
        multipoint_model_destroy(own);
    }
    return NULL;
}

/* A lock that the thread held would be held for ever in a child that is forked meanwhile. Everything works there. */
static void test_forks_while_compiling(byte_string file, int forks) {
    multipoint_session *before = made_session(1);
    CHECK(gives_sample_result(before));
    pthread_t thread;
    if (!CHECK(pthread_create(&thread, NULL, compile_for_ever, &file) == 0)) return;
    int worked = 0;
    for (int i = 0; i < forks; i++) {
        usleep(500 + 137 * (unsigned)(i % 10));
        fflush(stdout);
        pid_t process = fork();
        if (process == 0) {
            alarm(20);
            /* Compiled before: needs no lock. */
            if (!gives_sample_result(before)) _exit(3);
            multipoint_model *own = NULL;
            multipoint_status status = multipoint_model_open_memory(file.bytes, file.count, NULL, &own);
            multipoint_session *session = made_session(1);
            _exit(status == MULTIPOINT_OK && session != NULL && gives_sample_result(session) ? 0 : 5);
        }
        int status = 0;
        CHECK(process > 0 && waitpid(process, &status, 0) == process);
        if (CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0)) worked++;
        else printf("    child %d: %s %d\n", i, WIFSIGNALED(status) ? "signal" : "exit", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    is_done = 1;
    pthread_join(thread, NULL);
    CHECK(gives_sample_result(before));
    multipoint_session_destroy(before);
    printf("forked while another thread compiles: %d of %d children worked\n", worked, forks);
}

int main(int argument_count, char **arguments) {
    /* memcheck counts what the lost thread had as lost by the child, which it is. */
    const int is_brief = argument_count > 1 && strcmp(arguments[1], "--brief") == 0;
    byte_string file = sample_network();
    if (CHECK_OK(multipoint_model_open_memory(file.bytes, file.count, NULL, &model))) {
        test_early_child();
        test_child();
        test_child();
        if (!is_brief) test_forks_while_compiling(file, 200);
    }
    byte_string_free(file);
    multipoint_model_destroy(model);
    return check_summary("fork");
}
