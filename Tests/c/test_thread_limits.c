/* More threads than there can be. GNU OpenMP ends the process when it cannot create one, so a count is refused that the process cannot
 * have: by its size, by OMP_THREAD_LIMIT, by RLIMIT_NPROC, by the address space that stacks take. Every trial is a process of its own, which
 * has to end by its own decision. */
#define _GNU_SOURCE
#include "check.h"
#include "packed_file.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static multipoint_status run(multipoint_session *session) {
    float result[2] = {0, 0};
    const int64_t image_shape[] = {1, 2, 2, 2}, result_shape[] = {1, 2};
    multipoint_tensor input = {(void *)sample_image, sizeof sample_image, MULTIPOINT_F32, 4, image_shape, NULL};
    multipoint_tensor output = {result, 8, MULTIPOINT_F32, 2, result_shape, NULL};
    multipoint_status status = multipoint_session_run(session, &input, 1, &output, 1);
    if (status == MULTIPOINT_OK && fabsf(result[1] - sample_result[1]) > 1e-5f) return MULTIPOINT_INTERNAL_ERROR;
    return status;
}

/* A session of so many threads, and a run of it. The exit status of the trials below; 40 for a failure without a message. */
static int use(multipoint_model *model, int32_t threads) {
    multipoint_session_options options = {.struct_size = sizeof options, .maximum_batch = 1, .threads = threads};
    multipoint_session *session = NULL;
    multipoint_status status = multipoint_session_create(model, &options, &session);
    if (status == MULTIPOINT_OK) status = run(session);
    if (status != MULTIPOINT_OK && multipoint_last_error()[0] == '\0') return 40;
    multipoint_session_destroy(session);
    return (int)status;
}

static multipoint_model *open_sample(void) {
    byte_string file = sample_network();
    multipoint_model *model = NULL;
    if (multipoint_model_open_memory(file.bytes, file.count, NULL, &model) != MULTIPOINT_OK) exit(41);
    byte_string_free(file);
    return model;
}

/* MARK: by environment, which OpenMP reads when it is loaded */

static const char *program;

static int outcome(pid_t process) {
    int status = 0;
    if (process < 0 || waitpid(process, &status, 0) != process) return 42;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int with_environment(const char *number, const char *limit, const char *threads) {
    fflush(stdout);
    pid_t process = fork();
    if (process == 0) {
        if (number != NULL) setenv("OMP_NUM_THREADS", number, 1);
        if (limit != NULL) setenv("OMP_THREAD_LIMIT", limit, 1);
        execl(program, program, threads, (char *)NULL);
        _exit(43);
    }
    return outcome(process);
}

static void test_environment(void) {
    CHECK(with_environment("100000", NULL, "0") == MULTIPOINT_INVALID_ARGUMENT);
    CHECK(with_environment("100000", NULL, "2") == MULTIPOINT_OK);
    CHECK(with_environment("100000", "2", "0") == MULTIPOINT_OK);
    CHECK(with_environment("100000", "1", "0") == MULTIPOINT_OK);
    CHECK(with_environment("2", "1", "2") == MULTIPOINT_INVALID_ARGUMENT);
    CHECK(with_environment("2", "1", "1") == MULTIPOINT_OK);
    CHECK(with_environment("nonsense", "-3", "2") == MULTIPOINT_OK);
    CHECK(with_environment(NULL, NULL, "100000") == MULTIPOINT_INVALID_ARGUMENT);
    CHECK(with_environment(NULL, NULL, "2147483647") == MULTIPOINT_INVALID_ARGUMENT);
    CHECK(with_environment(NULL, NULL, "-1") == MULTIPOINT_INVALID_ARGUMENT);
}

/* MARK: by limits of the system */

static int with_limit(__rlimit_resource_t resource, rlim_t limit, int32_t threads) {
    fflush(stdout);
    pid_t process = fork();
    if (process == 0) {
        alarm(60);
        multipoint_model *model = open_sample();
        /* Root has as many as it wants. */
        if (getuid() == 0 && setuid(65534) != 0) _exit(44);
        const struct rlimit limits = {limit, limit};
        if (setrlimit(resource, &limits) != 0) _exit(45);
        int result = use(model, threads);
        /* One thread can always be had. */
        int single = use(model, 1);
        _exit(single == MULTIPOINT_OK || (resource == RLIMIT_AS && single == MULTIPOINT_OUT_OF_MEMORY) ? result : 46);
    }
    return outcome(process);
}

static size_t address_space(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    size_t pages = 0;
    if (file == NULL || fscanf(file, "%zu", &pages) != 1) exit(2);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void test_limits(void) {
    int refused = 0, worked = 0;
    for (rlim_t processes = 1; processes <= 12; processes++) {
        const int result = with_limit(RLIMIT_NPROC, processes, 8);
        refused += result == MULTIPOINT_OUT_OF_MEMORY;
        worked += result == MULTIPOINT_OK;
        if (!CHECK(result == MULTIPOINT_OUT_OF_MEMORY || result == MULTIPOINT_OK)) printf("    %d processes: %d\n", (int)processes, result);
    }
    CHECK(refused > 0);
    printf("8 threads, 1 to 12 processes: %d refused, %d worked\n", refused, worked);
    refused = worked = 0;
    for (int step = 0; step <= 24; step++) {
        const int result = with_limit(RLIMIT_AS, address_space() + (size_t)step * (4u << 20), 8);
        refused += result == MULTIPOINT_OUT_OF_MEMORY;
        worked += result == MULTIPOINT_OK;
        if (!CHECK(result == MULTIPOINT_OUT_OF_MEMORY || result == MULTIPOINT_OK)) printf("    %d MiB: %d\n", 4 * step, result);
    }
    CHECK(refused > 0 && worked > 0);
    printf("8 threads, up to 96 MiB of address space: %d refused, %d worked\n", refused, worked);
}

/* A session that one thread has run is run by another, when there are no threads any more. */
static multipoint_session *shared;
static pthread_barrier_t barrier;

static void *run_elsewhere(void *result) {
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    *(int *)result = (int)run(shared);
    return NULL;
}

static void test_another_thread(void) {
    fflush(stdout);
    pid_t process = fork();
    if (process == 0) {
        alarm(60);
        multipoint_session_options options = {.struct_size = sizeof options, .maximum_batch = 1, .threads = 4};
        if (multipoint_session_create(open_sample(), &options, &shared) != MULTIPOINT_OK || run(shared) != MULTIPOINT_OK) _exit(50);
        pthread_t thread;
        int result = 51;
        pthread_barrier_init(&barrier, NULL, 2);
        if (pthread_create(&thread, NULL, run_elsewhere, &result) != 0) _exit(52);
        pthread_barrier_wait(&barrier);
        const struct rlimit none = {1, 1};
        if ((getuid() == 0 && setuid(65534) != 0) || setrlimit(RLIMIT_NPROC, &none) != 0) _exit(53);
        pthread_barrier_wait(&barrier);
        pthread_join(thread, NULL);
        /* The first one has its threads still. */
        _exit(run(shared) == MULTIPOINT_OK ? result : 54);
    }
    CHECK(outcome(process) == MULTIPOINT_OUT_OF_MEMORY);
}

int main(int count, char **arguments) {
    if (count > 1) return use(open_sample(), (int32_t)atoi(arguments[1]));
    program = arguments[0];
    test_environment();
    test_limits();
    test_another_thread();
    return check_summary("thread limits");
}
